#!/usr/bin/env python3
"""Writes fixtures/compression/: one text, compressed with each codec by the reference libraries."""

import gzip
import pathlib
import struct

import cramjam
import pyarrow as pa

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "compression"


def hadoop(text: bytes, cuts: list[list[int]]) -> bytes:
    """The frames of Hadoop's codec: what each makes, and its blocks after their sizes."""
    result, start = b"", 0
    for frame in cuts:
        result += struct.pack(">I", frame[-1] - start)
        for end in frame:
            block = pa.Codec("lz4_raw").compress(text[start:end], asbytes=True)
            result += struct.pack(">I", len(block)) + block
            start = end
    return result


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
        "lz4": hadoop(text, [[1000, 3000], [len(text)]]),
    }
    for name, block in blocks.items():
        (FOLDER / f"{name}.bin").write_bytes(block)


main()
