"""Documents of text files and of records, as the tokens and marks that `ckpt train --prepare` makes.

Read here are plain text, JSON lines, Parquet and Arrow; a record is a `text`, a `prompt` with its
`completion`, or `input_ids`. All else, conversations above all, is refused: --prepare makes it tokens.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from train_errors import MALFORMED, UNSUPPORTED, DataError
from train_recipe import Recipe
from train_tokens import IDS, NOT_A_TARGET, STARTS_DOCUMENT, Ids

PIECE = 1 << 22  # bytes that are tokenised at once
USUAL = {"text": "text", "prompt": "prompt", "completion": "completion", "messages": "messages"}
CONVERSATIONS = ("conversations", "instruction", "chosen")
OTHER = "; make tokens of it with ckpt train --prepare"


class Encoder:
    """The tokenizer in a model's folder."""

    def __init__(self, folder: str | Path, ending: int | None):
        from tokenizers import Tokenizer, processors
        from transformers import AutoTokenizer

        whole = AutoTokenizer.from_pretrained(folder)
        self.opening = [x for x in whole("", add_special_tokens=True)["input_ids"] if x != ending]
        self.ending = ending
        # What a post-processor adds is added here, and what it cuts off offsets is not cut off.
        self.tokenizer = Tokenizer.from_str(whole.backend_tokenizer.to_str())
        self.tokenizer.post_processor = processors.Sequence([])
        self.tokenizer.no_truncation()

    def document(
        self, text: str, prompt: int = 0, starts: bool = True, ends: bool = True
    ) -> np.ndarray:
        """Ids with marks; the first `prompt` characters are not learned, nor a token of them alone."""
        encoded = self.tokenizer.encode(text, add_special_tokens=False)
        ids = np.array(encoded.ids, dtype=np.int64)
        if prompt and len(ids):
            ids[np.array([end <= prompt for _, end in encoded.offsets])] |= NOT_A_TARGET
        mark = NOT_A_TARGET if prompt else 0
        opening = [x | mark for x in self.opening]
        if starts and [x & IDS for x in ids[:len(opening)].tolist()] != self.opening:
            ids = np.concatenate([np.array(opening, dtype=np.int64), ids])
        if ends and self.ending is not None:
            ids = np.append(ids, self.ending)
        if starts and len(ids):
            ids[0] |= STARTS_DOCUMENT
        return ids


def tokenised(
    path: str, form: str, recipe: Recipe, folder: str | Path, ending: int | None
) -> Ids:
    """The tokens of a file, in memory."""
    for setting in ("data.blank_lines_divide", "data.skip_bad_records"):
        if recipe[setting]:
            raise refused(path, f"{setting} is true, which holds for tokens made beforehand alone")
    if form == "auto":
        form = form_of(path)
    readers = {"jsonl": _lines, "parquet": _parquet, "arrow": _arrow}
    if form != "text" and form not in readers:
        raise refused(path, f"{form} is not read here")
    encoder = Encoder(folder, ending)
    if form == "text":
        parts = [encoder.document(text, starts=starts, ends=ends)
                 for text, starts, ends in _pieces(path)]
    else:
        fields = recipe.part("data.fields")
        parts = [_record(record, fields, f"{path}: {place}", encoder)
                 for place, record in readers[form](path, fields)]
    ids = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return Ids(ids.astype(np.uint32))


def refused(path: str, why: str) -> DataError:
    return DataError(f"{path}: {why}{OTHER}", "data.not_here", UNSUPPORTED)


def form_of(path: str) -> str:
    """What a file holds, by its content; what only `ckpt` knows is refused."""
    if not Path(path).is_file():
        raise refused(path, "folders and patterns are not read here")
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].strip()
    if line.startswith(b"{"):
        return "jsonl"
    cells = {cell.strip(b'" \r') for cell in line.replace(b"\t", b",").split(b",")}
    is_table = len(cells) > 1 and cells & {x.encode() for x in [*USUAL, *CONVERSATIONS, "content"]}
    if is_table or line.startswith(b"[") or Path(path).suffix.lower() in (".csv", ".tsv", ".json"):
        raise refused(path, "tables and arrays are not read here")
    if b"\0" in head:
        raise refused(path, "it is no text, and what it is is not read here")
    return "text"


def _pieces(path: str) -> Iterator[tuple[str, bool, bool]]:
    """The one document of a text, in pieces; whether it starts, and ends, there."""
    data = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf")
    start = 0
    while start < len(data):
        end = _cut(data, start) if len(data) - start > PIECE else len(data)
        yield _text(data[start:end], path), start == 0, end == len(data)
        start = end


