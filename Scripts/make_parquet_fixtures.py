#!/usr/bin/env python3
"""Writes fixtures/parquet/ with pyarrow, the reference implementation.

  NAME.parquet            a file of each encoding, codec, page version and nesting
  records.jsonl           the rows of the files whose columns are those of `records`, as JSON
  types.jsonl, nested.jsonl    the rows of the files of these names
  by-PROGRAM.parquet      the rows of others.jsonl, written by DuckDB, Polars and fastparquet
  small.parquet           the example of formats/parquet.md
"""

import json
import pathlib

import duckdb
import fastparquet
import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "parquet"
WORDS = "the of a sum is and seven nine — naïve 字 ab".split()


def sentence(random: np.random.Generator, words: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(words))


def write(table: pa.Table, name: str, **options: object) -> None:
    pq.write_table(table, FOLDER / f"{name}.parquet", **{"write_statistics": False, **options})


def dump(table: pa.Table, name: str, folder: pathlib.Path = FOLDER) -> None:
    """Rows as JSON, a line each; values that JSON cannot say as this reader shows them."""

    def plain(value: object) -> object:
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                return "0x" + value.hex()
        if isinstance(value, dict):
            return {key: plain(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return {"key": plain(value[0]), "value": plain(value[1])}
        if isinstance(value, list):
            return [plain(v) for v in value]
        return value

    lines = [json.dumps(plain(row), ensure_ascii=False) for row in table.to_pylist()]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def records(random: np.random.Generator, rows: int = 120) -> pa.Table:
    """Columns that every encoding applies to, with missing values."""
    gap = lambda value: None if random.random() < 0.2 else value
    return pa.table({
        "id": pa.array(range(rows), pa.int64()),
        "small": pa.array([gap(int(v)) for v in random.integers(-99, 99, rows)], pa.int32()),
        "big": pa.array([gap(int(v)) for v in random.integers(-(2**62), 2**62, rows)], pa.int64()),
        "text": pa.array([gap(sentence(random, int(random.integers(0, 9)))) for _ in range(rows)]),
        "word": pa.array([gap(str(random.choice(WORDS))) for _ in range(rows)]),
        "single": pa.array([gap(int(v) / 4) for v in random.integers(-99, 99, rows)], pa.float32()),
        "double": pa.array([gap(int(v) / 8) for v in random.integers(-99, 99, rows)], pa.float64()),
        "flag": pa.array([gap(bool(v)) for v in random.integers(0, 2, rows)]),
    })


def nested(random: np.random.Generator, rows: int = 60) -> pa.Table:
    gap = lambda value, share=0.15: None if random.random() < share else value
    some = lambda make, most: [make() for _ in range(random.integers(0, most))]
    message = lambda: gap({
        "role": str(random.choice(["user", "assistant"])), "content": gap(sentence(random, 4))})
    message_type = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.table({
        "messages": pa.array([gap(some(message, 5)) for _ in range(rows)], pa.list_(message_type)),
        "tokens": pa.array([gap(some(lambda: int(random.integers(0, 999)), 9)) for _ in range(rows)],
                           pa.list_(pa.field("item", pa.int32(), nullable=False))),
        "deep": pa.array(
            [gap(some(lambda: gap(some(lambda: gap(some(lambda: gap(1), 3)), 3)), 3))
             for _ in range(rows)], pa.list_(pa.list_(pa.list_(pa.int8())))),
        "info": pa.array(
            [gap({"a": gap(1), "b": gap({"c": gap("x"), "d": some(lambda: gap("y"), 3)})})
             for _ in range(rows)],
            pa.struct([("a", pa.int16()), ("b", pa.struct(
                [("c", pa.string()), ("d", pa.list_(pa.string()))]))])),
        "map": pa.array([gap(some(lambda: (str(random.choice(WORDS)), gap(2)), 3)) for _ in range(rows)],
                        pa.map_(pa.string(), pa.int64())),
        "required": pa.array([[{"n": i}] for i in range(rows)], pa.list_(
            pa.field("element", pa.struct([pa.field("n", pa.int32(), nullable=False)]),
                     nullable=False))),
    }, schema=pa.schema([
        ("messages", pa.list_(message_type)),
        ("tokens", pa.list_(pa.field("item", pa.int32(), nullable=False))),
        ("deep", pa.list_(pa.list_(pa.list_(pa.int8())))),
        ("info", pa.struct([("a", pa.int16()), ("b", pa.struct(
            [("c", pa.string()), ("d", pa.list_(pa.string()))]))])),
        ("map", pa.map_(pa.string(), pa.int64())),
        pa.field("required", pa.list_(pa.field("element", pa.struct(
            [pa.field("n", pa.int32(), nullable=False)]), nullable=False)), nullable=False),
    ]))


def types() -> pa.Table:
    return pa.table({
        "i8": pa.array([-128, 127, None], pa.int8()),
        "u8": pa.array([0, 255, None], pa.uint8()),
        "i16": pa.array([-32768, 32767, None], pa.int16()),
        "u16": pa.array([0, 65535, None], pa.uint16()),
        "i32": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
        "u32": pa.array([0, 2**32 - 1, None], pa.uint32()),
        "i64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "u64": pa.array([0, 2**64 - 1, None], pa.uint64()),
        "f16": pa.array(np.array([1.5, -0.25, 65504], np.float16)),
        "bytes": pa.array([b"abc", b"\xff\x00", None], pa.binary()),
        "fixed": pa.array([b"abc", b"\xff\x00\x01", None], pa.binary(3)),
        "large": pa.array(["x", "", None], pa.large_string()),
        "none": pa.nulls(3),
        "dictionary": pa.array(["p", "q", "p"]).dictionary_encode(),
    })


def write_records(random: np.random.Generator) -> None:
    table = records(random)
    dump(table, "records")
    plain = {"use_dictionary": False, "compression": "none"}
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        write(table, f"codec-{codec}", compression=codec)
    write(table, "pages-v2", data_page_version="2.0", compression="zstd", write_page_checksum=True)
    write(table, "pages-v2-plain", data_page_version="2.0", **plain)
    write(table, "checksums", write_page_checksum=True, compression="snappy")
    write(table, "statistics", write_statistics=True, write_page_index=True)
    write(table, "groups", row_group_size=50, data_page_size=64, max_rows_per_page=20)
    write(table, "plain", **plain)
    for name, encoding, columns in [
        ("delta-binary", "DELTA_BINARY_PACKED", ["id", "small", "big"]),
        ("delta-length", "DELTA_LENGTH_BYTE_ARRAY", ["text", "word"]),
        ("delta-strings", "DELTA_BYTE_ARRAY", ["text", "word"]),
        ("split", "BYTE_STREAM_SPLIT", ["id", "small", "big", "single", "double"]),
        ("rle-booleans", "RLE", ["flag"]),
    ]:
        write(table, name, column_encoding={c: encoding for c in columns}, **plain)
        if name != "split":
            write(table, name + "-v2", column_encoding={c: encoding for c in columns},
                  data_page_version="2.0", **plain)


def write_others() -> None:
    table = pa.table({
        "n": pa.array([*range(40)], pa.int64()),
        "text": pa.array([None if i % 7 == 3 else f"row {i // 3} says {i % 3}" for i in range(40)]),
    })
    dump(table, "others")
    polars.from_arrow(table).write_parquet(FOLDER / "by-polars.parquet", row_group_size=16)
    duckdb.sql(f"COPY (FROM \"table\") TO '{FOLDER}/by-duckdb.parquet' (COMPRESSION zstd)")
    fastparquet.write(
        str(FOLDER / "by-fastparquet.parquet"), table.to_pandas(), compression="GZIP",
        object_encoding="utf8")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(14)
    write_records(random)
    table = nested(random)
    dump(table, "nested")
    write(table, "nested")
    write(table, "nested-v2", data_page_version="2.0", compression="zstd")
    write(table, "nested-pages", data_page_size=32, max_rows_per_page=7, row_group_size=25)
    write(table, "nested-plain", use_dictionary=False, compression="none",
          use_compliant_nested_type=False)
    dump(types(), "types")
    write(types(), "types")
    write(types(), "types-v1", version="1.0", use_dictionary=False)
    write_others()
    small = pa.table({"text": ["1+1=2", None]})
    write(small, "small", compression="none", store_schema=False, use_dictionary=False)


if __name__ == "__main__":
    main()
