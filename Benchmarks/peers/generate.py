"""Runs a prompt and some more tokens through a model, and prints tokens a second of both as JSON.

    generate.py transformers FOLDER --dtype bfloat16 --prompt 1024 --tokens 32
    generate.py llama.cpp FILE.gguf --prompt 1024 --tokens 32
"""

import argparse
import json
import time


def prompt(arguments, vocabulary):
    """Ids that any vocabulary has: those of a small one come round again."""
    return [(100 + 37 * i) % vocabulary for i in range(arguments.prompt)]


def with_transformers(arguments):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(arguments.threads)
    model = AutoModelForCausalLM.from_pretrained(
        arguments.model, dtype=getattr(torch, arguments.dtype)
    ).eval()
    ids = prompt(arguments, model.config.vocab_size)

    @torch.inference_mode()
    def run():
        start = time.perf_counter()
        # Only the last token's logits, as in generation.
        out = model(torch.tensor([ids]), use_cache=True, logits_to_keep=1)
        middle = time.perf_counter()
        for _ in range(arguments.tokens):
            best = out.logits[:, -1:].argmax(-1)
            out = model(best, past_key_values=out.past_key_values, use_cache=True)
        return middle - start, time.perf_counter() - middle

    run()
    return run()


def with_llama_cpp(arguments):
    from llama_cpp import Llama

    model = Llama(
        arguments.model, n_ctx=arguments.prompt + arguments.tokens + 8, n_threads=arguments.threads,
        n_threads_batch=arguments.threads, n_batch=1024, verbose=False,
    )
    ids = prompt(arguments, model.n_vocab())

    def run():
        model.reset()
        start = time.perf_counter()
        model.eval(ids)
        middle = time.perf_counter()
        for _ in range(arguments.tokens):
            model.eval([model.sample(temp=0)])
        return middle - start, time.perf_counter() - middle

    run()
    return run()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=["transformers", "llama.cpp"])
    parser.add_argument("model")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--prompt", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    run = with_transformers if arguments.engine == "transformers" else with_llama_cpp
    prefill, decode = run(arguments)
    print(json.dumps({"prefill": arguments.prompt / prefill, "decode": arguments.tokens / decode}))


main()
