"""Records of containers: WebDataset's tar archives, and shards of MosaicML's streaming."""

import json
import tarfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from train_bytes import LIMIT, decoded, opened, parsed, whole
from train_errors import RESOURCES, BadRecord, DataError
from train_kinds import is_mds

Placed = tuple[str, dict | DataError]
INTEGERS = {"int": "<i8", "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
            "uint8": "<u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8"}
# Numbers of the types in arrays that say theirs.
CODES = {8: "uint8", 9: "int8", 16: "uint16", 17: "int16", 32: "uint32", 33: "int32",
         64: "uint64", 65: "int64"}


def tar_records(path: str, _: str) -> Iterator[Placed]:
    """Members whose names are alike up to the first point are a record: `.txt` is its text, the
    members of the object in `.json` are fields themselves."""
    key, record = "", {}
    with opened(path) as file, tarfile.open(fileobj=file, mode="r|") as archive:
        for member in archive:
            start = member.name.rfind("/") + 1
            base, _, field = member.name[start:].partition(".")
            if not member.isfile() or field not in ("txt", "text", "json"):
                continue
            if record and member.name[:start] + base != key:
                yield f"member {key}", record
                record = {}
            key, place = member.name[:start] + base, f"{path}: member {member.name}"
            if member.size > LIMIT:
                raise DataError(f"{place}: more than {LIMIT} bytes", "io.too_large", RESOURCES)
            try:
                text = decoded(archive.extractfile(member).read(), place)
                record.update(parsed(text, place) if field == "json" else {"text": text})
            except DataError as error:
                yield f"member {member.name}", error
                record = {}
    if record:
        yield f"member {key}", record


def mds_records(path: str, _: str) -> Iterator[Placed]:
    """Integers are little-endian: the count n of samples, n + 1 positions in the file, a JSON object
    that names the columns, the samples. A sample: for each column whose values differ in size, its
    size; then the values."""
    with open(path, "rb") as file:
        is_plain = is_mds(file.read(1 << 16), is_named=True)
    data = np.memmap(path, np.uint8, "r") if is_plain else np.frombuffer(whole(path), np.uint8)

    def number(at: int) -> int:
        return int.from_bytes(data[at:at + 4].tobytes(), "little")

    def fail(reason: str, place: str = "") -> DataError:
        return BadRecord(f"{path}: {place}{reason}", "data.bad_description")

    count = number(0)
    if not is_mds(data[:1 << 16].tobytes(), is_named=True) or 8 + 4 * count > len(data):
        raise fail(f"{count} samples do not fit {len(data)} bytes")
    try:
        description = json.loads(data[8 + 4 * count:number(4)].tobytes())
        columns = list(zip(description["column_names"], description["column_encodings"],
                           description["column_sizes"], strict=True))
    except (ValueError, KeyError, TypeError) as error:
        raise fail(f"its columns are not described: {error}") from None
    free = sum(size is None for _, _, size in columns)
    for index in range(count):
        start, end = number(4 + 4 * index), number(8 + 4 * index)
        place = f"record {index + 1}"
        if not start < end <= len(data):
            yield place, fail(f"it lies at bytes {start} to {end} of {len(data)}", place + ": ")
            continue
        sample = data[start:end].tobytes()
        sizes = np.frombuffer(sample[:4 * free], "<u4").tolist() if 4 * free <= len(sample) else []
        yield place, _sample(sample, columns, sizes, 4 * free, f"{path}: {place}")


def _sample(
    sample: bytes, columns: list[tuple], sizes: list[int], position: int, place: str
) -> dict | DataError:
    record, sizes = {}, iter(sizes)
    for name, encoding, size in columns:
        size = next(sizes, len(sample) + 1) if size is None else size
        if size > len(sample) - position:
            return BadRecord(f"{place}: column {name} has {size} bytes of {len(sample)}",
                             "data.bad_description")
        try:
            value = _value(encoding, sample[position:position + size])
        except (ValueError, IndexError, KeyError):
            return BadRecord(f'{place}: field "{name}" is not a value of {encoding}',
                             "data.wrong_type")
        if value is not None:
            record[name] = value
        position += size
    return record


def _value(encoding: str, data: bytes) -> Any:
    """None for what is no text, number or list of integers, such as an image."""
    if encoding == "str":
        return data.decode("utf-8")
    if encoding in ("json", "str_int", "str_float"):
        return json.loads(data)
    if encoding.split(":")[0] == "ndarray":
        return _integers(encoding.split(":")[1:], data)
    if encoding not in INTEGERS:
        return None
    if len(data) != np.dtype(INTEGERS[encoding]).itemsize:
        raise ValueError(encoding)
    return np.frombuffer(data, INTEGERS[encoding]).tolist()[0]


def _integers(said: list[str], data: bytes) -> list[int]:
    """An array of one dimension. What its encoding does not say, it says itself: a byte for the type,
    a byte of rank and width for the shape, the shape."""
    if not said:
        kind, data = CODES[data[0]], data[1:]
    else:
        kind = said[0]
    if len(said) < 2:
        if data[0] >> 2 != 1:
            raise ValueError("more than one dimension")
        data = data[1 + (1 << (data[0] & 3)):]
    elif "," in said[1]:
        raise ValueError("more than one dimension")
    return np.frombuffer(data, INTEGERS[kind]).tolist()
