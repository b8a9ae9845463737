"""How a record becomes a document, by the fields that it has."""

from dataclasses import dataclass

import numpy as np

from train_chat import Chat, ChatError
from train_errors import UNSUPPORTED, BadRecord, DataError
from train_tokens import IDS, NOT_A_TARGET

USUAL = {"text": "text", "prompt": "prompt", "completion": "completion", "messages": "messages"}
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
         "chatgpt": "assistant", "system": "system", "tool": "tool"}
# In the words of those who first wrote such files: github.com/tatsu-lab/stanford_alpaca.
TASK = "Below is an instruction that describes a task"
INPUT = ", paired with an input that provides further context"
REQUEST = ". Write a response that appropriately completes the request.\n\n### Instruction:\n"


@dataclass(slots=True)
class Piece:
    """A document, or a piece of one."""

    place: str  # file and record
    segments: list[tuple[str, bool]]  # texts, one after another, and whether each is learned
    ids: np.ndarray | None = None  # its tokens, where they are what the file holds
    starts: bool = True  # whether the document starts here
    ends: bool = True
    learns_ending: bool = True  # whether the token that ends the document is learned


class Layout:
    """The fields of a data set; `fields` are those of `data.fields`."""

    def __init__(self, fields: dict[str, str], chat: Chat | None):
        self.fields, self.chat = fields, chat
        # Where the user has named fields, only those count.
        self.is_usual = fields == USUAL

    @property
    def wanted(self) -> list[str]:
        """Every field that is looked at."""
        more = ["content", "conversations", "system", "instruction", "input", "output", "chosen",
                "rejected", "input_ids", "labels", "attention_mask"]
        return [*self.fields.values(), "tools"] + (more if self.is_usual else [])

    def piece(self, record: dict, place: str) -> Piece:
        def has(name: str) -> bool:
            return record.get(name) is not None

        def usually(*names: str) -> bool:
            return self.is_usual and all(map(has, names))

        fields = self.fields
        if usually("input_ids") and not has("text"):
            return Piece(place, [], _ids(record, place))
        if has(fields["text"]):
            return _whole(record, fields["text"], place)
        if has(fields["messages"]):
            return self._chat(_messages(record, fields["messages"], place), record, place)
        if usually("conversations"):
            return self._chat(_turns(record, place), record, place)
        if usually("chosen", "rejected"):
            raise DataError(f"{place}: records with chosen and rejected answers are not training "
                            "data here", "data.preferences", UNSUPPORTED)
        if has(fields["prompt"]):
            return _answered(_string(record, fields["prompt"], place),
                             _string(record, fields["completion"], place), place)
        if usually("instruction", "output"):
            return self._alpaca(record, place)
        if usually("content"):
            return _whole(record, "content", place)
        names = [fields["text"], fields["messages"], fields["prompt"]]
        if self.is_usual:
            names += ["conversations", "instruction", "content", "input_ids"]
        raise _missing(names, record, place)

    def _chat(self, messages: list[dict], record: dict, place: str) -> Piece:
        if self.chat is None:
            raise DataError(f"{place}: the record is a conversation, and the model has no chat "
                            "template", "data.no_chat_template", UNSUPPORTED)
        try:
            segments, learns_ending = self.chat.segments(messages, record.get("tools"))
        except ChatError as error:
            raise BadRecord(f"{place}: not a conversation: {error}", "data.bad_chat") from None
        return _checked(Piece(place, segments, learns_ending=learns_ending))

    def _alpaca(self, record: dict, place: str) -> Piece:
        """A conversation of two turns where there is a chat template."""
        task, answer = (_string(record, name, place) for name in ("instruction", "output"))
        given = _string(record, "input", place) if record.get("input") is not None else ""
        if self.chat is not None:
            return self._chat([
                {"role": "user", "content": f"{task}\n\n{given}" if given else task},
                {"role": "assistant", "content": answer}], record, place)
        prompt = TASK + (INPUT if given else "") + REQUEST + task + "\n\n"
        prompt += f"### Input:\n{given}\n\n" if given else ""
        return _answered(prompt + "### Response:", answer, place)


