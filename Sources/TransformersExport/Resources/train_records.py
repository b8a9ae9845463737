"""The records of a file, one after another, each with the place where it stands.

A record that is bad by itself comes as the error that it is, so that reading can go on after it.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from train_archives import mds_records, tar_records
from train_bytes import BOM, LIMIT, decoded, no_number, once, opened, parsed, whole
from train_errors import MALFORMED, RESOURCES, BadRecord, DataError

Placed = tuple[str, dict | DataError]
SPACE = re.compile(r"[ \t\r\n]*")


def records(path: str, kind: str, fields: list[str], group: int | None = None) -> Iterator[Placed]:
    """`fields`: of columns, those that are read; all where none of them is there. `group`: the row
    group of a file of columns that is read; None reads all."""
    if kind in ("parquet", "arrow"):
        return _columns(path, kind, fields, group)
    readers = {"jsonl": _lines, "json": _array, "csv": _table, "tsv": _table, "tar": tar_records,
               "mds": mds_records}
    return readers[kind](path, kind)


def group_count(path: str, kind: str) -> int | None:
    """Row groups of a file of columns; None for others, which are read from their start."""
    if kind not in ("parquet", "arrow"):
        return None
    return len(_parquet(path) if kind == "parquet" else _arrow(path))


# MARK: JSON

def _lines(path: str, _: str) -> Iterator[Placed]:
    with opened(path) as file:
        for number, line in enumerate(_bounded_lines(file), 1):
            place = f"line {number}"
            if line is None:
                yield place, DataError(f"{path}: {place}: a line has more than {LIMIT} bytes",
                                       "data.line_too_long", RESOURCES, is_of_one_record=True)
            elif line.strip(b" \t\r\n"):
                yield place, _tried(lambda where, line=line: parsed(decoded(line, where), where),
                                    f"{path}: {place}")


def _bounded_lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines; None for one that is too long."""
    is_first = True
    while line := file.readline(LIMIT + 2):
        is_long = len(line) > LIMIT and not line.endswith(b"\n")
        while is_long and line and not line.endswith(b"\n"):
            line = file.readline(LIMIT)
        yield None if is_long else line.removeprefix(BOM) if is_first else line
        is_first = False


def _tried(read: Callable[[str], dict], place: str) -> dict | DataError:
    try:
        return read(place)
    except DataError as error:
        if not error.is_of_one_record:
            raise
        return error


def _array(path: str, _: str) -> Iterator[Placed]:
    text = decoded(whole(path), path)
    decoder = json.JSONDecoder(object_pairs_hook=once, parse_constant=no_number)

    def fail(reason: str) -> DataError:
        return DataError(f"{path}: not a JSON array of objects: {reason}, after {number} records",
                         "data.bad_json", MALFORMED)

    number, position = 0, SPACE.match(text).end()
    if text[position:position + 1] != "[":
        raise fail("an array was expected")
    position = SPACE.match(text, position + 1).end()
    while text[position:position + 1] != "]":
        if number:
            if text[position:position + 1] != ",":
                raise fail("',' or ']' was expected")
            position = SPACE.match(text, position + 1).end()
        if text[position:position + 1] != "{":
            raise fail("an object was expected")
        try:
            record, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise fail(str(error)) from None
        number += 1
        yield f"record {number}", record
        position = SPACE.match(text, position).end()
    if SPACE.match(text, position + 1).end() != len(text):
        raise fail("something follows the array")


# MARK: Tables

def _table(path: str, kind: str) -> Iterator[Placed]:
    csv.field_size_limit(LIMIT)
    with opened(path) as file:
        lines = (decoded(line if i else line.removeprefix(BOM), path)
                 for i, line in enumerate(file))
        rows = csv.reader(lines, delimiter="," if kind == "csv" else "\t", strict=True)
        try:
            names = next(rows)
            if len(set(names)) < len(names):
                raise DataError(f"{path}: two columns have one name", "data.bad_table")
            for number, cells in enumerate(rows, 1):
                place = f"row {number}"
                if not cells and len(names) > 1:
                    continue
                cells = cells or [""]
                if len(cells) != len(names):
                    yield place, BadRecord(
                        f"{path}: {place}: {len(cells)} cells under {len(names)} names",
                        "data.cell_count")
                else:
                    yield place, dict(zip(names, cells))
        except csv.Error as error:
            raise DataError(f"{path}: {error}", "data.bad_table", MALFORMED) from None


# MARK: Columns

def _columns(path: str, kind: str, fields: list[str], group: int | None) -> Iterator[Placed]:
    groups = _parquet(path) if kind == "parquet" else _arrow(path)
    for index in range(len(groups)) if group is None else [group]:
        row = 0
        for batch in groups.batches(index, fields):
            for record in batch.to_pylist():
                yield f"row group {index}, row {row}", _plain(record)
                row += 1


class _parquet:
    """The row groups of a Parquet file."""

    def __init__(self, path: str):
        from pyarrow import parquet

        self.file = parquet.ParquetFile(path)

    def __len__(self) -> int:
        return self.file.num_row_groups

    def batches(self, group: int, fields: list[str]) -> Iterator:
        """Its rows in pieces."""
        names = _wanted(self.file.schema_arrow.names, fields)
        return self.file.iter_batches(batch_size=1024, row_groups=[group], columns=names)


class _arrow:
    """The record batches of a file of Arrow's, or of a stream, one at a time."""

    def __init__(self, path: str):
        from pyarrow import ipc, memory_map

        self.source = memory_map(path)
        is_file = self.source.read(6) == b"ARROW1"
        self.source.seek(0)
        self.file = ipc.open_file(self.source) if is_file else None
        self.stream, self.next = None, 0

    def __len__(self) -> int:
        return self.file.num_record_batches if self.file else sum(1 for _ in self._opened())

    def batches(self, group: int, fields: list[str]) -> Iterator:
        batch = self.file.get_batch(group) if self.file else self._streamed(group)
        batch = batch.select(_wanted(batch.schema.names, fields))
        return (batch.slice(start, 1024) for start in range(0, batch.num_rows, 1024))

    def _opened(self) -> Iterator:
        from pyarrow import ipc

        self.source.seek(0)
        return iter(ipc.open_stream(self.source))

    def _streamed(self, group: int) -> Any:
        """A stream is read from its start."""
        if self.stream is None or self.next > group:
            self.stream, self.next = self._opened(), 0
        batch = next(islice(self.stream, group - self.next, None))
        self.next = group + 1
        return batch


def _wanted(names: list[str], fields: list[str]) -> list[str]:
    # The error must name those that are there when none is wanted.
    return [name for name in names if name in fields] or names


def _plain(value: Any) -> Any:
    """A value as JSON would have it: a column has every member of each object, a text only those
    that are there."""
    if isinstance(value, dict):
        return {name: _plain(x) for name, x in value.items() if x is not None}
    if isinstance(value, list):
        return [_plain(x) for x in value]
    if isinstance(value, tuple):  # an entry of a map
        return {"key": _plain(value[0]), "value": _plain(value[1])}
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return "0x" + value.hex()
    return value
