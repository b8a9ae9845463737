"""What a file of data holds, decided as `ckpt` decides it: by its content, and by its name where the
content leaves it open. Binary is never text."""

import json
import os
from pathlib import Path

from train_bytes import is_compressed, opened
from train_errors import MALFORMED, UNSUPPORTED, DataError

TOKEN_KINDS = ("tokens", "npy", "shard", "megatron", "bin")
HEAD = 1 << 16  # bytes that are looked at
ENDINGS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv",
    ".parquet": "parquet", ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow",
    ".tar": "tar", ".mds": "mds", ".tokens": "tokens", ".npy": "npy", ".bin": "bin",
    ".idx": "megatron", ".txt": "text", ".text": "text", ".md": "text"}
COMPRESSED = (".gz", ".zst", ".zstd", ".xz", ".bz2", ".lz4")
MARKS = {b"PAR1": "parquet", b"PARE": "parquet", b"ARROW1": "arrow", b"ckpttok1": "tokens",
         b"MMIDIDX": "megatron"}
SHARDS = (20240520, 20240801)  # llm.c's magic numbers
# Those whose bytes look like text.
FOREIGN = {b"version https://git-lfs": "a git-LFS pointer, the stand-in for a file that was not "
                                       "downloaded", b"%PDF-": "a PDF document"}
# Fields by which a table's names are known.
FIELDS = {"text", "messages", "conversations", "prompt", "completion", "instruction", "output",
          "content"}
SPACE = b" \t\r\n"


def named_kind(path: str) -> str | None:
    """What a name says, whatever compressed the file."""
    name = str(path).lower()
    while name.endswith(COMPRESSED):
        name = os.path.splitext(name)[0]
    return ENDINGS.get(os.path.splitext(name)[1])


def kind_of(path: str) -> str:
    """One of those that `data.format` names; what is no data is refused."""
    with open(path, "rb") as file:
        raw = file.read(HEAD)
    head = raw
    if is_compressed(raw):
        with opened(path) as file:
            head = file.read(HEAD)
    if not head:
        raise DataError(f"{path}: there is nothing in it", "data.empty")
    return _binary(path, head, raw) or _text(path, head)


def is_mds(head: bytes, is_named: bool) -> bool:
    """Whether bytes begin as a shard of MosaicML's: a count, positions, a description in JSON."""
    count, first, second = (int.from_bytes(head[i:i + 4], "little") for i in (0, 4, 8))
    start = 8 + 4 * count
    if len(head) < 12 or count == 0 or not start < first < second:
        return False
    if start >= len(head):
        return is_named
    return head[start:start + 1] == b"{" and b"column_encodings" in head[start:first]


def refused(path: str, what: str, code: str = "data.not_data") -> DataError:
    return DataError(f"{path}: {what}", code, UNSUPPORTED)


def _binary(path: str, head: bytes, raw: bytes) -> str | None:
    name = named_kind(path)
    for mark, kind in MARKS.items():
        if head.startswith(mark):
            if raw != head:
                raise refused(path, "this is a compressed file of data, not training data")
            return kind
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    # A stream's first message: a length that is a multiple of eight, then a table's place.
    if head.startswith(b"\xff" * 4) and len(head) > 12 and not head[4] & 7 and not head[11]:
        return "arrow"
    if len(head) >= 12 and int.from_bytes(head[:4], "little") in SHARDS:
        return "shard"
    if is_mds(head, name == "mds"):
        return "mds"
    for mark, what in FOREIGN.items():
        if head.startswith(mark):
            raise refused(path, f"this is {what}, not training data")
    if head.lstrip(SPACE)[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise refused(path, "this is an HTML page, not training data")
    if head[257:262] == b"ustar":
        return "tar"
    # Small ids of two bytes look like UTF-16.
    if name != "bin" and _is_wide(head):
        raise refused(path, "the text is UTF-16 or UTF-32, not UTF-8", "data.wide_text")
    is_text = _is_text(head)
    if name == "bin":
        if _has_index(path):
            return "megatron"
        if is_text and len(head) >= 64:
            raise refused(path, "the name says token ids, but the content looks like text",
                          "data.ambiguous")
        return "bin"
    if not is_text:
        raise refused(path, "this is binary data of no known kind, not training data")
    return None


def _has_index(path: str) -> bool:
    index = Path(path).with_suffix(".idx")
    if not index.is_file():
        return False
    with open(index, "rb") as file:
        return file.read(9) == b"MMIDIDX\0\0"


def _is_wide(head: bytes) -> bool:
    """Text of two or four bytes a character, with a mark or without."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    part = head[:min(len(head), 256) & ~1]
    for zeros, others in ((part[1::2], part[::2]), (part[::2], part[1::2])):
        visible = sum(0x20 <= byte < 0x7F or byte == 0x0A for byte in others)
        if len(part) >= 8 and not any(zeros) and visible * 10 >= len(part) // 2 * 9:
            return True
    return False


def _is_text(head: bytes) -> bool:
    """No zero byte, and hardly a control character but white space."""
    controls = sum(head.count(byte) for byte in (*range(9), *range(0x0E, 0x1B), 0x7F))
    return 0 not in head and controls * 100 <= len(head)


def _text(path: str, head: bytes) -> str:
    name = named_kind(path)
    if name in ("parquet", "arrow", "npy", "tokens", "tar", "mds", "megatron"):
        raise refused(path, f"this is text, although its name says {name}, not training data")
    text = head.removeprefix(b"\xef\xbb\xbf")
    start = text.lstrip(SPACE)
    line, end, _ = start.partition(b"\n")
    if start.startswith(b"{"):
        if _is_object(line, is_cut=not end and len(head) >= HEAD):
            return "jsonl"
        if name == "json" and end:
            raise refused(path, "one JSON object over several lines is not a list of records",
                          "data.one_object")
        if name in ("json", "jsonl"):
            return "jsonl"
    if start.startswith(b"[") and (start[1:].lstrip(SPACE).startswith(b"{") or name == "json"):
        return "json"
    if name == "json":
        raise DataError(f"{path}: line 1: neither objects nor an array of them",
                        "data.not_an_object", MALFORMED)
    if name in ("jsonl", "csv", "tsv"):
        return name
    return _table(text) or "text"


def _is_object(line: bytes, is_cut: bool) -> bool:
    """Whether a line is an object; one that is cut off may be."""
    if is_cut:
        return line[1:].lstrip(b" \t").startswith(b'"')
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _table(text: bytes) -> str | None:
    """Whether lines lie under names of which one is a field that records have."""
    lines = [line for line in text.split(b"\n") if line][:2]
    for kind, mark in (("tsv", b"\t"), ("csv", b",")):
        names = [name.replace(b"\r", b"").replace(b'"', b"").decode("utf-8", "replace")
                 for name in lines[0].split(mark)] if lines else []
        if len(lines) > 1 and len(names) > 1 and FIELDS.intersection(names):
            return kind
    return None
