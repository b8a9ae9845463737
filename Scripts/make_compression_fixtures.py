#!/usr/bin/env python3
"""Writes fixtures/compression/: one text, compressed with each codec by the reference libraries."""

import gzip
import pathlib

import cramjam
import pyarrow as pa

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "compression"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{i} times {i % 7}\n" for i in range(400)).encode()
    blocks = {
        "gzip": gzip.compress(text, mtime=0),
        "zstd": pa.Codec("zstd").compress(text, asbytes=True),
        "snappy": pa.Codec("snappy").compress(text, asbytes=True),
        "brotli": pa.Codec("brotli").compress(text, asbytes=True),
        "lz4-frame": pa.Codec("lz4").compress(text, asbytes=True),
        "lz4-block": bytes(cramjam.lz4.compress_block(text, store_size=False)),
    }
    for name, block in blocks.items():
        (FOLDER / f"{name}.bin").write_bytes(block)


main()
