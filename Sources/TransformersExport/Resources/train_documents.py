"""The documents of a source of text or records, as tokens."""

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from train_chat import Chat
from train_encoder import Encoder
from train_errors import MALFORMED, DataError
from train_files import DataFile
from train_layouts import Layout, Piece
from train_recipe import Recipe
from train_records import group_count, records
from train_text import text_pieces


# What libraries say of a broken file; pyarrow's errors are such as well.
BROKEN = (EOFError, OSError, ValueError, NotImplementedError, tarfile.TarError, zlib.error,
          lzma.LZMAError)


class Documents:
    """How files become documents: by which fields, template and tokenizer."""

    def __init__(
        self, path: str, files: list[DataFile], recipe: Recipe, encoder: Encoder
    ):
        """`path`: the source as the user named it."""
        self.path, self.files, self.encoder = path, files, encoder
        self.layout = Layout(recipe.part("data.fields"), _chat(recipe, encoder))
        self.splits = recipe["data.blank_lines_divide"]
        self.skips = recipe["data.skip_bad_records"]
        self.skipped = 0  # bad records that were left out

    def tokens(
        self, file: DataFile, group: int | None = None,
        wants: Callable[[int], bool] = lambda index: True, first: int = 0,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The documents of a file, or of a row group of it, from number `first` on that are wanted:
        their numbers and tokens."""
        numbers = []

        def wanted() -> Iterator[Piece | DataError]:
            index = 0
            for item in self._pieces(file, group):
                if isinstance(item, int):  # lines of a text
                    self.skipped += item
                    continue
                if index >= first and (wants(index) or isinstance(item, DataError)):
                    numbers.append(index)
                    yield item
                index += 1

        for item in self.encoder.encoded(wanted()):
            number = numbers.pop(0)
            if not isinstance(item, DataError):
                yield number, item
            elif self.skips and item.is_of_one_record:
                self.skipped += 1
            else:
                raise item

    def _pieces(self, file: DataFile, group: int | None) -> Iterator[Piece | DataError | int]:
        try:
            if file.kind == "text":
                yield from text_pieces(file.path, self.splits, self.skips)
                return
            for place, record in records(file.path, file.kind, self.layout.wanted, group):
                if isinstance(record, DataError):
                    yield record
                    continue
                try:
                    piece = self.layout.piece(record, f"{file.path}: {place}")
                except DataError as error:
                    piece = error
                yield piece
        except BROKEN as error:
            raise broken(file.path, error) from None

    def group_count(self, file: DataFile) -> int | None:
        """Row groups of a file of columns; None for others."""
        try:
            return group_count(file.path, file.kind)
        except BROKEN as error:
            raise broken(file.path, error) from None


def broken(path: str, error: Exception) -> Exception:
    """An error for a file that its library cannot read; what the system refuses stays as it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    return DataError(f"{path}: it cannot be read: {' '.join(str(error).split())[:200]}",
                     "data.malformed", MALFORMED)


def _chat(recipe: Recipe, encoder: Encoder) -> Chat | None:
    """The chat template that the recipe names, or the model's own."""
    choice, template = recipe["data.chat_template"], encoder.whole.chat_template
    if choice != "model":
        template = Path(choice).read_text("utf-8")
    elif isinstance(template, dict):
        template = template.get("default")
    return None if template is None else Chat(template, encoder.whole, recipe["data.date"])
