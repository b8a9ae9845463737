"""Times vLLM serving an exported folder beside vLLM serving a plain Llama with as many executed layers of the
same shape, in turns (A B A B …), on the CPU; prints tokens a second of both, and the ratio, ours to the plain
one's, of each turn as JSON.

    serving.py FOLDER --prompts 8 --length 64 --tokens 64 --turns 5 [--plain transformers] [--compile]

The plain model has random weights, and is vLLM's own Llama, or with `--plain transformers` that of transformers
through the backend that serves ours. r is the folder's. Seconds are the processor's, of one thread: what
else runs on the machine counts less than on the clock.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time

# Both engines run in this process, whose time is measured, on its one thread.
os.environ.update(
    VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_OMP_THREADS_BIND="0", VLLM_CPU_KVCACHE_SPACE="1",
    OMP_NUM_THREADS="1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")


def write_plain(folder, served):
    """Saves a Llama with random weights, with as many layers as `served` executes."""
    from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

    c = AutoConfig.from_pretrained(served, trust_remote_code=True)
    LlamaForCausalLM(LlamaConfig(
        vocab_size=c.padded_vocab_size, hidden_size=c.n_embd, num_hidden_layers=c.num_hidden_layers,
        intermediate_size=c.intermediate_size, num_attention_heads=c.n_heads,
        num_key_value_heads=c.num_key_value_heads, head_dim=c.head_dim, max_position_embeddings=2048,
        tie_word_embeddings=c.tie_word_embeddings)).save_pretrained(folder)
    return c.vocab_size


def engine(folder, implementation, options):
    from vllm import LLM

    return LLM(
        model=str(folder), skip_tokenizer_init=True, trust_remote_code=True, dtype="float32",
        model_impl=implementation, max_model_len=options.length + options.tokens, block_size=32,
        max_num_seqs=options.prompts, enable_prefix_caching=False,
        enforce_eager=not options.compile)


def timed(llm, prompts, tokens):
    """Tokens that are made in a second of the processor, those of the prompts read besides."""
    from vllm import SamplingParams

    sampling = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, detokenize=False)
    start = time.process_time()
    outputs = llm.generate(prompts, sampling, use_tqdm=False)
    seconds = time.process_time() - start
    return sum(len(output.outputs[0].token_ids) for output in outputs) / seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    for name, default in [("prompts", 8), ("length", 64), ("tokens", 64), ("turns", 5)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--plain", choices=["vllm", "transformers"], default="vllm")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = write_plain(folder, options.folder)
        engines = [engine(options.folder, "transformers", options),
                   engine(folder, options.plain, options)]
    draw = random.Random(0)
    rates = []
    for turn in range(options.turns + 1):
        prompts = [
            {"prompt_token_ids": [draw.randrange(min(1000, vocabulary)) for _ in range(options.length)]}
            for _ in range(options.prompts)]
        pair = [timed(llm, prompts, options.tokens) for llm in engines]
        rates += [pair] if turn else []  # the first warms up
    ratios = [ours / plain for ours, plain in rates]
    print(json.dumps({
        "prompts": options.prompts, "plain": options.plain, "compiled": options.compile,
        "tokens_per_second": [statistics.median(side) for side in zip(*rates)],
        "least": min(ratios), "median": statistics.median(ratios), "most": max(ratios)}))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
