#!/usr/bin/env python3
"""Writes fixtures/tokenizers: small tokenizers of every kind, a mixed text, and its tokens.

PyPI `tokenizers` trains each tokenizer on generated text with the real splitting rules of the
model family it is named after, and encodes the mixed text; `NAME.ids` holds the ids as
little-endian 16-bit numbers, `decoded.sha256` the digest of the text they decode to.  Usage: make_tokenizer_fixtures.py (needs tokenizers).
"""
import hashlib
import json
import os
import random
import struct
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pre, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "fixtures", "tokenizers")
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
LLAMA3 = WORDS + r"|\p{N}{1,3}" + TAIL
QWEN2 = WORDS + r"|\p{N}" + TAIL

SYLLABLES = "ka to mi ren sol var dex pli ono est ing er an th ou qu st tion al ic".split()
SCRIPTS = [
    (0x4E00, 0x9FA5), (0x3041, 0x30FE), (0xAC00, 0xD7A3), (0x0621, 0x06D3), (0x05D0, 0x05EA),
    (0x0410, 0x044F), (0x0391, 0x03C9), (0x0905, 0x0939), (0x0E01, 0x0E2E), (0x1F300, 0x1F64F),
    (0x1F900, 0x1F9FF), (0xC0, 0x24F), (0x1E00, 0x1EFF), (0x300, 0x36F), (0x93E, 0x94D),
    (0x660, 0x669), (0x2160, 0x2188), (0x2070, 0x209C), (0x2000, 0x206F), (0xFF01, 0xFF9F),
    (0x1D400, 0x1D7FF), (0x20000, 0x2A6DF), (0x1100, 0x11FF), (0xFB00, 0xFB4F), (0xE000, 0xE0FF),
    (0xE0100, 0xE01EF), (0x0, 0x7F), (0x80, 0xBF),
]
CODE = ["def f(x):\n\treturn x**2 + {n}\n", "if (a[{n}] != b->c) {{ goto end; }}\r\n",
        "    for i in range({n}):  # loop\n        pass\n\n", "let s = \"\\u{{{n}}}\";\n",
        "<div class='x{n}'>&amp;</div>\n", "SELECT * FROM t WHERE id={n};\n", "0x{n:X}, {n}.{n}e-{n}\n"]
PARTS = ["don't", "WE'LL", "I'm", "you'Re", "it's", "'S", "they'd've", "'\u017f", "\u2019s", "x'll",
         "e\u0301a\u0308", "\u00e9\u00e4", "\u1e9b\u0323", "\u0344", "\u2126", "\u212b", "\uac00\u11a8",
         "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F44D\U0001F3FD", "\U0001F1E9\U0001F1EA",
         "\ufb01ne", "\u200b", "\u00a0", "\u3000", "\u2028", "\u0085", "\ufeff", "\u202eabc\u202c",
         "<|im_start|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<|user|>", "[MASK]", "\u2581", "\u2581\u2581x"]
SPACES = [" ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", " \t ", " \n", "\n ", "        ",
          "\u00a0", " \u3000", "\x0b", "\x0c", "\r", "     \n   \n  "]


def words(rng, n):
    return " ".join("".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(n))


def mixed_text(seed, size):
    """Code, many scripts, emoji, marks, white space of every kind, and bytes that are no UTF-8."""
    rng = random.Random(seed)
    out = bytearray()
    while len(out) < size:
        kind = rng.randrange(9)
        if kind <= 1:
            piece = words(rng, rng.randint(1, 12)).encode()
            piece = rng.choice([piece, piece.title(), piece.upper(), piece])
        elif kind == 2:
            piece = rng.choice(CODE).format(n=rng.randrange(10 ** rng.randint(1, 9))).encode()
        elif kind == 3:
            low, high = rng.choice(SCRIPTS)
            piece = "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 12))).encode()
        elif kind == 4:
            piece = rng.choice(PARTS).encode()
        elif kind == 5:
            piece = str(rng.randrange(10 ** rng.randint(1, 14))).encode()
        elif kind == 6:
            piece = "".join(rng.choices("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", k=rng.randint(1, 9))).encode()
        elif kind == 7:
            piece = rng.choice(SPACES).encode()
        else:
            piece = bytes(rng.randrange(0x80, 0x100) for _ in range(rng.randint(1, 4)))
            piece += rng.choice([b"", "\u20ac".encode()[:2], "\U0001F600".encode()[:3]])
        out += piece + rng.choice([b"", b"", rng.choice(SPACES).encode(), b" "])
    return bytes(out)


