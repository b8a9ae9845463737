#!/usr/bin/env python3
"""Writes fixtures/tokenizers/folders/cases.json: tokens that stand outside tokenizer.json.

Each case is the files of a folder, a text, and what PyPI transformers makes of them. The tokenizer.json
of all is that of `tokenizer.json` beside it, a byte-level BPE of a few merges.
"""

import json
import os
import tempfile

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

FOLDER = os.path.join(os.path.dirname(__file__), "..", "fixtures", "tokenizers", "folders")
TEXT = "<|a|>user\nthe call <|b|> <|c|> x<|d|>y  <|e|>  z<|end|>é"


def base() -> Tokenizer:
    vocabulary = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "x")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(s, special=True, normalized=False) for s in ("<|bos|>", "<|end|>")])
    return tokenizer


def token(content: str, **flags) -> dict:
    standard = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False,
                "special": True}
    return {"content": content, **standard, **flags}


def cases(n: int) -> list[dict]:
    """Configurations, and other files by name; `n` is the next free id."""
    config, added, mapped = "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"
    typed = {"__type": "AddedToken", **token("<|a|>", lstrip=True)}
    return [
        {added: {"<|a|>": n, "<|b|>": n + 1}},
        {added: {"<|a|>": n + 1, "<|b|>": n}},
        {added: {"<|a|>": n + 5, "<|b|>": n + 9}, config: {"eos_token": "<|b|>"}},
        {added: {"<|a|>": n - 1, "the": n + 3}},
        {config: {"added_tokens_decoder": {str(n): token("<|a|>"),
                                           str(n + 1): token("<|e|>", special=False, lstrip=True,
                                                             rstrip=True)}}},
        {config: {"added_tokens_decoder": {str(n + 30): token("<|a|>"), str(n + 7): token("<|b|>")}},
         added: {"<|c|>": n}, mapped: {"eos_token": "<|d|>"}},
        {config: {"added_tokens_decoder": {str(n - 1): token("<|end|>", lstrip=True)}}},
        {config: {"additional_special_tokens": ["<|a|>", "<|c|>"]}},
        {config: {"additional_special_tokens": [typed]}},
        {config: {"extra_special_tokens": ["<|b|>", "<|d|>"], "additional_special_tokens": ["<|c|>"]}},
        {config: {"extra_special_tokens": {"tool_token": "<|e|>", "other": "<|d|>"}}},
        {config: {"image_token": "<|c|>", "add_bos_token": True}},
        {mapped: {"eos_token": "<|b|>", "additional_special_tokens": ["<|c|>"],
                  "pad_token": token("<|d|>")}},
        {mapped: {"extra_special_tokens": ["<|c|>", "<|a|>"]},
         config: {"extra_special_tokens": ["<|a|>"]}},
        {config: {"pad_token": "<|d|>", "eos_token": token("<|e|>", rstrip=True)} | {}},
        {added: {"<|a|>": n, "<|b|>": n + 1}, config: {"pad_token": "<|d|>"},
         mapped: {"additional_special_tokens": ["<|c|>", "<|b|>"], "unk_token": "<|e|>"}},
        {config: {"eos_token": "the", "extra_special_tokens": ["<|z|>"]}},
        {config: {"added_tokens_decoder": {"5": token("<|a|>"), str(n): token("<|b|>")},
                  "eos_token": "<|b|>", "extra_special_tokens": ["<|c|>"]}},
    ]


def main() -> None:
    os.makedirs(FOLDER, exist_ok=True)
    tokenizer = base()
    tokenizer.save(os.path.join(FOLDER, "tokenizer.json"))
    results = []
    for files in cases(tokenizer.get_vocab_size()):
        files.setdefault("tokenizer_config.json", {})
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>",
                  "eos_token": "<|end|>"} | files["tokenizer_config.json"]
        if isinstance(config["eos_token"], dict):
            config["eos_token"] = {"__type": "AddedToken", **config["eos_token"]}
        files["tokenizer_config.json"] = config
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save(folder + "/tokenizer.json")
            for name, content in files.items():
                with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                    json.dump(content, file)
            made = AutoTokenizer.from_pretrained(folder)
        results.append({
            "files": files, "ids": made(TEXT)["input_ids"], "eos": made.eos_token_id,
            "pad": made.pad_token_id,
            "added": [{"id": i, "content": t.content, "special": t.special}
                      for i, t in sorted(made.added_tokens_decoder.items())],
        })
    with open(os.path.join(FOLDER, "cases.json"), "w", encoding="utf-8") as out:
        json.dump({"text": TEXT, "cases": results}, out, ensure_ascii=False, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
