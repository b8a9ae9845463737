#!/usr/bin/env python3
"""Writes inputs for fuzzers to start from that are no files of fixtures/.

    Fuzz/make_seeds.py chat|training FOLDER
"""

import json
import pathlib
import struct
import sys

IDS = [1, 2, 3, 0, 999, 7, 7, 0]


def chat():
    templates = json.loads(pathlib.Path("fixtures/chat/templates.json").read_text())["templates"]
    return {name: text.encode() for name, text in templates.items()}


def training():
    """Recipes, and the same token ids in every kind of file that has no end of its own."""
    recipes = [*pathlib.Path("Scripts").glob("*.yaml"), *pathlib.Path("fixtures").glob("**/*.yaml")]
    seeds = {path.name: path.read_bytes() for path in recipes}
    narrow, wide = struct.pack("<8H", *IDS), struct.pack("<8I", *IDS)
    for name, kind, data in [("u2", "<u2", narrow), ("u4", "<u4", wide), ("i8", "<i8", struct.pack("<8q", *IDS))]:
        head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (8,), }}"
        head += " " * (-(len(head) + 11) % 64) + "\n"
        seeds[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data
    for magic, data in [(20240520, narrow), (20240801, wide)]:
        seeds[f"{magic}.shard"] = struct.pack("<256I", magic, 1, len(IDS), *[0] * 253) + data
    seeds["ids.bin"] = narrow
    seeds["ids.cache"] = b"ckpttok1" + bytes(32) + wide + struct.pack("<3Q", len(IDS), 2, 0)
    return seeds


def main():
    kind, folder = sys.argv[1:]
    for name, content in {"chat": chat, "training": training}[kind]().items():
        (pathlib.Path(folder) / name).write_bytes(content)


if __name__ == "__main__":
    main()
