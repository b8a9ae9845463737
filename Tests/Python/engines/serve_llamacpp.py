"""Greedy text of a GGUF file from llama.cpp: a request on standard input, its answer a line.

request: file, prompts, tokens.
"""

import json
import sys

import xllamacpp


def main():
    request = json.load(sys.stdin)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = request["file"]
    parameters.n_ctx, parameters.n_parallel, parameters.warmup = 512, 1, False
    # Everything in float32, in one thread: others would wait for each other.
    parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    texts = []
    for prompt in request["prompts"]:
        answer = server.handle_completions({
            "prompt": prompt, "n_predict": request["tokens"], "temperature": 0, "ignore_eos": True,
            "cache_prompt": False})
        texts.append(answer["choices"][0]["text"])
    print(json.dumps({"texts": texts}))


if __name__ == "__main__":
    main()
