"""Rows of a source that is read while the run trains, with nothing kept on the disk.

Shards (files; of files of columns, row groups) come in a random order, anew in each epoch. Documents
are shuffled within blocks, one after another. All of it follows from the seed and the files.
"""

import queue
import threading
from collections.abc import Iterator
from itertools import islice

import numpy as np

from train_documents import Documents
from train_errors import DataError
from train_random import Permutation, RandomStream
from train_rows import Place, exhausted, require_learned, too_few
from train_tokens import STARTS_DOCUMENT

BLOCK_TOKENS = 1 << 24  # after which a block ends, whatever its documents
SHARD_STREAM = 0x7368617264000000  # "shard"
BLOCK_STREAM = 0x626C6F636B000000  # "block"
HELD_OUT_STREAM = 0x68656C6400000000  # "held"
SAMPLE = 4096  # rows that are looked at for something to learn

Block = tuple[Place, list[np.ndarray]]  # where it starts, and its documents as they lie


class StreamPlan:
    """In which order a source is read, and what of it is held out."""

    def __init__(
        self, documents: Documents, width: int, held_out: float, seed: int, epochs: int,
        buffer: int, number: int,
    ):
        """`buffer`: documents that are shuffled at a time. `number`: the source's place among those
        of the run."""
        self.documents, self.width, self.share, self.seed = documents, width, held_out, seed
        self.epochs, self.buffer, self.number = epochs, buffer, number << 40
        self.shards = []
        for file in documents.files:
            groups = documents.group_count(file)
            self.shards += [(file, group) for group in ([None] if groups is None else range(groups))]
        if not self.shards:
            raise DataError(f"{documents.path}: there is nothing in it", "data.empty")

    def read(self, shard: int, is_held_out: bool, first: int = 0) -> Iterator:
        """Numbers and tokens of a shard's documents that are, or are not, held out."""
        random = RandomStream(0, HELD_OUT_STREAM + shard)

        def wants(index: int) -> bool:
            return (self.share > 0 and random.uniform(index) < self.share) == is_held_out

        return self.documents.tokens(*self.shards[shard], wants, first)

    def blocks(self, place: Place) -> Iterator[Block]:
        """From the block at `place` on: epoch, place of its shard in the epoch's order, documents of
        that shard before it, number of the block in its epoch."""
        epoch, shard, document, block = place[:4]
        while True:
            order = Permutation(len(self.shards), self.seed, SHARD_STREAM + self.number + epoch)
            start, found, tokens = [epoch, shard, document, block], [], 0
            while shard < len(self.shards):
                for number, ids in self.read(order[shard], False, document):
                    # A piece of a long text is shuffled as a document is.
                    if len(ids):
                        found.append(_begun(ids))
                        tokens += len(ids)
                    if len(found) >= self.buffer or tokens >= BLOCK_TOKENS:
                        yield start, found
                        block += 1
                        start, found, tokens = [epoch, shard, number + 1, block], [], 0
                shard, document = shard + 1, 0
            yield start, found
            epoch, shard, document, block = epoch + 1, 0, 0, 0
            if 0 < self.epochs <= epoch:
                return

    def rows(self, place: Place, blocks: Iterator[Block]) -> Iterator[tuple[np.ndarray, Place]]:
        """Rows from `place` on, each with the place after it; `blocks` are those from there."""
        read, token = place[4:]
        parts, count, epochs = [], 0, 0
        for start, documents in blocks:
            if start[0] > place[0]:
                epochs += 1
                # A row may be made of several epochs, but not of nothing.
                if epochs > self.width:
                    raise too_few(self.documents.path, count, self.width)
            place = start
            order = self._order(start, len(documents))
            while read < len(documents):
                document = documents[order[read]]
                part = document[token:token + self.width - count]
                parts.append(part)
                count, token = count + len(part), token + len(part)
                if token == len(document):
                    read, token = read + 1, 0
                if count == self.width:
                    yield np.concatenate(parts).astype(np.int64), [*start, read, token]
                    parts, count, epochs = [], 0, 0
            read = token = 0

    def _order(self, start: Place, count: int) -> Permutation:
        epoch, _, _, block = start
        stream = RandomStream(self.seed, BLOCK_STREAM + self.number)[epoch << 32 ^ block]
        return Permutation(count, self.seed, stream)


class StreamedRows:
    """A thread reads the next block while rows are made of this one."""

    start: Place | None = [0] * 6

    def __init__(self, plan: StreamPlan):
        self.plan, self.path = plan, plan.documents.path
        self.place, self.rows, self.held = None, iter(()), {}

    def next(self, count: int, place: Place | None) -> tuple[np.ndarray, Place]:
        """The row after `place`, and the place after it."""
        place = list(place or self.start)
        if place != self.place:
            self.rows = self.plan.rows(place, _ahead(self.plan.blocks(place)))
        row, self.place = next(self.rows, (None, None))
        if row is None:
            raise exhausted(self.path, self.plan.epochs)
        return row, self.place

    def held_out(self, limit: int) -> list[np.ndarray]:
        if limit not in self.held and limit > 0 and self.plan.share > 0:
            self.held[limit] = self._read_held_out(limit)
        return self.held.get(limit, [])

    def _read_held_out(self, limit: int) -> list[np.ndarray]:
        width, parts, count = self.plan.width, [], 0
        for shard in range(len(self.plan.shards)):
            for _, ids in self.plan.read(shard, True):
                parts.append(_begun(ids))
                count += len(ids)
                if count >= limit * width:
                    break
            if count >= limit * width:
                break
        if count < width:
            raise too_few(self.path, count, width)
        rows = np.concatenate(parts)[:count // width * width].astype(np.int64)
        return list(rows.reshape(-1, width)[:limit])

    def require_learned(self) -> None:
        rows = self.plan.rows(self.start, self.plan.blocks(self.start))
        require_learned(self.path, (row for row, _ in islice(rows, SAMPLE)), self.plan.width)


def _begun(ids: np.ndarray) -> np.ndarray:
    """Marks the first token as a document's first."""
    if len(ids):
        ids[0] |= STARTS_DOCUMENT
    return ids


def _ahead(items: Iterator) -> Iterator:
    """The same, each made by a thread while the one before it is used."""
    ready, end = queue.Queue(1), object()

    def work() -> None:
        try:
            for item in items:
                ready.put((item, None))
            ready.put((end, None))
        except BaseException as error:
            ready.put((end, error))

    threading.Thread(target=work, daemon=True).start()
    while True:
        item, error = ready.get()
        if error is not None:
            raise error
        if item is end:
            return
        yield item
