"""The work of each step, prepared by a thread while the step before runs."""

import queue
import threading
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train_data import IGNORED, Cursor, Dataset, Row
from train_group import Group
from train_recipe import Recipe

AHEAD = 2  # steps that may be ready

Rows = tuple[Tensor, Tensor, Tensor | None]  # inputs, labels, positions


@dataclass
class MicroBatch:
    """Rows that run at once."""

    rows: list[Row]
    draw: tuple[int, int]  # passes without gradient, and with
    seed: int  # of the state
    label_count: int


@dataclass
class StepWork:
    """A step: what all processes do, and the rows of this one."""

    plan: list[MicroBatch]
    mine: list[tuple[MicroBatch, Rows]]
    labels: int  # of all micro-batches
    cursor: Cursor  # after the step
    micro_batches: int  # of the run, likewise


class Loader:
    """Steps from where a run stands to its end, in order."""

    def __init__(self, data: Dataset, recipe: Recipe, group: Group, progress: dict):
        self.data, self.recipe, self.group = data, recipe, group
        self.size = recipe.micro_batch_size
        self.count = recipe["batch_size"] // self.size
        self.cursor = cursor_of(data, progress)
        self.micro_batches = progress["micro_batches"]
        self.first = progress["step"]
        self.ready = queue.Queue(AHEAD)
        threading.Thread(target=self._prepare, daemon=True).start()

    def next(self) -> tuple[StepWork, float]:
        """The next step's work, and the seconds waited for it."""
        start = time.monotonic()
        work = self.ready.get()
        if isinstance(work, BaseException):
            raise work
        return work, time.monotonic() - start

    def _prepare(self) -> None:
        try:
            for step in range(self.first, self.recipe["steps"]):
                self.ready.put(self._work(step))
        except BaseException as error:
            self.ready.put(error)

    def _work(self, step: int) -> StepWork:
        plan, sampler = [], self.recipe.sampler
        for _ in range(self.count):
            rows = [self.data.next_row(self.cursor) for _ in range(self.size)]
            number = self.micro_batches
            plan.append(MicroBatch(
                rows, sampler.draw(number, step, self.recipe["steps"]),
                sampler.state_seed(number), self.data.label_count(rows)))
            self.micro_batches += 1
        mine = dealt(plan, self.group.size)[self.group.rank]
        return StepWork(
            plan, [(batch, rows_of(self.data, batch.rows, self.group)) for batch in mine],
            sum(batch.label_count for batch in plan), self.cursor.copy(), self.micro_batches)


def cursor_of(data: Dataset, progress: dict) -> Cursor:
    """Where a run stands; a source that is not streamed has no place."""
    cursor = data.start
    cursor.rows_read = list(progress["rows_read"])
    for index, place in enumerate(progress.get("streams", [])[:len(cursor.streams)]):
        if cursor.streams[index] is not None and place is not None:
            cursor.streams[index] = list(place)
    return cursor


def rows_of(data: Dataset, rows: list[Row], group: Group, size: int = 0) -> Rows:
    """Rows as tensors, from which a GPU can copy by itself; up to `size`, rows that count nothing."""
    missing = max(size - len(rows), 0)
    tokens, labels, positions = data.batch(rows + rows[-1:] * missing)
    if missing:
        labels = labels.copy()
        labels[-missing:] = IGNORED

    def tensor(values: np.ndarray | None) -> Tensor | None:
        if values is None:
            return None
        made = torch.from_numpy(np.ascontiguousarray(values))
        return made.pin_memory() if group.device.type == "cuda" else made

    return tensor(tokens), tensor(labels), tensor(positions)


def placed_on(device: torch.device, rows: Rows) -> Rows:
    return tuple(x if x is None else x.to(device, non_blocking=True) for x in rows)


def dealt(plan: list[MicroBatch], hands: int) -> list[list[MicroBatch]]:
    """A step's micro-batches, shared out among the processes.

    They are sorted by cost and dealt back and forth, so that all have about the same work, and at
    the same time: the depths differ, and the deepest is waited for.
    """
    # A pass with gradient costs three times one without.
    costly = sorted(plan, key=lambda batch: batch.draw[0] + 3 * batch.draw[1], reverse=True)
    result = [[] for _ in range(hands)]
    for i in range(0, len(costly), hands):
        row = costly[i:i + hands]
        for hand, batch in zip(result, row if i // hands % 2 == 0 else reversed(row)):
            hand.append(batch)
    return result
