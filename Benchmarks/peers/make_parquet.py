"""Writes Parquet files of texts into a folder; prints their names as JSON.

    make_parquet.py FOLDER
"""

import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def texts(count: int = 60_000) -> pa.Table:
    """Texts of 50 to 600 words, which are as frequent as a language's."""
    random = np.random.default_rng(1)
    letters = list("etaoinshrdlucmfw")
    words = ["".join(random.choice(letters, random.integers(2, 10))) for _ in range(20_000)]
    weights = 1 / np.arange(1, len(words) + 1)
    weights /= weights.sum()
    chosen = [random.choice(len(words), random.integers(50, 600), p=weights) for _ in range(count)]
    return pa.table({"text": [" ".join(words[i] for i in row) for row in chosen]})


def main(folder: str) -> None:
    table, paths = texts(), {}
    plain = {"use_dictionary": False}
    for name, options in {
        "uncompressed": {"compression": "none"}, "snappy": {"compression": "snappy"},
        "zstd": {"compression": "zstd"}, "gzip": {"compression": "gzip"},
        "brotli": {"compression": "brotli"}, "lz4": {"compression": "lz4"},
        "snappy, plain": {"compression": "snappy", **plain},
        "zstd, deltas": {
            "compression": "zstd", "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}, **plain},
    }.items():
        paths[name] = f"{folder}/{name.replace(', ', '-')}.parquet"
        pq.write_table(table, paths[name], row_group_size=10_000, **options)
    print(json.dumps(paths))


main(sys.argv[1])
