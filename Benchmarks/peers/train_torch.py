"""Trains a depth-recurrent decoder of a package's shape with plain PyTorch, and prints its speed.

The same model as ckpt trains: prelude once, core r times behind the linear adapter, coda once;
grouped-query attention (scaled_dot_product_attention), rotary positions, SwiGLU, RMS norms, an untied
head. Random weights and tokens: speed does not depend on them. One line of JSON on standard output.
"""

import argparse
import json
import resource
import time

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        h, kv = c["hidden_size"], c["num_key_value_heads"]
        self.size = c["head_dim"] if c.get("head_dim") else h // c["num_attention_heads"]
        width = c["num_attention_heads"] * self.size
        self.norm1 = nn.RMSNorm(h, eps=c["rms_norm_eps"])
        self.qkv = nn.Linear(h, width + 2 * kv * self.size, bias=False)
        self.out = nn.Linear(width, h, bias=False)
        self.norm2 = nn.RMSNorm(h, eps=c["rms_norm_eps"])
        self.gate_up = nn.Linear(h, 2 * c["intermediate_size"], bias=False)
        self.down = nn.Linear(c["intermediate_size"], h, bias=False)

    def rotate(self, x, cosines, sines):
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cosines - b * sines, b * cosines + a * sines), dim=-1).to(x.dtype)

    def forward(self, x, cosines, sines):
        batch, length, _ = x.shape
        heads, kv = self.c["num_attention_heads"], self.c["num_key_value_heads"]
        q, k, v = self.qkv(self.norm1(x)).split(
            [heads * self.size, kv * self.size, kv * self.size], dim=-1)
        q, k, v = (
            t.view(batch, length, -1, self.size).transpose(1, 2) for t in (q, k, v))
        q, k = self.rotate(q, cosines, sines), self.rotate(k, cosines, sines)
        k, v = (t.repeat_interleave(heads // kv, dim=1) for t in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, -1))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)


class Recurrent(nn.Module):
    def __init__(self, c, parts):
        super().__init__()
        h = c["hidden_size"]
        self.embedding = nn.Embedding(c["vocab_size"], h)
        self.prelude, self.core, self.coda = (
            nn.ModuleList(Block(c) for _ in range(n)) for n in parts)
        self.adapter = nn.Linear(2 * h, h, bias=False)
        self.norm = nn.RMSNorm(h, eps=c["rms_norm_eps"])
        self.head = nn.Linear(h, c["vocab_size"], bias=False)
        half = self.core[0].size // 2
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(half) / half))

    def forward(self, tokens, labels, passes):
        angles = torch.outer(torch.arange(tokens.shape[1]).float(), self.frequencies)
        cosines, sines = angles.cos(), angles.sin()
        e = self.embedding(tokens)
        for block in self.prelude:
            e = block(e, cosines, sines)
        s = torch.randn_like(e)
        for _ in range(passes):
            s = self.adapter(torch.cat((s, e), dim=-1))
            for block in self.core:
                s = block(s, cosines, sines)
        for block in self.coda:
            s = block(s, cosines, sines)
        logits = self.head(self.norm(s))
        return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten())


def optimizers(model, kind):
    if kind == "adamw":
        return [torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)]
    body = [p for n, p in model.named_parameters()
            if p.ndim == 2 and not n.startswith(("embedding", "head"))]
    taken = {id(p) for p in body}
    rest = [p for p in model.parameters() if id(p) not in taken]
    return [torch.optim.Muon(body, lr=1e-3), torch.optim.AdamW(rest, lr=5e-5, fused=True)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True, help="config.json of the source model")
    parser.add_argument("--parts", default="4,8,4")
    parser.add_argument("--recurrence", type=int, required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    with open(args.config) as file:
        config = json.load(file)
    model = Recurrent(config, [int(n) for n in args.parts.split(",")])
    updates = optimizers(model, args.optimizer)
    shape = (args.sequences, args.length)
    seconds = []
    for _ in range(args.steps):
        tokens = torch.randint(config["vocab_size"], shape)
        labels = torch.randint(config["vocab_size"], shape)
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16"):
            loss = model(tokens, labels, args.recurrence)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for update in updates:
            update.step()
            update.zero_grad(set_to_none=True)
        loss.item()
        seconds.append(time.perf_counter() - start)
    # As ckpt's, the median leaves out the first step, which touches all memory for the first time.
    print(json.dumps({
        "tokens_per_second": [args.sequences * args.length / s for s in seconds[1:]],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
