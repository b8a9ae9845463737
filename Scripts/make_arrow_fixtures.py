#!/usr/bin/env python3
"""Writes fixtures/arrow/ with pyarrow, the reference implementation.

  NAME.arrow, NAME.arrows    tables as Arrow files and streams, plain and compressed
  NAME.jsonl                 the rows of the tables, as JSON
"""

import pathlib
import sys

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import make_parquet_fixtures as parquet  # noqa: E402

FOLDER = parquet.FOLDER.parent / "arrow"


def write(table: pa.Table, name: str, file: bool = True, compression: str | None = None,
          rows: int = 50) -> None:
    options = pa.ipc.IpcWriteOptions(
        compression=compression, emit_dictionary_deltas=not file)
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(FOLDER / f"{name}.arrow{'' if file else 's'}", table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)


def types() -> pa.Table:
    """The types of the Parquet fixture, and those that only Arrow has."""
    table = parquet.types()
    more = {
        "view": pa.array(["short", "longer than twelve bytes", None], pa.string_view()),
        "large_binary": pa.array([b"x", None, b""], pa.large_binary()),
        "large_list": pa.array([[1], None, [2, 3]], pa.large_list(pa.int64())),
        "fixed_list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int16(), 2)),
        "half_list": pa.array([[1.5], [], None], pa.list_(pa.float32())),
        "flag": pa.array([True, None, False]),
    }
    for name, column in more.items():
        table = table.append_column(name, column)
    return table


def dictionaries() -> pa.Table:
    """Batches whose dictionary grows."""
    words = pa.array(["a", "b", "cc", None, "ddd"])
    kind = pa.dictionary(pa.int8(), pa.string())
    chunks = [pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), words[:count])
              for indices, count in [([0, 1, None, 1], 2), ([2, 0, 3], 4), ([4, 4], 5)]]
    return pa.table({"word": pa.chunked_array(chunks, kind)})


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(14)
    tables = {"records": parquet.records(random), "nested": parquet.nested(random), "types": types()}
    for name, table in tables.items():
        parquet.dump(table, name, FOLDER)
        write(table, name)
        write(table, name, file=False)
        write(table, f"{name}-lz4", compression="lz4")
        write(table, f"{name}-zstd", file=False, compression="zstd")
    parquet.dump(dictionaries(), "dictionaries", FOLDER)
    write(dictionaries(), "dictionaries", file=False)
    write(pa.table({"n": pa.array([7], pa.int32())}), "small", file=False)


main()