def _whole(record: dict, field: str, place: str) -> Piece:
    return _checked(Piece(place, [(_string(record, field, place), True)]))


def _answered(prompt: str, answer: str, place: str) -> Piece:
    return _checked(Piece(place, [(prompt, False), (answer, True)]))


def _checked(piece: Piece) -> Piece:
    """JSON can write halves of characters, which are no text."""
    for text, _ in piece.segments:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise BadRecord(f"{piece.place}: not a JSON object: a \\u escape is half of a surrogate "
                            "pair", "data.not_an_object") from None
    return piece


def _string(record: dict, field: str, place: str) -> str:
    value = record.get(field)
    if value is None:
        raise _missing([field], record, place)
    if not isinstance(value, str):
        raise _wrong(field, "a string", place)
    return value


def _missing(names: list[str], record: dict, place: str) -> BadRecord:
    wanted = ", nor ".join(f'"{name}"' for name in names)
    found = ", ".join([f'"{name}"' for name, value in record.items() if value is not None][:12])
    return BadRecord(f"{place}: the record has no field {wanted}"
                     + (f"; it has {found}" if found else ""), "data.missing_field")


def _wrong(field: str, wanted: str, place: str) -> BadRecord:
    return BadRecord(f'{place}: field "{field}" is not {wanted}', "data.wrong_type")


def _messages(record: dict, field: str, place: str) -> list[dict]:
    messages = record[field]
    if not isinstance(messages, list):
        raise _wrong(field, "a list", place)
    for message in messages:
        if not isinstance(message, dict) or "role" not in message:
            raise _wrong(field, "a list of objects with a role", place)
        if not isinstance(message["role"], str):
            raise _wrong("role", "a string", place)
    return messages


def _turns(record: dict, place: str) -> list[dict]:
    """ShareGPT's turns, `from` and `value`, as messages; some files have `role` and `content`."""
    field, turns = "conversations", record["conversations"]
    if not isinstance(turns, list) or not turns:
        raise _wrong(field, "a list of turns", place)
    if isinstance(turns[0], dict) and "role" in turns[0]:
        return _messages(record, field, place)
    system = record.get("system")
    result = [{"role": "system", "content": system}] if system and isinstance(system, str) else []
    for turn in turns:
        parts = (turn.get("from"), turn.get("value")) if isinstance(turn, dict) else (None, None)
        if not all(isinstance(part, str) for part in parts):
            raise _wrong(field, "a list of objects with from and value", place)
        if parts[0] not in ROLES:
            raise BadRecord(f'{place}: not a conversation: there is no speaker called "{parts[0]}"',
                            "data.bad_chat")
        result.append({"role": ROLES[parts[0]], "content": parts[1]})
    return result


def _ids(record: dict, place: str) -> np.ndarray:
    """The ids that a record holds; labels of -100 are not learned, and a mask of 0 is padding."""
    def integers(name: str) -> np.ndarray:
        value = record[name]
        if not isinstance(value, list) or not all(type(x) is int for x in value):
            raise _wrong(name, "a list of whole numbers", place)
        return np.array(value, dtype=np.int64)

    ids = integers("input_ids")
    labels, mask = (integers(name) if record.get(name) is not None else default
                    for name, default in (("labels", ids), ("attention_mask", np.ones_like(ids))))
    for name, values in (("labels", labels), ("attention_mask", mask)):
        if len(values) != len(ids):
            raise _wrong(name, "as long as input_ids", place)
    ids, labels = ids[mask != 0], labels[mask != 0]
    if ((ids < 0) | (ids > IDS)).any():
        raise _wrong("input_ids", "ids from 0 on", place)
    if ((labels != ids) & (labels != -100)).any():
        raise _wrong("labels", "the ids themselves, or -100", place)
    return np.where(labels == ids, ids, ids | NOT_A_TARGET)
