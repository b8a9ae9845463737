#!/usr/bin/env python3
"""Compares `ckpt tokenize` with PyPI `tokenizers` on a megabyte of mixed text.

Takes tokenizer.json files, model folders or GGUF files; without any, the fixtures. Beside a GGUF file
llama.cpp's vectors are used if they are there (`FILE.inp`, `FILE.out`). A GGUF file has no other
oracle here.  Usage: check_tokenizers.py CKPT [PATH…]
"""
import glob
import json
import os
import subprocess
import sys
import time
from tokenizers import Tokenizer
from make_tokenizer_fixtures import FOLDER, mixed_text

SEPARATOR = b"\n__ggml_vocab_test__\n"


def tokenize(ckpt, path, data, *options):
    run = subprocess.run([ckpt, "tokenize", path, "--json", *options], input=data, capture_output=True)
    return json.loads(run.stdout)


def check_text(ckpt, path, data):
    file = os.path.join(path, "tokenizer.json") if os.path.isdir(path) else path
    reference = Tokenizer.from_file(file)
    text = data.decode("utf-8", "replace")
    start = time.time()
    got = tokenize(ckpt, path, data)
    seconds = time.time() - start
    if not got["ok"]:
        return got["errors"][0]["message"]
    want = reference.encode(text, add_special_tokens=False).ids
    if got["ids"] != want:
        place = next((i for i, (a, b) in enumerate(zip(got["ids"], want)) if a != b), min(len(want), len(got["ids"])))
        return f"differs at token {place}: {got['ids'][place:place + 5]}, not {want[place:place + 5]}"
    decoded = tokenize(ckpt, path, " ".join(map(str, want)).encode(), "--decode")
    if decoded["text"] != reference.decode(want, skip_special_tokens=False):
        return "decodes to another text"
    print(f"{path}: {len(want)} tokens equal, {seconds:.2f} s with start and output")


def check_vectors(ckpt, path):
    texts = open(path + ".inp", "rb").read().split(SEPARATOR)
    wanted = [list(map(int, line.split())) for line in open(path + ".out")]
    for text, want in zip(texts, wanted):
        got = tokenize(ckpt, path, text)
        if not got["ok"]:
            return got["errors"][0]["message"]
        if got["ids"] != want:
            return f"{text!r} gives {got['ids']}, not {want}"
    print(f"{path}: {len(wanted)} vectors equal")


def main():
    ckpt, *paths = sys.argv[1:]
    paths = paths or sorted(glob.glob(FOLDER + "/*.json"))
    data = mixed_text(99, 1_000_000)
    failed = False
    for path in paths:
        fault = check_vectors(ckpt, path) if os.path.exists(path + ".inp") else check_text(ckpt, path, data)
        if fault:
            failed = True
            print(f"{path}: {fault}")
    sys.exit(failed)


main()
