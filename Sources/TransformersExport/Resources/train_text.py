"""Documents of plain text: a file is one, or each part between blank lines."""

from collections.abc import Iterator
from typing import BinaryIO

from train_bytes import BOM, opened
from train_errors import BadRecord
from train_layouts import Piece

PIECE = 1 << 22  # bytes that are tokenised at once; longer documents are cut
Cut = tuple[bytes, int, bool, bool]  # text, its first line, whether a document starts and ends there


def text_pieces(path: str, splits: bool, skips: bool) -> Iterator[Piece | int]:
    """`splits`: at blank lines. `skips`: leaves lines out that are no UTF-8; a number between the
    pieces says how many."""
    with opened(path) as file:
        for data, line, starts, ends in (_paragraphs if splits else _pieces)(file):
            text = _decoded(data)
            if text is None:
                lines = data.split(b"\n")
                kept = [x for x in lines if _decoded(x) is not None]
                if not skips:
                    bad = next(i for i, x in enumerate(lines) if _decoded(x) is None)
                    raise BadRecord(f"{path}: line {line + bad}: not valid UTF-8",
                                    "data.invalid_utf8")
                text = b"\n".join(kept).decode("utf-8")
                yield len(lines) - len(kept)
            yield Piece(f"{path}: line {line}", [(text, True)], starts=starts, ends=ends)


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _pieces(file: BinaryIO) -> Iterator[Cut]:
    data, line, starts = file.read(PIECE + 1).removeprefix(BOM), 1, True
    while data:
        while len(data) <= PIECE and (more := file.read(PIECE + 1 - len(data))):
            data += more
        is_last = len(data) <= PIECE
        end = len(data) if is_last else _cut(data)
        yield data[:end], line, starts, is_last
        line += data.count(b"\n", 0, end)
        data, starts = data[end:], False


def _cut(data: bytes) -> int:
    """After a line's end before visible text, or at a space, or between characters."""
    half = PIECE // 2
    for i in range(PIECE - 1, half, -1):
        if data[i] == 0x0A and data[i + 1] > 0x20:
            return i + 1
    for i in range(PIECE - 1, half, -1):
        if data[i] == 0x20 and data[i - 1] != 0x20:
            return i
    end = PIECE
    while end > half and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _paragraphs(file: BinaryIO) -> Iterator[Cut]:
    text, first, starts = b"", 1, True
    for number, line in enumerate(file, 1):
        line = (line if number > 1 else line.removeprefix(BOM)).removesuffix(b"\n")
        line = line.removesuffix(b"\r")
        if not line:
            if text or not starts:
                yield text, first, starts, True
            text, starts = b"", True
            continue
        if not text:
            first = number
        text += (b"\n" if text or not starts else b"") + line
        if len(text) >= PIECE:
            yield text, first, starts, False
            text, starts = b"", False
    if text or not starts:
        yield text, first, starts, True
