#!/usr/bin/env python3
"""Writes fixtures/sentencepiece: small tokenizer.model files of every kind, and what they make of texts.

PyPI `sentencepiece` trains each on generated text and encodes the texts: `expected.json` has the texts
and, for each model, their ids. `folders.json` has what transformers makes of texts in folders with a
tokenizer_config.json.  Usage: make_sentencepiece_fixtures.py (needs sentencepiece, protobuf and
transformers).
"""
import io
import json
import random
import shutil
import tempfile
from pathlib import Path

import sentencepiece
from make_tokenizer_fixtures import mixed_text, words
from sentencepiece import sentencepiece_model_pb2 as proto
from transformers import AutoTokenizer

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "sentencepiece"
USER = ["<ud>", "ing", "\u2581\u2581", "\u2581\u2581\u2581", "\n\n", "<|im_end|>", "\u5b57"]
WHOLE = dict(remove_extra_whitespaces=False)
MODELS = {
    "bpe": dict(model_type="bpe"),
    "bpe_bytes": dict(model_type="bpe", byte_fallback=True, **WHOLE),
    "bpe_no_prefix": dict(model_type="bpe", byte_fallback=True, add_dummy_prefix=False, **WHOLE),
    "bpe_user": dict(model_type="bpe", byte_fallback=True, user_defined_symbols=USER,
                     control_symbols=["<ctl>", "[INST]"], pad_id=3, **WHOLE),
    "bpe_user_trimmed": dict(model_type="bpe", user_defined_symbols=USER),
    "bpe_phrases": dict(model_type="bpe", byte_fallback=True, split_by_whitespace=False, **WHOLE),
    "unigram": dict(model_type="unigram"),
    "unigram_bytes": dict(model_type="unigram", byte_fallback=True, control_symbols=["<ctl>"], **WHOLE),
    "unigram_no_prefix": dict(model_type="unigram", add_dummy_prefix=False),
    "unigram_phrases": dict(model_type="unigram", split_by_whitespace=False, **WHOLE),
}
REFUSED = {
    "unigram_user": dict(model_type="unigram", user_defined_symbols=USER),
    "char": dict(model_type="char"),
    "suffix": dict(model_type="bpe", treat_whitespace_as_suffix=True),
    "spaced": dict(model_type="bpe", user_defined_symbols=["a b"]),
}
LLAMA = dict(tokenizer_class="LlamaTokenizer", legacy=False)
FOLDERS = [
    ("bpe_bytes", LLAMA | dict(add_bos_token=True)),
    ("bpe_bytes", LLAMA | dict(add_eos_token=True)),
    ("bpe_bytes", dict(tokenizer_class="TokenizersBackend", add_bos_token=True)),
    ("bpe_no_prefix", dict(tokenizer_class="TokenizersBackend")),
]
PARTS = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "a", "b", "aa", "ab", "aaa", "-", ".", "...", "===",
         "hello", " the", " loop", "\u00e9", "\u65e5\u672c\u8a9e", "\u5b57", "\U0001F600",
         "\U0001F44D\U0001F3FD", "e\u0301", "\u3000", "\u00a0", "<ud>", "<ctl>", "<s>", "</s>", "<unk>",
         "<|im_end|>", "[INST]", "ing", "\u2581", "\u2581\u2581", "def f(x)", "0", "12", "<0x41>", "\u200b",
         "\u0645\u0631\u062d\u0628\u0627", "\uac00"]


def corpus():
    rng = random.Random(5)
    lines = [words(rng, 12) for _ in range(150)]
    lines += ["def f(x): return x**2  # loop", "aaaa abab ababab aaa aa bbb --- ==== ....... ababa",
              "\u65e5\u672c\u8a9e\u306e \u6587\u7ae0\u3002", "the loop is going 12 34 567"] * 12
    return lines


def texts():
    rng = random.Random(6)
    fixed = ["", " ", "  ", "\u2581", " \u2581 ", "a", " a", "a ", "  two  spaces  ", "\u2581a", "hello<ud>the <ud>"]
    mixed = mixed_text(9, 2500).decode("utf-8", "replace")
    return (fixed + ["".join(rng.choices(PARTS, k=rng.randint(1, 25))) for _ in range(70)]
            + ["".join(rng.choices("ab -.=", k=rng.randint(1, 40))) for _ in range(30)]
            + [mixed])


def train(**options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=out, vocab_size=420, minloglevel=2,
        num_threads=1, hard_vocab_limit=False,
        **{"normalization_rule_name": "identity", **options})
    return out.getvalue()


def in_folder(model, config, examples):
    """The ids by transformers, with the special tokens named."""
    names = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(FOLDER / f"{model}.model", f"{folder}/tokenizer.model")
        Path(folder, "tokenizer_config.json").write_text(json.dumps(names | config))
        tokenizer = AutoTokenizer.from_pretrained(folder)
        ids = [tokenizer.encode(text) for text in examples]
    return dict(model=model, config=json.dumps(config), texts=examples, ids=ids)


def main():
    FOLDER.mkdir(exist_ok=True)
    examples = texts()
    encoded = {}
    for name, options in MODELS.items():
        model = proto.ModelProto()
        model.ParseFromString(train(**options))
        # Where the trainer ran is no part of the fixture.
        model.trainer_spec.ClearField("model_prefix")
        data = model.SerializeToString()
        (FOLDER / f"{name}.model").write_bytes(data)
        processor = sentencepiece.SentencePieceProcessor(model_proto=data)
        encoded[name] = [processor.encode(text) for text in examples]
    for name, options in REFUSED.items():
        (FOLDER / f"refused_{name}.model").write_bytes(train(**options))
    # The rules of nmt_nfkc take 240 KB: here a few bytes stand for them.
    model = proto.ModelProto()
    model.ParseFromString((FOLDER / "bpe.model").read_bytes())
    model.normalizer_spec.name = "nmt_nfkc"
    model.normalizer_spec.precompiled_charsmap = b"\x04\x00\x00\x00\x00\x00\x00\x00"
    (FOLDER / "refused_charsmap.model").write_bytes(model.SerializeToString())
    special = ["<s>a b</s> c", "<s> a", " <s>a", "x<unk>y  ", "[INST] hi [/INST]</s>\u2581<s>the"]
    folders = [in_folder(*each, examples[:40] + special) for each in FOLDERS]
    (FOLDER / "folders.json").write_text(json.dumps(folders, separators=(",", ":")) + "\n")
    text = json.dumps({"texts": examples, "ids": encoded}, separators=(",", ":"), ensure_ascii=True)
    (FOLDER / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
