#!/usr/bin/env python3
"""Writes Sources/Tokenizers/UnicodeClassTable.swift: the character classes of PyPI `tokenizers`.

The package's regular expressions run on Oniguruma and its `Digits`, `Whitespace` on Rust's own
tables; both know other Unicode versions than the Swift library. So the classes are asked of the
package itself, code point by code point.  Usage: make_unicode_tables.py (needs tokenizers).
"""
import os
import textwrap
import tokenizers
from tokenizers import Regex, pre_tokenizers as pre

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, POINTS))


def matched(pattern):
    """Code points that the pattern matches, by Oniguruma."""
    found = set()
    splitter = pre.Split(Regex(pattern), "removed", invert=True)
    for _, (start, end) in splitter.pre_tokenize_str(TEXT):
        found.update(POINTS[start:end])
    return found


def numeric():
    """Code points that `Digits` isolates."""
    text = "".join("a" + c for c in TEXT)
    pieces = pre.Digits(individual_digits=True).pre_tokenize_str(text)
    return {POINTS[(a - 1) // 2] for _, (a, b) in pieces if a % 2 == 1 and b == a + 1}


def word():
    """Code points that `Whitespace` (`\\w+|[^\\w\\s]+` in Rust) joins to a word."""
    text = "".join("." + c + "\n" for c in TEXT)
    return {POINTS[a // 3] for _, (a, _) in pre.Whitespace().pre_tokenize_str(text) if a % 3 == 1}


def punctuation():
    text = "".join("a" + c for c in TEXT)
    pieces = pre.Punctuation().pre_tokenize_str(text)
    return {POINTS[(a - 1) // 2] for _, (a, b) in pieces if a % 2 == 1 and b == a + 1}


CLASSES = [
    matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s"), numeric(), word(), punctuation(),
    matched(r"\p{M}"), matched(r"[\p{Lu}\p{Lt}]"), matched(r"\p{Ll}"),
]
BASE32 = "0123456789abcdefghijklmnopqrstuv"


def base32(n):
    return (base32(n // 32) if n >= 32 else "") + BASE32[n % 32]


def main():
    masks = [0] * 0x110000
    for bit, members in enumerate(CLASSES):
        for c in members:
            masks[c] |= 1 << bit
    runs = []
    for mask in masks:
        if runs and runs[-1][1] == mask:
            runs[-1][0] += 1
        else:
            runs.append([1, mask])
    kinds = sorted({mask for _, mask in runs})
    assert len(kinds) <= 26, kinds
    text = "".join(base32(n) + chr(ord("A") + kinds.index(m)) for n, m in runs)
    lines = "\n".join("    " + line + "\\" for line in textwrap.wrap(text, 94))
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(here, "..", "Sources", "Tokenizers", "UnicodeClassTable.swift")
    with open(path, "w") as out:
        out.write(f'''// Written by Scripts/make_unicode_tables.py from PyPI tokenizers {tokenizers.__version__}.

/// The classes of all code points as runs: a length in base 32, then a letter, which is an index
/// into `masks`.
enum UnicodeClassTable {{
  static let masks: [UInt16] = [
    {", ".join(map(str, kinds))},
  ]

  static let runs = """
{lines}

    """
}}
''')
    print(len(runs), "runs", len(text), "bytes", kinds)


main()
