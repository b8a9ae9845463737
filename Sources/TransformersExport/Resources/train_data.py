"""Rows of tokens from files of `ckpt train --prepare`, in the order in which `ckpt train` reads."""

import math
import os

import numpy as np

from train_random import RandomStream
from train_recipe import Recipe

CHOICE_STREAM = 0x736F757263650000  # "source"
ORDER_STREAM = 0x6F72646572000000  # "order"
NOT_A_TARGET = 1 << 31  # marks tokens that are read but not learned: prompts
STARTS_DOCUMENT = 1 << 30  # marks the first token of a document
IDS = STARTS_DOCUMENT - 1  # the bits of an id
IGNORED = -100
MAGIC = b"ckpttok1"
HEADER = 40  # magic, and a key of 32 bytes
TRAILER = 24  # counts of tokens, documents, and records left out
SHARDS = {20240520: "<u2", 20240801: "<u4"}  # llm.c's magic numbers: 1024 bytes, then ids
INDEX_MAGIC = b"MMIDIDX\0\0"  # of the index that Megatron-LM writes beside ids
INDEX_TYPES = {1: "u1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}

Place = tuple[int, int]  # source, row


class DataError(Exception):
    """Training data that cannot be used."""


class Dataset:
    """One or more sources, each cut into rows of S + 1 tokens without regard to documents.

    The last rows of a source are held out; the others are read in random order, anew in each epoch.
    Everything follows from the seed and from how many rows were read.
    """

    def __init__(self, recipe: Recipe, vocabulary: int, ending: int | None = None):
        """`ending` ends a document, where a file of ids does not say where documents end."""
        self.length = recipe["sequence_length"] + 1
        self.seed, self.epochs = recipe["seed"], recipe["data.epochs"]
        self.vocabulary = vocabulary
        self.separates = recipe["data.attention"] == "document"
        self.paths, self.weights, self.tokens, self.training_rows = [], [], [], []
        self.held_out_rows = []
        for source in recipe["data.sources"]:
            path, weight = _split(source)
            tokens = _open(path, recipe["data.format"], vocabulary, ending)
            if self.separates and not tokens.marks_documents:
                raise DataError(f"{path}: nothing in the file says where its documents begin")
            rows = len(tokens) // self.length
            if rows < 2:
                raise DataError(f"{path}: {len(tokens)} tokens, at least {2 * self.length} are "
                                "needed to train and to hold some out")
            held = min(max(1, math.floor(recipe["data.held_out"] * rows + 0.5)), rows - 1)
            self.paths.append(path)
            self.weights.append(weight)
            self.tokens.append(tokens)
            self.training_rows.append(rows - held)
            self.held_out_rows.append(held)
        if not self.tokens:
            raise DataError("there is nothing to train on; name token files with --data")

    def next_row(self, rows_read: list[int]) -> Place:
        """Where the next row lies; counts it in `rows_read`, one number a source."""
        source = self._choose(sum(rows_read))
        epoch, position = divmod(rows_read[source], self.training_rows[source])
        if 0 < self.epochs <= epoch:
            raise DataError(f"{self.paths[source]}: all rows have been read {self.epochs} times; "
                            "raise data.epochs, or train fewer steps")
        order = Permutation(
            self.training_rows[source], self.seed, ORDER_STREAM + (source << 32) + epoch)
        rows_read[source] += 1
        return source, order[position]

    def held_out(self, limit: int) -> list[Place]:
        """Places of held-out rows, taken from the sources in turn."""
        places = [
            (source, self.training_rows[source] + position)
            for position in range(max(self.held_out_rows))
            for source, count in enumerate(self.held_out_rows) if position < count
        ]
        return places[:limit]

    def require_learned(self, held_out_limit: int) -> None:
        """Refuses data of which nothing is learned: a loss over no token would look perfect."""
        for source, path in enumerate(self.paths):
            rows = self.training_rows[source]
            # The first token of a row has nothing before it.
            if not any(self._learns(source, row) for row in range(rows)):
                raise DataError(f"{path}: 0 of its {rows * self.length} tokens are learned; the "
                                "loss counts completions and the assistant's answers")
        places = self.held_out(held_out_limit)
        if places and not any(self._learns(*place) for place in places):
            raise DataError(f"{self.paths[0]}: 0 of its {len(places) * self.length} held-out "
                            "tokens are learned; raise data.held_out, or evaluation.rows")

    def _learns(self, source: int, row: int) -> bool:
        tokens = self.tokens[source][row * self.length + 1:(row + 1) * self.length]
        return bool(((tokens & NOT_A_TARGET) == 0).any())

    def batch(self, places: list[Place]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Inputs, labels and positions of rows, `[B, S]` int64.

        A label is IGNORED where no loss counts. Positions start again with each document; None
        where documents are not kept apart.
        """
        rows = np.stack([self._read(*place) for place in places])
        hidden = NOT_A_TARGET | STARTS_DOCUMENT if self.separates else NOT_A_TARGET
        labels = np.where(rows & hidden, IGNORED, rows & IDS)[:, 1:]
        return (rows & IDS)[:, :-1], labels, self._positions(rows[:, :-1])

    def _positions(self, rows: np.ndarray) -> np.ndarray | None:
        if not self.separates:
            return None
        index = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
        starts = np.where(rows & STARTS_DOCUMENT, index, 0)
        return index - np.maximum.accumulate(starts, axis=1)

    def _choose(self, number: int) -> int:
        """The source of row `number` of the run, drawn by weight."""
        rest = RandomStream(self.seed, CHOICE_STREAM).uniform(number) * sum(self.weights)
        for source, weight in enumerate(self.weights):
            rest -= weight
            if rest < 0:
                return source
        return len(self.weights) - 1

    def _read(self, source: int, row: int) -> np.ndarray:
        tokens = self.tokens[source][row * self.length:(row + 1) * self.length]
        ids = tokens & IDS
        bad = ids[(ids < 0) | (ids >= self.vocabulary)]
        if len(bad):
            raise DataError(f"{self.paths[source]}: token id {bad[0]}, the model's embedding has "
                            f"{self.vocabulary} rows; use the tokenizer that belongs to this model")
        return tokens


class Permutation:
    """A random order of 0..<count in which the place of any element is computed alone.

    Four Feistel rounds over the next even number of bits, repeated until the result is below count.
    """

    def __init__(self, count: int, seed: int, stream: int):
        self.count = count
        self.half = (max(count - 1, 1).bit_length() + 1) // 2
        self.random = RandomStream(seed, stream)

    def __getitem__(self, index: int) -> int:
        mask, value = (1 << self.half) - 1, index
        while True:
            left, right = value >> self.half, value & mask
            for turn in range(4):
                left, right = right, left ^ (self.random[right << 2 | turn] & mask)
            value = left << self.half | right
            if value < self.count:
                return value


def _split(source: str) -> tuple[str, float]:
    """`PATH` or `PATH:WEIGHT`; a path that exists as it stands has weight 1."""
    path, colon, text = source.rpartition(":")
    if not colon or os.path.exists(source):
        return source, 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = 0
    if not 0 < weight < math.inf:
        raise DataError(f'{source}: "{text}" is not a positive weight')
    return path, weight


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


def _open(path: str, form: str, vocabulary: int, ending: int | None) -> Ids:
    """The tokens of a file, mapped."""
    if form == "auto":
        form = _form(path)
    if form == "tokens":
        return _cached(path)
    if form == "megatron":
        return _megatron(path)
    openers = {"npy": _array, "shard": _shard}
    if form in openers:
        return PlainIds(openers[form](path), ending)
    if form != "bin":
        raise DataError(f"{path}: text is not read here: turn it into tokens with ckpt train "
                        "PACKAGE --recipe RECIPE --prepare -o FOLDER, and train with "
                        "FOLDER/recipe.yaml")
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