def corpus(mixed=60000):
    rng = random.Random(7)
    lines = [words(rng, 30) + rng.choice(CODE).format(n=rng.randrange(10000)) for _ in range(400)]
    return lines + [mixed_text(8, mixed).decode("utf-8", "replace")]


def byte_level(pre_tokenizer, normalizer=None, specials=("<|im_start|>", "<|im_end|>"), **bpe):
    tokenizer = Tokenizer(models.BPE(**bpe))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=900, special_tokens=list(specials), show_progress=False,
        initial_alphabet=pre.ByteLevel.alphabet()))
    return tokenizer


def split(pattern):
    return pre.Sequence([pre.Split(Regex(pattern), "isolated"),
                         pre.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2():
    tokenizer = byte_level(pre.ByteLevel(add_prefix_space=False), specials=["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def llama3():
    tokenizer = byte_level(split(LLAMA3), specials=["<|begin_of_text|>", "<|im_end|>"])
    tokenizer = edited(tokenizer, ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair=None,
                                      special_tokens=[("<|begin_of_text|>", 0)])])
    return tokenizer


def qwen2():
    tokenizer = byte_level(split(QWEN2), normalizers.NFC())
    tokenizer.add_tokens([AddedToken("\u00e9\u00e4", normalized=True), AddedToken("<|user|>", rstrip=True)])
    return tokenizer


def smollm2():
    """Byte characters are missing, as in the real vocabulary: such bytes vanish."""
    tokenizer = byte_level(pre.Sequence([
        pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)]))
    document = json.loads(tokenizer.to_str())
    model = document["model"]
    missing = {chr(c) for c in [*range(0xF5, 0x100), 0xC0, 0xC1, 0xF1, 0xF2]} | {"\u0104", "\u0106"}
    names = [t for t in sorted(model["vocab"], key=model["vocab"].get) if not missing & set(t)]
    model["vocab"] = {t: i for i, t in enumerate(names)}
    model["merges"] = [m for m in model["merges"] if not missing & set("".join(m))]
    for token in document["added_tokens"]:
        token["id"] = model["vocab"][token["content"]]
    return Tokenizer.from_str(json.dumps(document))


def olmo2():
    words = pre.Split(Regex(LLAMA3), "removed", invert=True)
    tokenizer = byte_level(pre.Sequence([words, pre.ByteLevel(add_prefix_space=False, use_regex=False)]),
                           specials=[])
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", normalized=False)])
    tokenizer.add_tokens([AddedToken(" " * n, normalized=False) for n in (4, 8)])
    tokenizer.add_special_tokens([AddedToken("<|im_start|>", lstrip=True), AddedToken("[MASK]", lstrip=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken("ono", single_word=True)])
    return tokenizer


def sentencepiece_bpe(normalizer, pre_tokenizer, decoder):
    """Llama 2's model: characters, byte tokens for those outside the vocabulary."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trained = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    trained.pre_tokenizer = pre.Metaspace()
    trained.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=1200, special_tokens=specials, show_progress=False, limit_alphabet=150))
    model = json.loads(trained.to_str())["model"]
    tokenizer.model = models.BPE(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]],
                                 unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in specials[:3]])
    tokenizer.decoder = decoder
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair=None, special_tokens=[("<s>", 1), ("</s>", 2)])
    return tokenizer


def llama2():
    """The older spelling: the normalizer writes the marks."""
    return sentencepiece_bpe(
        normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]), None,
        decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                           decoders.Strip(" ", 1, 0)]))


def mistral():
    """The newer spelling: the pre-tokenizer writes the marks, in front of the first text only."""
    return sentencepiece_bpe(
        None, pre.Metaspace("\u2581", "first", False),
        decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
                           decoders.Strip(" ", 1, 0)]))


def gemma():
    """No mark in front; the split at spaces finds none; line ends are tokens of their own. As in files
    that transformers made of SentencePiece's, every pair that spells a token merges, at its score."""
    tokenizer = sentencepiece_bpe(
        normalizers.Replace(" ", "\u2581"), pre.Split(" ", "merged_with_previous"),
        decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]))
    vocab = json.loads(tokenizer.to_str())["model"]["vocab"]
    merges = [(piece[:i], piece[i:]) for piece in sorted(vocab, key=vocab.get) if vocab[piece] >= 259
              for i in sorted(range(1, len(piece)), key=lambda i: vocab.get(piece[:i], 0))
              if piece[:i] in vocab and piece[i:] in vocab]
    tokenizer.model = models.BPE(
        vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer.add_tokens([AddedToken("\n" * n, normalized=False) for n in (2, 3)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair=None, special_tokens=[("<s>", 1)])
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(True, True)])
    tokenizer.pre_tokenizer = pre.Metaspace()
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    tokenizer.train_from_iterator(corpus(3000), trainers.UnigramTrainer(
        vocab_size=900, special_tokens=specials, unk_token="<unk>", show_progress=False))
    tokenizer.add_special_tokens(["[MASK]"])
    document = json.loads(tokenizer.to_str())
    document["model"]["byte_fallback"] = True
    document["added_tokens"] = [t for t in document["added_tokens"] if not t["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return tokenizer


def unigram_plain():
    """Without byte fallback, over text in lower case without accents, split at every border."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
    tokenizer.pre_tokenizer = pre.Sequence([pre.Whitespace(), pre.Punctuation(), pre.Metaspace()])
    tokenizer.train_from_iterator(corpus(3000), trainers.UnigramTrainer(
        vocab_size=500, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
LEAD = r"[^\r\n\p{L}\p{N}]?"
SLASHES = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"


def cased(contractions, number):
    words = f"{LEAD}{UPPER}*{LOWER}+{contractions}|{LEAD}{UPPER}+{LOWER}*{contractions}|"
    return byte_level(split(words + number + SLASHES))


def tekken():
    return cased("", r"\p{N}")


def o200k():
    return cased(CONTRACTIONS, r"\p{N}{1,3}")


def cl100k():
    return byte_level(split(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"))


def splits(*patterns):
    """Isolates each expression's matches in turn, as DeepSeek's files do."""
    return byte_level(pre.Sequence(
        [pre.Split(Regex(pattern), "isolated") for pattern in patterns]
        + [pre.ByteLevel(add_prefix_space=False, use_regex=False)]))


def deepseek3():
    """DeepSeek V3 and R1."""
    return splits(
        r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


# Letters of cased scripts, as DeepSeek's first models list them.
CASED = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f"
    "\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77"
    "\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb"
    "\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128"
    "\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4"
    "\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    "\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943")
HAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"


def deepseek():
    """DeepSeek LLM and V2."""
    return splits(
        "[\r\n]", r"\s?[" + CASED + "]+",
        "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+", r"\s+$", HAN, r"\p{N}+")


def deepseek_coder():
    return splits("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}")


def falcon():
    """Steps behind ByteLevel look at the stand-ins, where a byte may print as a number."""
    return byte_level(pre.Sequence([
        pre.Punctuation("contiguous"), pre.ByteLevel(add_prefix_space=False),
        pre.Digits(individual_digits=False), pre.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))


def qwen35():
    """Qwen 3.5: marks count with letters."""
    return splits(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
        r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def possessive():
    """cl100k, every run of it possessive, and contractions spelled out in both cases."""
    return splits(
        r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?+\p{L}++"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")


def edited(tokenizer, **fields):
    document = json.loads(tokenizer.to_str())
    document["model"].update(fields)
    return Tokenizer.from_str(json.dumps(document))


KINDS = {f.__name__: f for f in (
    gpt2, llama3, qwen2, smollm2, olmo2, llama2, mistral, gemma, unigram, unigram_plain,
    tekken, o200k, cl100k, deepseek3, deepseek, deepseek_coder, falcon, qwen35, possessive)}


def main():
    os.makedirs(FOLDER, exist_ok=True)
    text = mixed_text(1, 40000)
    open(os.path.join(FOLDER, "mixed.txt"), "wb").write(text)
    digests = []
    for name, make in KINDS.items():
        tokenizer = make()
        path = os.path.join(FOLDER, name + ".json")
        tokenizer.save(path, pretty=False)
        ids = tokenizer.encode(text.decode("utf-8", "replace"), add_special_tokens=False).ids
        open(os.path.join(FOLDER, name + ".ids"), "wb").write(struct.pack(f"<{len(ids)}H", *ids))
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        digests.append(f"{hashlib.sha256(decoded.encode()).hexdigest()}  {name}\n")
        print(name, tokenizer.get_vocab_size(), "tokens", len(ids), "ids", os.path.getsize(path), "bytes")
    open(os.path.join(FOLDER, "decoded.sha256"), "w").write("".join(digests))


if __name__ == "__main__":
    main()
