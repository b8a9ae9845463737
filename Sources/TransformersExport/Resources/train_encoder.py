"""The tokenizer in a model's folder: documents become the tokens and marks of `ckpt train`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from train_errors import UNSUPPORTED, DataError
from train_layouts import Piece
from train_tokens import IDS, NOT_A_TARGET, STARTS_DOCUMENT

TOGETHER = 256  # pieces that are encoded at once, on all cores
CHARACTERS = 1 << 22  # after which they are, however few they are


class Encoder:
    def __init__(self, folder: str | Path, ending: int | None, vocabulary: int):
        """`ending`: the token after every document. `vocabulary`: rows of the embedding."""
        from tokenizers import Tokenizer, processors
        from transformers import AutoTokenizer

        try:
            self.whole = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: text needs a tokenizer, and the model has none: {error}",
                            "data.no_tokenizer", UNSUPPORTED) from None
        self.opening = [
            x for x in self.whole("", add_special_tokens=True)["input_ids"] if x != ending]
        self.ending, self.vocabulary = ending, vocabulary
        # What a post-processor adds is added here, and what it cuts off offsets is not cut off.
        self.tokenizer = Tokenizer.from_str(self.whole.backend_tokenizer.to_str())
        self.tokenizer.post_processor = processors.Sequence([])
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def encoded(self, pieces: Iterator) -> Iterator:
        """Each piece as its tokens with marks; what is no piece stays as it is."""
        waiting, size = [], 0
        for piece in pieces:
            waiting.append(piece)
            if isinstance(piece, Piece):
                size += sum(len(text) for text, _ in piece.segments)
            if len(waiting) == TOGETHER or size > CHARACTERS:
                yield from self._together(waiting)
                waiting, size = [], 0
        yield from self._together(waiting)

    def _together(self, items: list) -> Iterator:
        texts = ["".join(text for text, _ in item.segments) for item in items
                 if isinstance(item, Piece) and item.ids is None]
        encodings = iter(self.tokenizer.encode_batch(texts, add_special_tokens=False))
        for item in items:
            if not isinstance(item, Piece):
                yield item
            elif item.ids is None:
                yield self._closed(item, self._own(item, next(encodings)))
            else:
                yield self._checked(item, item.ids.copy())

    def _own(self, piece: Piece, encoding) -> np.ndarray:
        """A token is learned when a character of it is of a segment that is."""
        ids = np.array(encoding.ids, dtype=np.int64)
        if all(learned for _, learned in piece.segments):
            return ids
        text = "".join(text for text, _ in piece.segments)
        # Where decoding does not give the text back, each segment is encoded for itself.
        if self.tokenizer.decode(encoding.ids, skip_special_tokens=False) != text:
            parts = [np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int64)
                     | (0 if learned else NOT_A_TARGET) for text, learned in piece.segments]
            return np.concatenate(parts)
        learned = np.repeat(*np.array([(x, len(text)) for text, x in piece.segments]).T)
        before = np.append(0, np.cumsum(learned))  # learned characters before each
        starts, ends = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2).T
        # The space that SentencePiece puts in front of a text is no part of it.
        if len(ids) and not self.tokenizer.decode(encoding.ids[:1], skip_special_tokens=False):
            ends[0] = starts[0]
        return np.where(before[ends] > before[starts], ids, ids | NOT_A_TARGET)

    def _closed(self, piece: Piece, ids: np.ndarray) -> np.ndarray:
        """With what stands before and after a document."""
        # What opens a document is learned with it, but not before a prompt.
        is_prompt = bool(piece.segments) and not piece.segments[0][1]
        opening = np.array(self.opening, dtype=np.int64)
        # Chat templates write the opening themselves.
        if piece.starts and not np.array_equal(ids[:len(opening)] & IDS, opening):
            ids = np.concatenate([opening | (NOT_A_TARGET if is_prompt else 0), ids])
        if piece.ends and self.ending is not None:
            ids = np.append(ids, self.ending | (0 if piece.learns_ending else NOT_A_TARGET))
        return self._checked(piece, ids)

    def _checked(self, piece: Piece, ids: np.ndarray) -> np.ndarray:
        bad = ids[(ids & IDS) >= self.vocabulary]
        if len(bad):
            raise DataError(f"{piece.place}: token id {bad[0] & IDS}, but the model's embedding has "
                            f"{self.vocabulary} rows; use the tokenizer that belongs to this model",
                            "data.token_out_of_range")
        if piece.starts and len(ids):
            ids[0] |= STARTS_DOCUMENT
        return ids.astype(np.uint32)