def _cut(data: bytes, start: int) -> int:
    """After a line's end before visible text, or at a space, or between characters."""
    half, last = start + PIECE // 2, start + PIECE - 1
    for i in range(last, half, -1):
        if data[i] == 0x0A and data[i + 1] > 0x20:
            return i + 1
    for i in range(last, half, -1):
        if data[i] == 0x20 and data[i - 1] != 0x20:
            return i
    end = start + PIECE
    while end > half and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _text(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not UTF-8 at byte {error.start} of its part",
                        "data.invalid_utf8", MALFORMED) from None


def _lines(path: str, _) -> Iterator[tuple[str, dict]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            text = _text(line, f"{path}: line {number}")
            if not text.strip():
                continue
            try:
                record = json.loads(text)
            except ValueError as error:
                raise DataError(f"{path}: line {number}: not a JSON object: {error}",
                                "data.not_an_object", MALFORMED) from None
            if not isinstance(record, dict):
                raise DataError(f"{path}: line {number}: not a JSON object", "data.not_an_object",
                                MALFORMED)
            yield f"line {number}", record


def _parquet(path: str, fields: dict) -> Iterator[tuple[str, dict]]:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    names = [name for name in file.schema_arrow.names if _is_looked_at(name, fields)]
    return _rows(file.iter_batches(columns=names))


def _arrow(path: str, fields: dict) -> Iterator[tuple[str, dict]]:
    from pyarrow import ipc, memory_map

    source = memory_map(path)
    if source.read(6) == b"ARROW1":
        reader = ipc.open_file(source)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
    else:
        source.seek(0)
        batches = iter(ipc.open_stream(source))
    return _rows(batch.select([x for x in batch.schema.names if _is_looked_at(x, fields)])
                 for batch in batches)


def _is_looked_at(name: str, fields: dict) -> bool:
    more = ("content", "output", "rejected", "input_ids", "labels", "attention_mask")
    return name in fields.values() or name in CONVERSATIONS or name in more


def _rows(batches: Iterator) -> Iterator[tuple[str, dict]]:
    number = 0
    for batch in batches:
        for record in batch.to_pylist():
            number += 1
            yield f"row {number}", record


def _record(record: dict, fields: dict, place: str, encoder: Encoder) -> np.ndarray:
    def has(name: str) -> bool:
        return record.get(name) is not None

    def string(name: str) -> str:
        if not isinstance(record.get(name), str):
            kind = "data.wrong_type" if has(name) else "data.missing_field"
            raise DataError(f"{place}: {name} is no string", kind, MALFORMED)
        return record[name]

    is_usual = fields == USUAL
    if is_usual and has("input_ids") and not has("text"):
        return _ids(record, place)
    if has(fields["text"]):
        return encoder.document(string(fields["text"]))
    if has(fields["messages"]) or is_usual and any(map(has, CONVERSATIONS)):
        raise refused(place, "conversations are not read here")
    if has(fields["prompt"]):
        prompt = string(fields["prompt"])
        return encoder.document(prompt + string(fields["completion"]), len(prompt))
    if is_usual and has("content"):
        return encoder.document(string("content"))
    raise DataError(f"{place}: none of the fields {', '.join(fields.values())}; it has "
                    f"{', '.join(record)}", "data.missing_field", MALFORMED)


def _ids(record: dict, place: str) -> np.ndarray:
    """The ids that a record holds; labels of -100 are not learned, and a mask of 0 is padding."""
    ids = np.array(record["input_ids"], dtype=np.int64).reshape(-1)
    labels, mask = (np.array(ids if record.get(name) is None else record[name], dtype=np.int64)
                    for name in ("labels", "attention_mask"))
    if record.get("attention_mask") is None:
        mask = np.ones_like(ids)
    if labels.shape != ids.shape or mask.shape != ids.shape:
        raise DataError(f"{place}: labels and attention_mask must be as long as input_ids",
                        "data.wrong_type", MALFORMED)
    if ((ids < 0) | (ids > IDS)).any() or ((labels != ids) & (labels != -100)).any():
        raise DataError(f"{place}: input_ids must be ids from 0 on, labels the ids or -100",
                        "data.wrong_type", MALFORMED)
    ids = np.where(labels == ids, ids, ids | NOT_A_TARGET)[mask != 0]
    if len(ids):
        ids[0] |= STARTS_DOCUMENT
    return ids
