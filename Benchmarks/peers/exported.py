"""Times an exported folder beside a plain Llama of transformers with as many executed layers of the same
shape, in turns (A B A B …); prints the ratio of the times, ours to the plain one's, of each turn as JSON.

    exported.py FOLDER --recurrence 4 --length 128 --turns 7 [--compile] [--jobs forward train decode]

Compiled, tokens are decoded with a static cache, by one graph, as `generate` compiles it.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM, CompileConfig, LlamaConfig, LlamaForCausalLM


def models(options):
    ours = AutoModelForCausalLM.from_pretrained(
        options.folder, trust_remote_code=True, dtype=torch.float32)
    c = ours.config
    layers = (c.n_layers_in_prelude + c.n_layers_in_coda
              + options.recurrence * c.n_layers_in_recurrent_block)
    plain = LlamaForCausalLM(LlamaConfig(
        vocab_size=c.padded_vocab_size, hidden_size=c.n_embd, num_hidden_layers=layers,
        intermediate_size=c.intermediate_size, num_attention_heads=c.n_heads,
        num_key_value_heads=c.num_key_value_heads, head_dim=c.head_dim,
        max_position_embeddings=2048, tie_word_embeddings=c.tie_word_embeddings,
        attn_implementation="sdpa"))
    return ours, plain


def timed(job, *arguments):
    """Seconds of the processor: what else runs on the machine counts less than on the clock."""
    start = time.process_time()
    job(*arguments)
    return time.process_time() - start


def forward(model, ids, more):
    with torch.no_grad():
        model(ids, use_cache=False, **more)


def train(model, ids, more):
    model.zero_grad()
    model(ids, labels=ids, use_cache=False, **more).loss.backward()


def decode(model, ids, more):
    model.generate(
        ids[:, :16], attention_mask=torch.ones_like(ids[:, :16]), max_new_tokens=24, min_new_tokens=24,
        do_sample=False, **more)


def compiled_decoding():
    """Arguments of `generate` with which it compiles the step of a token, on every device."""
    compiling = CompileConfig(fullgraph=True, dynamic=False, mode=None)
    compiling._compile_all_devices = True
    return dict(cache_implementation="static", compile_config=compiling)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    for name, default in [("recurrence", 4), ("length", 128), ("turns", 7), ("threads", 1)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--jobs", nargs="+", default=["forward", "train", "decode"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ours, plain = models(options)
    # Of every vocabulary; 1000 where it is larger, as the figures were taken.
    ids = torch.randint(min(1000, ours.config.vocab_size), (1, options.length))
    r = options.recurrence
    jobs = {
        "forward": (forward, dict(num_steps=r)),
        "train": (train, dict(num_steps=(0, r))),
        "decode": (decode, dict(num_steps=r)),
    }
    for name in options.jobs:
        job, more = jobs[name]
        for model in (ours, plain):
            model.train(name == "train")
        called, common = (ours, plain), {}
        if options.compile and name == "decode":
            common = compiled_decoding()
        elif options.compile:
            called = [torch.compile(model, fullgraph=True, dynamic=False) for model in called]
        ratios = []
        for turn in range(options.turns + 1):
            a = timed(job, called[0], ids, more | common)
            b = timed(job, called[1], ids, common)
            ratios += [a / b] if turn else []  # the first warms up, and compiles
        print(json.dumps({
            "job": name, "compiled": options.compile, "least": min(ratios),
            "median": statistics.median(ratios), "most": max(ratios)}), flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
