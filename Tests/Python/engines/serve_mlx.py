"""Greedy tokens of a folder from mlx-lm: a request on standard input, its answer a line.

request: folder, prompts, tokens; `config` with fields to set and `chat`, if any.
"""

import json
import sys


def main():
    import mlx.core as mx
    from mlx_lm import load
    from mlx_lm.generate import batch_generate, generate_step

    mx.set_default_device(mx.cpu)
    request = json.load(sys.stdin)
    model, tokenizer = load(
        request["folder"], model_config=request.get("config"), trust_remote_code=True
    )

    def encoded(prompt):
        if not request.get("chat"):
            return tokenizer.encode(prompt)
        message = [{"role": "user", "content": prompt}]
        return tokenizer.apply_chat_template(message, add_generation_prompt=True)

    def run(ids):
        steps = generate_step(mx.array(ids), model, max_tokens=request["tokens"])
        return [int(token) for token, _ in steps]

    prompts = [encoded(prompt) for prompt in request["prompts"]]
    answer = {"single": [run(ids) for ids in prompts]}
    if request.get("batch"):
        made = batch_generate(model, tokenizer, prompts, max_tokens=request["tokens"])
        answer["texts"] = made.texts
    answer["decoded"] = [tokenizer.decode(ids) for ids in answer["single"]]
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
