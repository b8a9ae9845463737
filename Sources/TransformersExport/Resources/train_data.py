"""Rows of tokens, in the order in which `ckpt train` reads them."""

import math
import os

import numpy as np

from train_errors import USAGE, DataError
from train_random import RandomStream
from train_recipe import Recipe
from train_text import tokenised
from train_tokens import IDS, NOT_A_TARGET, STARTS_DOCUMENT, opened

CHOICE_STREAM = 0x736F757263650000  # "source"
ORDER_STREAM = 0x6F72646572000000  # "order"
IGNORED = -100

Place = tuple[int, int]  # source, row


class Dataset:
    """One or more sources, each cut into rows of S + 1 tokens without regard to documents.

    The last rows of a source are held out; the others are read in random order, anew in each epoch.
    Everything follows from the seed and from how many rows were read.
    """

    def __init__(
        self, recipe: Recipe, vocabulary: int, ending: int | None = None, model: object = None
    ):
        """`ending` ends a document, where a file of ids does not say where documents end. `model`:
        the folder whose tokenizer makes tokens of texts."""
        self.length = recipe["sequence_length"] + 1
        self.seed, self.epochs = recipe["seed"], recipe["data.epochs"]
        self.vocabulary = vocabulary
        self.separates = recipe["data.attention"] == "document"
        self.paths, self.weights, self.tokens, self.training_rows = [], [], [], []
        self.held_out_rows = []
        for source in recipe["data.sources"]:
            path, weight = _split(source)
            tokens = opened(path, recipe["data.format"], vocabulary, ending)
            if tokens is None:
                tokens = tokenised(path, recipe["data.format"], recipe, model, ending)
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
            raise DataError(
                "there is nothing to train on; name files with --data", "data.none", USAGE)

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

    def label_count(self, places: list[Place]) -> int:
        """Learned tokens of rows."""
        hidden = NOT_A_TARGET | STARTS_DOCUMENT if self.separates else NOT_A_TARGET
        return sum(int(((self._read(*place)[1:] & hidden) == 0).sum()) for place in places)

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
        raise DataError(f'{source}: "{text}" is not a positive weight', "data.bad_weight", USAGE)
    return path, weight
