"""Greedy tokens of a folder from vLLM: a request on standard input, its answer a line.

request: folder, prompts, tokens; `options` of the engine and `chat`, if any. Each prompt runs alone, then all at
once; then every answer is gone on with, all at once, from tokens that are in the prefix cache.
"""

import json
import os
import sys

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "INFO")


def main():
    request = json.load(sys.stdin)
    if request.get("options", {}).get("tensor_parallel_size") == 2:
        # A core each: the engine deals out NUMA nodes, of which there may be one.
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "0|1")
    from vllm import LLM, SamplingParams

    # The prefix cache keeps whole blocks.
    options = dict(dtype="float32", max_model_len=256, enforce_eager=True, block_size=32)
    options |= request.get("options", {})
    llm = LLM(
        model=request["folder"],
        trust_remote_code=True,
        model_impl="transformers",
        enable_prefix_caching=True,
        **options,
    )
    def run(prompts, tokens=request["tokens"]):
        sampling = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
        return llm.generate(prompts, sampling, use_tqdm=False)

    def ids(outputs):
        return [list(output.outputs[0].token_ids) for output in outputs]

    prompts = request["prompts"]
    if request.get("chat"):
        sampling = SamplingParams(temperature=0, max_tokens=request["tokens"])
        messages = [[{"role": "user", "content": prompt}] for prompt in prompts]
        print(json.dumps({"chat": ids(llm.chat(messages, sampling, use_tqdm=False))}))
        return
    single = [ids(run([prompt]))[0] for prompt in prompts]
    outputs = run(prompts)
    batched = ids(outputs)
    whole = [
        {"prompt_token_ids": list(output.prompt_token_ids) + answer}
        for output, answer in zip(outputs, batched)
    ]
    again = run(whole, 32)
    print(json.dumps({
        "single": single, "batched": batched, "again": ids(again),
        "cached": [output.num_cached_tokens for output in again],
    }))


if __name__ == "__main__":
    main()
