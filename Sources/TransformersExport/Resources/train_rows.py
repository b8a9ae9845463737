"""Rows of a source whose tokens can be read anywhere."""

import math

import numpy as np

from train_errors import RESOURCES, DataError
from train_random import Permutation
from train_tokens import NOT_A_TARGET, Ids

ORDER_STREAM = 0x6F72646572000000  # "order"

Place = list[int]  # where a source that is streamed goes on


class StoredRows:
    """Tokens cut into rows of S + 1 without regard to documents.

    The last rows are held out; the others are read in random order, anew in each epoch.
    """

    start: Place | None = None  # rows are found by their numbers

    def __init__(
        self, path: str, tokens: Ids, width: int, held_out: float, seed: int, epochs: int,
        number: int,
    ):
        """`number`: the source's place among those of the run."""
        rows = len(tokens) // width
        if rows < 2:
            raise too_few(path, len(tokens), 2 * width)
        held = min(max(1, math.floor(held_out * rows + 0.5)), rows - 1)
        self.path, self.tokens, self.width, self.epochs = path, tokens, width, epochs
        self.training_rows, self.held_out_rows = rows - held, held
        self.seed, self.stream = seed, ORDER_STREAM + (number << 32)

    def next(self, count: int, place: Place | None) -> tuple[np.ndarray, Place | None]:
        """The row to train on after `count` others."""
        epoch, position = divmod(count, self.training_rows)
        if 0 < self.epochs <= epoch:
            raise exhausted(self.path, self.epochs)
        order = Permutation(self.training_rows, self.seed, self.stream + epoch)
        return self._row(order[position]), None

    def held_out(self, limit: int) -> list[np.ndarray]:
        return [self._row(self.training_rows + i) for i in range(min(limit, self.held_out_rows))]

    def require_learned(self) -> None:
        """Refuses data of which nothing is learned: a loss over no token would look perfect."""
        require_learned(self.path, map(self._row, range(self.training_rows)), self.width)

    def _row(self, index: int) -> np.ndarray:
        return self.tokens[index * self.width:(index + 1) * self.width]


def learns(row: np.ndarray) -> bool:
    """The first token of a row has nothing before it."""
    return bool(((row[1:] & NOT_A_TARGET) == 0).any())


def require_learned(path: str, rows, width: int) -> None:
    count = 0
    for row in rows:
        if learns(row):
            return
        count += 1
    raise DataError(f"{path}: 0 of its {count * width} tokens are learned; the loss counts "
                    "completions and the assistant's answers", "train.nothing_learned")


def too_few(path: str, found: int, needed: int) -> DataError:
    return DataError(f"{path}: {found} tokens; at least {needed} are needed to train and to hold "
                     "some out", "data.too_few_tokens")


def exhausted(path: str, epochs: int) -> DataError:
    return DataError(f"{path}: all rows have been read {epochs} times; raise data.epochs, or train "
                     "fewer steps", "data.exhausted", RESOURCES)
