"""Files of token ids, as they are read in place."""

import errno
import glob
import os

import numpy as np

from train_errors import DataError

NOT_A_TARGET = 1 << 31  # marks tokens that are read but not learned: prompts
STARTS_DOCUMENT = 1 << 30  # marks the first token of a document
IDS = STARTS_DOCUMENT - 1  # the bits of an id
MAGIC = b"ckpttok1"
HEADER = 40  # magic, and a key of 32 bytes
TRAILER = 24  # counts of tokens, documents, and records left out
SHARDS = {20240520: "<u2", 20240801: "<u4"}  # llm.c's magic numbers: 1024 bytes, then ids
INDEX_MAGIC = b"MMIDIDX\0\0"  # of the index that Megatron-LM writes beside ids
FORMS = ("tokens", "npy", "shard", "megatron", "bin")
INDEX_TYPES = {1: "u1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}


class Ids:
    """The ids of a file, mapped; a slice has them as int64 with their marks."""

    marks_documents = True

    def __init__(self, ids: np.ndarray):
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> np.ndarray:
        return self.ids[part].astype(np.int64)


class PlainIds(Ids):
    """Ids of which nothing but the token that ends a document says where one ends."""

    def __init__(self, ids: np.ndarray, ending: int | None):
        super().__init__(ids)
        self.ending = ending
        self.marks_documents = ending is not None

    def __getitem__(self, part: slice) -> np.ndarray:
        # A number that is no id must not look like a mark.
        tokens = np.where((read := super().__getitem__(part)) > IDS, IDS, read)
        if self.ending is not None and len(tokens):
            start = part.start or 0
            before = [self.ids[start - 1] if start else self.ending]
            tokens[np.concatenate([before, read[:-1]]) == self.ending] |= STARTS_DOCUMENT
        return tokens


class IndexedIds(Ids):
    """Ids beside which an index of Megatron-LM says where documents begin."""

    def __init__(self, ids: np.ndarray, starts: np.ndarray):
        super().__init__(ids)
        self.starts = starts

    def __getitem__(self, part: slice) -> np.ndarray:
        tokens = super().__getitem__(part)
        start = part.start or 0
        first, last = np.searchsorted(self.starts, [start, start + len(tokens)])
        tokens[self.starts[first:last] - start] |= STARTS_DOCUMENT
        return tokens


def opened(path: str, form: str, vocabulary: int, ending: int | None) -> Ids | None:
    """The tokens of a file, mapped; None where it holds something else."""
    if not os.path.exists(path) and not glob.has_magic(path):
        raise FileNotFoundError(errno.ENOENT, "", path)
    if form == "auto":
        form = _form(path)
    if form not in FORMS:
        return None
    if form == "tokens":
        return _cached(path)
    if form == "megatron":
        return _megatron(path)
    openers = {"npy": _array, "shard": _shard}
    if form in openers:
        return PlainIds(openers[form](path), ending)
    ids = np.memmap(path, dtype="<u4" if vocabulary > 1 << 16 else "<u2", mode="r")
    if len(ids) > 3 and not ids[1::2].any():
        raise DataError(f"{path}: every second of its ids of {ids.itemsize} bytes is 0: they seem "
                        f"to have {2 * ids.itemsize} bytes")
    return PlainIds(ids, ending)


def _form(path: str) -> str:
    """What a file holds, as `ckpt` decides it: by its content, and by its name where that is mute."""
    if not os.path.isfile(path):
        return "text"
    head = _head(path)
    if head.startswith(MAGIC):
        return "tokens"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if int.from_bytes(head[:4], "little") in SHARDS:
        return "shard"
    base, ending = os.path.splitext(path)
    if head.startswith(INDEX_MAGIC):
        return "megatron"
    if ending.lower() != ".bin":
        return "text"
    index = base + ".idx"
    return "megatron" if os.path.isfile(index) and _head(index) == INDEX_MAGIC else "bin"


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(len(INDEX_MAGIC))


def _array(path: str) -> np.ndarray:
    array = np.load(path, mmap_mode="r")
    if array.dtype.str not in ("<u2", "<u4", "<i4", "<u8", "<i8") or array.ndim > 2:
        raise DataError(f"{path}: not an array of token ids: {array.dtype}, {array.ndim}-d")
    return array.reshape(-1)


def _shard(path: str) -> np.ndarray:
    magic, _, count = np.fromfile(path, "<u4", 3)
    if magic not in SHARDS:
        raise DataError(f"{path}: not a shard of token ids")
    ids = np.memmap(path, SHARDS[magic], mode="r", offset=1024)
    if len(ids) != count:
        raise DataError(f"{path}: the header says {count} ids, {len(ids)} follow")
    return ids


def _megatron(path: str) -> Ids:
    base = os.path.splitext(path)[0]
    with open(base + ".idx", "rb") as file:
        head = file.read(18)
    if len(head) < 18 or head[:9] != INDEX_MAGIC or head[17] not in INDEX_TYPES:
        raise DataError(f"{base}.idx: not an index of token ids")
    ids = np.memmap(base + ".bin", INDEX_TYPES[head[17]], mode="r")
    index = np.memmap(base + ".idx", np.uint8, mode="r", offset=18)
    sequences, borders = index[:16].view("<u8")
    positions = index[16 + 4 * sequences:16 + 12 * sequences].view("<i8") // ids.itemsize
    documents = index[16 + 12 * sequences:][:8 * borders].view("<i8")[:-1]
    starts = np.append(positions, len(ids))[documents]
    return IndexedIds(ids, np.unique(starts[starts < len(ids)]))


def _cached(path: str) -> Ids:
    """Tokens as `ckpt` keeps them: formats/run-folder.md."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    counts = data[-TRAILER:].tobytes()
    if len(data) < HEADER + TRAILER or data[:8].tobytes() != MAGIC:
        raise DataError(f"{path}: not a file of tokens")
    count = int.from_bytes(counts[:8], "little")
    if len(data) != HEADER + 4 * count + TRAILER:
        raise DataError(f"{path}: {len(data)} bytes for {count} tokens")
    tokens = Ids(data[HEADER:-TRAILER].view("<u4"))
    tokens.marks_documents = bool(count and tokens[:1][0] & STARTS_DOCUMENT)
    return tokens
