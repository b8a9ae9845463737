"""Rows of tokens, in the order in which `ckpt train` reads them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from train_documents import Documents
from train_encoder import Encoder
from train_errors import MALFORMED, USAGE, DataError
from train_files import files_of, split
from train_kinds import TOKEN_KINDS, named_kind
from train_random import RandomStream
from train_recipe import Recipe
from train_rows import Place, StoredRows, learns
from train_stream import StreamedRows, StreamPlan
from train_tokens import IDS, NOT_A_TARGET, STARTS_DOCUMENT, Ids, joined, opened

CHOICE_STREAM = 0x736F757263650000  # "source"
IGNORED = -100

Row = np.ndarray  # S + 1 tokens with their marks, int64


@dataclass
class Cursor:
    """How far a run has read, of each source."""

    rows_read: list[int]
    streams: list[Place | None]

    def copy(self) -> "Cursor":
        return Cursor(list(self.rows_read), list(self.streams))


class Dataset:
    """One or more sources. Everything follows from the seed and a cursor."""

    def __init__(
        self, recipe: Recipe, vocabulary: int, ending: int | None = None,
        model: str | Path | None = None,
    ):
        """`ending` ends a document, where a file of ids does not say where documents end. `model`:
        the folder whose tokenizer makes tokens of texts."""
        self.recipe, self.vocabulary, self.ending, self.model = recipe, vocabulary, ending, model
        self.width, self.seed = recipe["sequence_length"] + 1, recipe["seed"]
        self.separates = recipe["data.attention"] == "document"
        self.hidden = NOT_A_TARGET | (STARTS_DOCUMENT if self.separates else 0)
        self.encoder = None
        self.warnings = []  # what the user should know of the files
        self.sources, self.weights = [], []
        for number, source in enumerate(recipe["data.sources"]):
            path, weight = split(source)
            self.sources.append(self._rows(path, number))
            self.weights.append(weight)
        if not self.sources:
            raise DataError(
                "there is nothing to train on; name files with --data", "data.none", USAGE)

    def _rows(self, path: str, number: int) -> StoredRows | StreamedRows:
        recipe, form = self.recipe, self.recipe["data.format"]
        files = files_of(path, form)
        if form == "auto":
            self.warnings += [
                f"{file.path}: the name says {named_kind(file.path)}, but the content is {file.kind}"
                for file in files if _is_misnamed(file)]
        shared = (self.width, recipe["data.held_out"], self.seed, recipe["data.epochs"])
        if files[0].kind in TOKEN_KINDS:
            tokens = joined([
                opened(file.path, file.kind, self.vocabulary, self.ending) for file in files])
        else:
            self.encoder = self.encoder or Encoder(self.model, self.ending, self.vocabulary)
            documents = Documents(path, files, recipe, self.encoder)
            if recipe["data.stream"]:
                return StreamedRows(
                    StreamPlan(documents, *shared, recipe["data.shuffle_buffer"], number))
            tokens = Ids(np.concatenate([
                np.zeros(0, np.uint32),
                *(ids for file in files for _, ids in documents.tokens(file))]))
        if self.separates and not tokens.marks_documents:
            raise DataError(f"{path}: nothing in the file says where its documents begin",
                            "data.no_borders", MALFORMED)
        return StoredRows(path, tokens, *shared, number)

    @property
    def start(self) -> Cursor:
        return Cursor([0] * len(self.sources), [source.start for source in self.sources])

    def next_row(self, cursor: Cursor) -> Row:
        """The next row to train on; moves the cursor on."""
        index = self._choose(sum(cursor.rows_read))
        row, cursor.streams[index] = self.sources[index].next(
            cursor.rows_read[index], cursor.streams[index])
        cursor.rows_read[index] += 1
        return self._checked(row, index)

    def held_out(self, limit: int) -> list[Row]:
        """Rows that are never trained on, taken from the sources in turn."""
        held = [source.held_out(limit) for source in self.sources]
        rows = [
            self._checked(rows[position], index) for position in range(max(map(len, held)))
            for index, rows in enumerate(held) if position < len(rows)]
        return rows[:limit]

    def require_learned(self, held_out_limit: int) -> None:
        """Refuses data of which nothing is learned: a loss over no token would look perfect."""
        for source in self.sources:
            source.require_learned()
        rows = self.held_out(held_out_limit)
        if rows and not any(map(learns, rows)):
            raise DataError(f"{self.sources[0].path}: 0 of its {len(rows) * self.width} held-out "
                            "tokens are learned; raise data.held_out, or evaluation.rows",
                            "train.nothing_learned")

    def batch(self, rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Inputs, labels and positions of rows, `[B, S]` int64.

        A label is IGNORED where no loss counts. Positions start again with each document; None
        where documents are not kept apart.
        """
        tokens = np.stack(rows)
        labels = np.where(tokens & self.hidden, IGNORED, tokens & IDS)[:, 1:]
        return (tokens & IDS)[:, :-1], labels, self._positions(tokens[:, :-1])

    def label_count(self, rows: list[Row]) -> int:
        """Learned tokens of rows."""
        return sum(int(((row[1:] & self.hidden) == 0).sum()) for row in rows)

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

    def _checked(self, row: Row, source: int) -> Row:
        ids = np.where(row < 0, row, row & IDS)
        bad = ids[(ids < 0) | (ids >= self.vocabulary)]
        if len(bad):
            raise DataError(f"{self.sources[source].path}: token id {bad[0]}, but the model's embedding "
                            f"has {self.vocabulary} rows; use the tokenizer that belongs to this "
                            "model", "data.token_out_of_range")
        return row


def _is_misnamed(file) -> bool:
    name = named_kind(file.path)
    return not (name in (None, file.kind) or name == "json" and file.kind == "jsonl"
                or name == "bin" and file.kind in TOKEN_KINDS)
