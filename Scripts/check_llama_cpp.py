#!/usr/bin/env python3
"""Loads what `ckpt convert` writes as GGUF into llama.cpp itself, and compares logits and tokens.

Usage: check_llama_cpp.py CKPT [NAME ...], in an environment with numpy, safetensors and the PyPI package
xllamacpp, which has llama.cpp's functions in its library. NAME is a folder of fixtures/families; without
one, all that can be written are tried. Differences of a thousandth are those of llama.cpp's cache, which
is float16.

The fixtures have no tokenizer; each gets the first tokens of one of fixtures/tokenizers.
"""

import ctypes
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

# What llama.cpp's loader refuses, in words of its error, although its own converter writes it.
NOT_LOADED = {
    "olmo2-bias": "output.weight", "olmoe-packed": "output.weight",  # no tied head
    "olmo3-types": "number of tensors", "qwen3-yarn": "number of tensors",  # no biases
    "olmoe-default": "attn_k_norm.weight",  # as many keys as queries
}
# llama.cpp passes over Phi-3's windows, with a warning; and its contexts, of 256 tokens at least, are all
# beyond the one that LongRoPE's shorter factors are for.
OTHERWISE = {"phi3-longrope", "phi3-short"}

TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


class Parameters(ctypes.Structure):
    """Room for either kind of parameters, which are passed on as they were made."""

    _fields_ = [("bytes", ctypes.c_uint8 * 1024)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embedding", ctypes.c_void_p), ("position", ctypes.POINTER(ctypes.c_int32)),
        ("sequences", ctypes.POINTER(ctypes.c_int32)),
        ("sequence", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


class Engine:
    def __init__(self):
        folder = pathlib.Path(importlib.util.find_spec("xllamacpp").origin).parent
        self.library = ctypes.CDLL(str(next(folder.glob("*.so"))))
        self.lines = []
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.log = kind(lambda level, text, data: self.lines.append(text.decode("utf-8", "replace")))
        self.call("llama_log_set", None, self.log, ctypes.c_void_p())

    def call(self, name, result, *arguments):
        function = getattr(self.library, name)
        function.restype = result
        function.argtypes = [type(argument) for argument in arguments]
        return function(*arguments)

    def load(self, path):
        del self.lines[:]
        parameters = self.call("llama_model_default_params", Parameters)
        model = self.call("llama_model_load_from_file", ctypes.c_void_p,
                          ctypes.c_char_p(str(path).encode()), parameters)
        if not model:
            raise ValueError(next(line for line in self.lines if "error loading" in line).strip())
        return ctypes.c_void_p(model)

    def logits(self, model, ids, vocabulary):
        parameters = self.call("llama_context_default_params", Parameters)
        session = ctypes.c_void_p(
            self.call("llama_init_from_model", ctypes.c_void_p, model, parameters))
        batch = self.call("llama_batch_init", Batch, *map(ctypes.c_int32, (len(ids), 0, 1)))
        batch.count = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.position[i], batch.logits[i] = token, i, 1
            batch.sequences[i], batch.sequence[i][0] = 1, 0
        assert self.call("llama_decode", ctypes.c_int32, session, batch) == 0
        rows = [self.call("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), session,
                          ctypes.c_int32(i)) for i in range(len(ids))]
        return np.array([np.ctypeslib.as_array(row, (vocabulary,)).copy() for row in rows])

    def tokens(self, model, text):
        vocabulary = ctypes.c_void_p(self.call("llama_model_get_vocab", ctypes.c_void_p, model))
        room = (ctypes.c_int32 * (len(text) + 8))()
        count = self.call(
            "llama_tokenize", ctypes.c_int32, vocabulary, ctypes.c_char_p(text),
            ctypes.c_int32(len(text)), ctypes.cast(room, ctypes.POINTER(ctypes.c_int32)),
            ctypes.c_int32(len(room)), ctypes.c_bool(False), ctypes.c_bool(True))
        return list(room[:count])


def add_tokenizer(folder, rows):
    """As many tokens of GPT-2's kind as the model has rows, with one merge."""
    document = json.loads((FIXTURES / "tokenizers/gpt2.json").read_text())
    model = document["model"]
    first = next(merge for merge in model["merges"] if all(len(part) == 1 for part in merge))
    added = [token["content"] for token in document["added_tokens"]]
    letters = [*first, *(token for token in model["vocab"] if len(token) == 1 and token not in first)]
    names = added + letters[: rows - len(added) - 1] + ["".join(first)]
    model["vocab"] = {name: i for i, name in enumerate(names)}
    model["merges"] = [first]
    (folder / "tokenizer.json").write_text(json.dumps(document))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return " ".join(first).encode() + b" " + "".join(first).encode()


def check(engine, ckpt, name, folder):
    shutil.copytree(FIXTURES / "families" / name / "model", folder / "model")
    rows = json.loads((folder / "model/config.json").read_text())["vocab_size"]
    text = add_tokenizer(folder / "model", rows)
    path = folder / "model.gguf"
    made = subprocess.run(
        [ckpt, "convert", folder / "model", "-o", path], capture_output=True, text=True)
    if made.returncode:
        assert "gguf.not_expressible" in made.stderr or "not written as GGUF" in made.stderr, made.stderr
        return "cannot be said"
    try:
        model = engine.load(path)
    except ValueError as error:
        assert NOT_LOADED.get(name, "?") in str(error), error
        return "llama.cpp does not load what its converter writes"
    assert name not in NOT_LOADED
    template = engine.call("llama_model_chat_template", ctypes.c_char_p, model, ctypes.c_char_p())
    assert template.decode() == TEMPLATE
    numbers = load_file(FIXTURES / "families" / name / "numbers.safetensors")
    ids = numbers["input_ids"].reshape(-1).tolist()
    want = numbers["logits"].reshape(len(ids), -1)
    got = engine.logits(model, ids, want.shape[1])
    error = float(np.linalg.norm(got - want) / np.linalg.norm(want))
    assert (error < 5e-3) != (name in OTHERWISE), error
    asked = subprocess.run([ckpt, "tokenize", path, "--json"], input=text, capture_output=True)
    ours = json.loads(asked.stdout)["ids"]
    assert ours == engine.tokens(model, text), ours
    return f"logits within {error:.1e}, {len(ours)} tokens the same"


def main():
    engine, ckpt = Engine(), sys.argv[1]
    every = sorted(path.name for path in (FIXTURES / "families").iterdir() if path.is_dir())
    for name in sys.argv[2:] or every:
        with tempfile.TemporaryDirectory() as folder:
            print(name, check(engine, ckpt, name, pathlib.Path(folder)), sep=": ", flush=True)


main()
