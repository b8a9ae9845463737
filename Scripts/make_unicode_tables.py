#!/usr/bin/env python3
"""Writes the Unicode tables of Sources/Tokenizers: classes and normal forms of PyPI `tokenizers`.

The package's regular expressions run on Oniguruma, its `Digits` and `Whitespace` on Rust's own
tables, its normal forms on a crate of Unicode 9; the Swift library knows other Unicode versions.
So the tables are asked of the package itself, code point by code point.
Usage: make_unicode_tables.py (needs tokenizers).
"""
import os
import textwrap
import unicodedata
import tokenizers
from tokenizers import Regex, normalizers as norm, pre_tokenizers as pre

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
TEXT = "".join(map(chr, POINTS))
BASE32 = "0123456789abcdefghijklmnopqrstuv"


def base32(n):
    return (base32(n // 32) if n >= 32 else "") + BASE32[n % 32]


def write(name, documentation, members):
    """Writes one enum of static strings; `members` maps a name to (documentation, text)."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "Sources", "Tokenizers", name + ".swift"), "w") as out:
        out.write(f"// Written by Scripts/make_unicode_tables.py from PyPI tokenizers "
                  f"{tokenizers.__version__}.\n\n/// {documentation}\nenum {name} {{\n")
        for i, (member, (what, text)) in enumerate(members.items()):
            if isinstance(text, list):
                value = f": [UInt8] = {text}"
            else:
                lines = "\n".join("    " + line + "\\" for line in textwrap.wrap(text, 94))
                value = f' = """\n{lines}\n\n    """'
            gap = "\n" if i else ""
            out.write(f"{gap}  /// {what}\n  static let {member}{value}\n")
        out.write("}\n")


# MARK: Classes

def matched(pattern):
    """Code points that the pattern matches, by Oniguruma."""
    found = set()
    splitter = pre.Split(Regex(pattern), "removed", invert=True)
    for _, (start, end) in splitter.pre_tokenize_str(TEXT):
        found.update(POINTS[start:end])
    return found


def isolated(splitter):
    """Code points that `splitter` cuts off from letters."""
    pieces = splitter.pre_tokenize_str("".join("a" + c for c in TEXT))
    return {POINTS[(a - 1) // 2] for _, (a, b) in pieces if a % 2 == 1 and b == a + 1}


def word():
    """Code points that `Whitespace` (`\\w+|[^\\w\\s]+` in Rust) joins to a word."""
    pieces = pre.Whitespace().pre_tokenize_str("".join("\n" + c + "_" for c in TEXT))
    return {POINTS[a // 3] for _, (a, b) in pieces if a % 3 == 1 and b == a + 2}


def accents():
    strip = norm.StripAccents()
    return {c for c in POINTS if strip.normalize_str(chr(c)) == ""}


def classes():
    write_sets("UnicodeClassTable", "The classes of all code points.", "UnicodeClass", [
        matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s"),
        isolated(pre.Digits(individual_digits=True)), word(), isolated(pre.Punctuation()),
        accents()])
    write_sets("UnicodeKindTable", "The kinds of all code points.", "UnicodeKind", [
        matched(r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"), matched(r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"),
        matched(r"\p{M}"), matched(r"[\p{P}\p{S}]"), matched(r"\p{P}")])


def write_sets(name, documentation, option_set, sets):
    runs = []
    for c in range(0x110000):
        mask = sum(1 << bit for bit, members in enumerate(sets) if c in members)
        if runs and runs[-1][1] == mask:
            runs[-1][0] += 1
        else:
            runs.append([1, mask])
    kinds = sorted({mask for _, mask in runs})
    assert len(kinds) <= 26, kinds
    write(name, documentation, {
        "masks": (f"Sets of classes, as `{option_set}` numbers them.", kinds),
        "runs": ("Runs of code points: a length in base 32, then a letter, which indexes `masks`.",
                 "".join(base32(n) + chr(ord("A") + kinds.index(m)) for n, m in runs))})


# MARK: Normal forms

def decompositions(form, base):
    """Full decompositions by `form` of the characters that `base` leaves alone; no Hangul."""
    table = {}
    for c in POINTS:
        text = form.normalize_str(chr(c))
        if text != base(chr(c)) and not 0xAC00 <= c <= 0xD7A3:
            table[c] = [ord(x) for x in text]
    return table


def spelled(table, composes):
    """Entries `gap[:count],scalar,…` ending in `;` or, where the parts never compose, `!`.

    The gap counts from the end of the entry before. An entry of several code points stands for a
    run, whose first scalar grows along.
    """
    items = sorted(table.items())
    out, end, i = "", 0, 0
    while i < len(items):
        start, parts = items[i]
        n = 1
        while i + n < len(items) and items[i + n] == (start + n, [parts[0] + n] + parts[1:]) \
                and composes(start) == composes(start + n):
            n += 1
        out += base32(start - end) + (":" + base32(n) if n > 1 else "")
        out += "".join("," + base32(x) for x in parts) + (";" if composes(start) else "!")
        end = start + n
        i += n
    return out


def combining_class(c):
    """The class by unicodedata, if the package orders the character at all."""
    value = unicodedata.combining(chr(c))
    nfd = norm.NFD().normalize_str
    if value == 1:
        return value if nfd("a\u0301" + chr(c))[1] == chr(c) else 0
    return value if value and nfd("a" + chr(c) + "\u0334")[1] == "\u0334" else 0


def normal_forms():
    nfd, nfc, nfkd = norm.NFD(), norm.NFC(), norm.NFKD()
    canonical = decompositions(nfd, lambda s: s)
    compatible = decompositions(nfkd, nfd.normalize_str)

    def composes(c):
        return len(canonical[c]) > 1 and nfc.normalize_str(chr(c)) == chr(c)

    combining = {c: n for c in POINTS if (n := combining_class(c))}
    entries = spelled({c: [c, n] for c, n in combining.items()}, lambda _: True)
    what = "Entries `gap[:count],scalar,…` in base 32, see `NormalizationTable`."
    write("CanonicalTable", "Canonical decompositions and combining classes.", {
        "decompositions": (what + " `!` ends one that is not composed.",
                           spelled(canonical, composes)),
        "combining": (what + " The last number is the class.", entries)})
    write("CompatibilityTable", "What compatibility decomposes beyond the canonical.", {
        "decompositions": (what, spelled(compatible, lambda _: True))})


classes()
normal_forms()
