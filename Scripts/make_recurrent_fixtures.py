"""Writes fixtures/recurrent: tiny random models of families that recur by themselves, in the files that
their publishers use, with logits, loss and gradients.

Run as `.venv/bin/python Scripts/make_recurrent_fixtures.py [NAME ...]`, with the packages of
Scripts/requirements.txt. Transformers has no class for these: what they compute is written here in
torch, after the code that is published with ByteDance/Ouro-1.4B and tomg-group-umd/huginn-0125.
"""

import json
import math
import os
import shutil
import sys

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures/recurrent")
TOKENS, VOCABULARY, EPSILON = 20, 40, 1e-6


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * weight


def angles(length, width, theta):
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.arange(length, dtype=torch.float64)[:, None] * frequencies


def turned(x, angle, interleaved):
    """x: [1, heads, tokens, width]; pairs lie side by side or half a head apart."""
    cos, sin = angle.cos().float(), angle.sin().float()
    if interleaved:
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


def attention(q, k, v, heads, kv_heads, theta, interleaved):
    """q: [1, tokens, heads * width], and so on."""
    length = q.shape[1]
    q, k, v = (x.view(1, length, n, -1).transpose(1, 2) for x, n in ((q, heads), (k, kv_heads), (v, kv_heads)))
    angle = angles(length, q.shape[-1], theta)
    q, k = turned(q, angle, interleaved), turned(k, angle, interleaved)
    k, v = (x.repeat_interleave(heads // kv_heads, 1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(length, length).triu(1).bool(), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(1, length, -1)


class Ouro:
    """The whole stack, with norms before and after each half, and the final norm after every pass."""

    def __init__(self, change):
        self.config = dict(
            architectures=["OuroForCausalLM"], attention_dropout=0.0, bos_token_id=1, eos_token_id=2,
            early_exit_threshold=1.0, head_dim=8, hidden_act="silu", hidden_size=16,
            initializer_range=0.02, intermediate_size=24, max_position_embeddings=64,
            max_window_layers=3, model_type="ouro", num_attention_heads=4, num_hidden_layers=3,
            num_key_value_heads=4, rms_norm_eps=EPSILON, rope_scaling=None, rope_theta=10000.0,
            sliding_window=None, tie_word_embeddings=False, torch_dtype="float32", total_ut_steps=4,
            use_cache=True, use_sliding_window=False, vocab_size=VOCABULARY,
            layer_types=["full_attention"] * 3)
        self.config |= change
        c = self.config
        h, m = c["hidden_size"], c["intermediate_size"]
        q, k = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
        self.shapes = {"model.embed_tokens.weight": (VOCABULARY, h), "model.norm.weight": (h,)}
        if not c["tie_word_embeddings"]:
            self.shapes["lm_head.weight"] = (VOCABULARY, h)
        self.shapes |= {"model.early_exit_gate.weight": (1, h), "model.early_exit_gate.bias": (1,)}
        for i in range(c["num_hidden_layers"]):
            for name, shape in {
                "input_layernorm": (h,), "input_layernorm_2": (h,), "post_attention_layernorm": (h,),
                "post_attention_layernorm_2": (h,), "self_attn.q_proj": (q, h), "self_attn.k_proj": (k, h),
                "self_attn.v_proj": (k, h), "self_attn.o_proj": (h, q), "mlp.gate_proj": (m, h),
                "mlp.up_proj": (m, h), "mlp.down_proj": (h, m),
            }.items():
                self.shapes[f"model.layers.{i}.{name}.weight"] = shape

    def forward(self, w, ids, steps, backprop, state):
        c = self.config
        x = w["model.embed_tokens.weight"][ids]
        for step in range(steps):
            for i in range(c["num_hidden_layers"]):
                p = lambda name, i=i: w[f"model.layers.{i}.{name}.weight"]
                y = norm(x, p("input_layernorm"))
                y = attention(
                    y @ p("self_attn.q_proj").T, y @ p("self_attn.k_proj").T, y @ p("self_attn.v_proj").T,
                    c["num_attention_heads"], c["num_key_value_heads"], c["rope_theta"], False)
                x = x + norm(y @ p("self_attn.o_proj").T, p("input_layernorm_2"))
                y = norm(x, p("post_attention_layernorm"))
                y = F.silu(y @ p("mlp.gate_proj").T) * (y @ p("mlp.up_proj").T)
                x = x + norm(y @ p("mlp.down_proj").T, p("post_attention_layernorm_2"))
            # The state that training cuts is the one before this norm.
            if step == steps - backprop - 1:
                x = x.detach()
            x = norm(x, w["model.norm.weight"])
        return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


class Huginn:
    """Prelude, core and coda; norms before each half and on the stream after it; the final norm on the
    last state, too. Pairs of the rotary embedding lie side by side."""

    def __init__(self, change):
        c = self.config = dict(
            architecture_class_name="RecurrentGPT", architectures=["RavenForCausalLM"], bias=False,
            activation_checkpoint_impl="per-iteration", block_class_name="SandwichBlock", block_size=64,
            effective_expected_depth=9, head_dim=8, init_orthogonal=False, init_strategy="takase",
            init_values=dict(embed_scale=4.0, embedding=0.15811388, out_proj=0.03, std=0.15811388),
            injection_type="linear", intermediate_size=24, mean_backprop_depth=2, mean_recurrence=4,
            mlp_class_name="GatedMLP", model_type="huginn_raven", n_embd=16, n_heads=2, n_layers=5,
            n_layers_in_coda=1, n_layers_in_prelude=2, n_layers_in_recurrent_block=2,
            nonlin_name="SiLU", norm_class_name="RMSNorm_llama", norm_eps=EPSILON,
            num_attention_heads=2, num_key_value_heads=2, padded_vocab_size=VOCABULARY,
            padding_multiple=8, qk_bias=True, rope_base=50000, sampling_scheme="poisson-lognormal-filling",
            state_init="like-init", test_time_noise=0, test_time_noise_type="fixed", tie_embeddings=True,
            torch_dtype="float32", transformers_version="4.47.1", vocab_size=VOCABULARY) | change
        h, m = c["n_embd"], c["intermediate_size"]
        self.groups = [
            ("prelude", c["n_layers_in_prelude"]), ("core_block", c["n_layers_in_recurrent_block"]),
            ("coda", c["n_layers_in_coda"])]
        self.shapes = {
            "transformer.wte.weight": (VOCABULARY, h), "transformer.ln_f.weight": (h,),
            "transformer.adapter.weight": (h, 2 * h)}
        if not c["tie_embeddings"]:
            self.shapes["lm_head.weight"] = (VOCABULARY, h)
        for group, count in self.groups:
            for i in range(count):
                for name, shape in {
                    "norm_1.weight": (h,), "norm_2.weight": (h,), "norm_3.weight": (h,),
                    "norm_4.weight": (h,), "attn.Wqkv.weight": (3 * h, h), "attn.proj.weight": (h, h),
                    "attn.qk_bias": (2, 1, c["n_heads"], h // c["n_heads"]),
                    "mlp.fc.weight": (2 * m, h), "mlp.proj.weight": (h, m),
                }.items():
                    self.shapes[f"transformer.{group}.{i}.{name}"] = shape

    def block(self, w, name, x):
        c = self.config
        p = lambda part: w[f"transformer.{name}.{part}"]  # noqa: E731
        q, k, v = (norm(x, p("norm_1.weight")) @ p("attn.Wqkv.weight").T).chunk(3, -1)
        q, k = q + p("attn.qk_bias")[0].flatten(), k + p("attn.qk_bias")[1].flatten()
        y = attention(q, k, v, c["n_heads"], c["n_heads"], float(c["rope_base"]), True)
        x = norm(x + y @ p("attn.proj.weight").T, p("norm_2.weight"))
        gate, up = (norm(x, p("norm_3.weight")) @ p("mlp.fc.weight").T).chunk(2, -1)
        return norm(x + (F.silu(gate) * up) @ p("mlp.proj.weight").T, p("norm_4.weight"))

    def forward(self, w, ids, steps, backprop, state):
        (_, prelude), (_, core), (_, coda) = self.groups
        e = w["transformer.wte.weight"][ids] * self.config["init_values"]["embed_scale"]
        for i in range(prelude):
            e = self.block(w, f"prelude.{i}", e)
        x = state
        for step in range(steps):
            if step == steps - backprop:
                # Passes before this one leave no trace.
                x = x.detach()
            x = torch.cat([x, e], -1) @ w["transformer.adapter.weight"].T
            for i in range(core):
                x = self.block(w, f"core_block.{i}", x)
        x = norm(x, w["transformer.ln_f.weight"])
        for i in range(coda):
            x = self.block(w, f"coda.{i}", x)
        x = norm(x, w["transformer.ln_f.weight"])
        return x @ w.get("lm_head.weight", w["transformer.wte.weight"]).T


MODELS = [
    ("ouro-default", Ouro, {}),
    ("ouro-tied", Ouro, dict(tie_word_embeddings=True, num_key_value_heads=2, num_hidden_layers=2, layer_types=["full_attention"] * 2, total_ut_steps=2, rope_theta=1e6)),
    ("huginn-default", Huginn, {}),
    ("huginn-untied", Huginn, dict(tie_embeddings=False, n_layers=3, n_layers_in_coda=1, n_layers_in_prelude=1, n_layers_in_recurrent_block=1, n_heads=4, num_attention_heads=4, num_key_value_heads=4, head_dim=4, rope_base=1000, init_values=dict(embed_scale=1.0, embedding=0.1, out_proj=0.03, std=0.2))),
]


def make(name, kind, change):
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    model = kind(change)
    weights = {}
    for key, shape in model.shapes.items():
        noise = torch.randn(shape, generator=generator)
        is_norm = len(shape) == 1 and key.endswith("weight")
        weights[key] = (1 + 0.2 * noise if is_norm else noise * (0.2 if len(shape) != 2 else 0.25)).requires_grad_()
    folder = os.path.join(ROOT, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "model"))
    with open(os.path.join(folder, "model/config.json"), "w") as file:
        json.dump(model.config, file, indent=2, sort_keys=True)
        file.write("\n")
    stored = {k: v.detach().clone() for k, v in weights.items()}
    save_file(stored, os.path.join(folder, "model/model.safetensors"), {"format": "pt"})
    ids = torch.randint(3, VOCABULARY, (1, TOKENS), generator=generator)
    labels = torch.cat([ids[:, 1:], torch.full((1, 1), -100)], 1)
    width = weights[next(iter(weights))].shape[-1]
    state = torch.randn(1, TOKENS, width, generator=generator) * 0.3
    numbers = {"input_ids": ids, "labels": labels, "initial_state": state}
    with torch.no_grad():
        for steps in (1, 2, 4):
            numbers[f"logits.{steps}"] = model.forward(weights, ids, steps, steps, state)
    for steps, backprop in ((3, 3), (3, 2)):
        logits = model.forward(weights, ids, steps, backprop, state)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        numbers[f"loss.{steps}.{backprop}"] = loss.detach()[None]
        gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
        for key, gradient in zip(weights, gradients):
            if gradient is not None:
                numbers[f"grad.{steps}.{backprop}.{key}"] = gradient
    save_file({k: v.contiguous() for k, v in numbers.items()}, os.path.join(folder, "numbers.safetensors"))
    print(name, float(loss.detach()))


if __name__ == "__main__":
    for name, kind, change in MODELS:
        if not sys.argv[1:] or name in sys.argv[1:]:
            make(name, kind, change)
