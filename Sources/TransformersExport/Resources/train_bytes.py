"""Files of text as they were before they were compressed, and what their bytes say."""

import bz2
import gzip
import io
import json
import lzma
from typing import Any, BinaryIO

from train_errors import BadRecord

BOM = b"\xef\xbb\xbf"
LIMIT = 1 << 26  # bytes of the longest line, and of the longest record


def _by_pyarrow(name: str):
    def opener(path: str) -> BinaryIO:
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(path, compression=name))
    return opener


FORMATS = {
    b"\x1f\x8b": gzip.open, b"\x28\xb5\x2f\xfd": _by_pyarrow("zstd"), b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open, b"\x04\x22\x4d\x18": _by_pyarrow("lz4")}


def is_compressed(head: bytes) -> bool:
    return head.startswith(tuple(FORMATS))


def opened(path: str) -> BinaryIO:
    """The file's bytes, decompressed while they are read."""
    with open(path, "rb") as file:
        head = file.read(8)
    for mark, opener in FORMATS.items():
        if head.startswith(mark):
            return opener(path)
    return open(path, "rb")


def whole(path: str) -> bytes:
    """All of it, without a byte-order mark."""
    with opened(path) as file:
        return file.read().removeprefix(BOM)


def decoded(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRecord(f"{place}: not valid UTF-8", "data.invalid_utf8") from None


def parsed(text: str, place: str) -> dict:
    """The JSON object that a text is."""
    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"{place}: not a JSON object: {error}", "data.not_an_object") from None
    if not isinstance(value, dict):
        raise BadRecord(f"{place}: not a JSON object: another value", "data.not_an_object")
    return value


def once(members: list[tuple[str, Any]]) -> dict:
    if len(result := dict(members)) < len(members):
        raise ValueError("a key is used twice")
    return result


def no_number(text: str) -> None:
    raise ValueError(f"{text} is not a JSON number")
