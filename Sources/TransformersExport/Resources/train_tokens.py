"""Files of token ids, as they are read in place."""

import os

import numpy as np

from train_errors import UNSUPPORTED, DataError

NOT_A_TARGET = 1 << 31  # marks tokens that are read but not learned: prompts
STARTS_DOCUMENT = 1 << 30  # marks the first token of a document
IDS = STARTS_DOCUMENT - 1  # the bits of an id
MAGIC = b"ckpttok1"
HEADER = 40  # magic, and a key of 32 bytes
TRAILER = 24  # counts of tokens, documents, and records left out
SHARDS = {20240520: "<u2", 20240801: "<u4"}  # llm.c's magic numbers: 1024 bytes, then ids
INDEX_MAGIC = b"MMIDIDX\0\0"  # of the index that Megatron-LM writes beside ids
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


class JoinedIds(Ids):
    """The ids of several files, one after another."""

    def __init__(self, parts: list[Ids]):
        self.parts = parts
        self.ends = np.cumsum([len(part) for part in parts])
        self.marks_documents = all(part.marks_documents for part in parts)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, part: slice) -> np.ndarray:
        start, end, _ = part.indices(len(self))
        pieces, first = [np.zeros(0, np.int64)], 0
        for ids, last in zip(self.parts, self.ends.tolist()):
            if start < last and first < end:
                pieces.append(ids[max(start - first, 0):min(end, last) - first])
            first = last
        return np.concatenate(pieces)


def joined(parts: list[Ids]) -> Ids:
    return parts[0] if len(parts) == 1 else JoinedIds(parts)


def opened(path: str, kind: str, vocabulary: int, ending: int | None) -> Ids:
    """The tokens of a file of one of the kinds that hold ids, mapped."""
    if kind == "tokens":
        return _cached(path)
    if kind == "megatron":
        return _megatron(path)
    openers = {"npy": _array, "shard": _shard}
    if kind in openers:
        return PlainIds(openers[kind](path), ending)
    dtype = np.dtype("<u4" if vocabulary > 1 << 16 else "<u2")
    size = os.path.getsize(path)
    if size == 0 or size % dtype.itemsize:
        raise DataError(f"{path}: {size} bytes are not a whole number of tokens of {dtype.itemsize} "
                        "bytes", "data.partial_token" if size else "data.empty")
    ids = np.memmap(path, dtype=dtype, mode="r")
    if len(ids) > 3 and not ids[1::2].any():
        raise DataError(f"{path}: every second of its ids of {ids.itemsize} bytes is 0: they seem "
                        f"to have {2 * ids.itemsize} bytes", "data.ambiguous", UNSUPPORTED)
    return PlainIds(ids, ending)


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
        raise DataError(f"{path}: the header says {count} ids, but {len(ids)} follow")
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
