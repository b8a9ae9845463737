#!/usr/bin/env python3
"""Writes fixtures/tokenizers/two_files: vocab.json and merges.txt, a text, and its ids by transformers.

The models are those of fixtures/tokenizers.  Usage: make_two_file_tokenizers.py (needs transformers).
"""
import json
import os

from transformers import AutoTokenizer

TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "tokenizers")
TEXT = "They'Re WE'LL 12345 e\u0301a\u0308 <|endoftext|> if (a[1] != b->c) {\r\n\n\n  x's  \u4e00\u4e8c\t\U0001F600"


def main():
    for name, kind in (("gpt2", "GPT2Tokenizer"), ("qwen2", "Qwen2Tokenizer")):
        model = json.load(open(os.path.join(TOKENIZERS, name + ".json"), encoding="utf-8"))["model"]
        folder = os.path.join(TOKENIZERS, "two_files", name)
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/vocab.json", "w", encoding="utf-8") as file:
            json.dump(model["vocab"], file, ensure_ascii=False)
        with open(folder + "/merges.txt", "w", encoding="utf-8") as file:
            file.write("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in model["merges"]))
        with open(folder + "/tokenizer_config.json", "w", encoding="utf-8") as file:
            json.dump({"tokenizer_class": kind}, file)
        made = AutoTokenizer.from_pretrained(folder)
        assert type(made).__name__.startswith(kind), type(made)
        with open(folder + "/expected.json", "w", encoding="utf-8") as file:
            json.dump({"text": TEXT, "ids": made(TEXT)["input_ids"], "eos": made.eos_token_id}, file)
        print(name, len(made), made(TEXT)["input_ids"][:8], made.eos_token_id)


if __name__ == "__main__":
    main()
