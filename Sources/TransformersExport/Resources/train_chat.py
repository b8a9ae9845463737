"""A conversation as text, and which of it the assistant wrote, by the model's own chat template.

A template that marks answers itself (`{% generation %}`) decides. Of any other, the text is made a
second time with a stand-in for each answer, which shows where the template puts them; the special
token that follows an answer, such as `<|im_end|>`, belongs to it. Where an answer is more than a text
(a call of a tool, reasoning beside it), or none, it is what the template adds to the messages before.
"""

from datetime import date
from typing import Any

from jinja2 import TemplateError

from train_errors import UNSUPPORTED, USAGE, DataError, RecipeError

Segments = list[tuple[str, bool]]  # texts, one after another; whether each is an answer
Message = dict[str, Any]


class ChatError(Exception):
    """A conversation that the template does not take."""


class Chat:
    """A template, with the special tokens of a tokenizer."""

    def __init__(self, template: str, tokenizer: Any, day: str):
        """`day`: what the template writes as today's date, so that texts are always the same."""
        from transformers.utils.chat_template_utils import _compile_jinja_template

        try:
            self.template = _compile_jinja_template(template)
        except TemplateError as error:
            raise DataError(f"the chat template cannot be read: {error}", "template.syntax",
                            UNSUPPORTED) from None
        self.names = dict(tokenizer.special_tokens_map)
        self.specials = [x.content for x in tokenizer.added_tokens_decoder.values() if x.special]
        try:
            today = date.fromisoformat(day) if day else None
        except ValueError:
            raise RecipeError(f"data.date is {day}; allowed: a day such as 2026-11-29",
                              exit_code=USAGE) from None
        if today:
            self.names["strftime_now"] = today.strftime
        elif "strftime_now(" in template:
            raise DataError("the chat template writes today's date, so the texts would differ from "
                            "day to day; name a day with data.date", "template.date_needed", USAGE)

    def segments(self, messages: list[Message], tools: Any) -> tuple[Segments, bool]:
        """The text, and whether the token after it is learned: where nothing ends the last answer."""
        text, answers = self._rendered(messages, tools)
        if answers:
            return _cut(text, answers), False
        if any(map(_is_beside_text, messages)):
            return self._by_prefix(messages, tools, text)
        return self._by_stand_ins(messages, tools, text)

    def _rendered(
        self, messages: list[Message], tools: Any, asks: bool = False
    ) -> tuple[str, list[tuple[int, int]]]:
        """The text, and where the template itself says that answers are."""
        blocks, answers = [], []
        names = self.names | ({"tools": tools} if tools is not None else {})
        try:
            with self.template.environment.activate_tracker(blocks, answers):
                # Blocks are gathered as they come: the tracker counts them.
                for block in self.template.generate(
                        messages=messages, add_generation_prompt=asks, **names):
                    blocks.append(block)
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ChatError(f"the template refuses it: {error}") from None
        return "".join(blocks), answers

    def _by_stand_ins(
        self, messages: list[Message], tools: Any, text: str
    ) -> tuple[Segments, bool]:
        contents, shown = [], []
        for index, message in enumerate(messages):
            if message["role"] == "assistant" and isinstance(message.get("content"), str):
                # Private characters, which no conversation holds.
                contents.append((f"\ue000{index}\ue001", message["content"]))
                message = message | {"content": contents[-1][0]}
            shown.append(message)
        rest, _ = self._rendered(shown, tools)
        before, answers = [], []  # what stands before each answer, and the answers
        for stand_in, content in contents:
            head, found, tail = rest.partition(stand_in)
            if found:
                before.append(head)
                answers.append(content)
                rest = tail
        return self._filled([*before, rest], answers, text)

    def _filled(
        self, frames: list[str], answers: list[str], text: str
    ) -> tuple[Segments, bool]:
        """Finds the frames in the real text; what stands between them are the answers."""
        if not text.startswith(frames[0]):
            raise ChatError("answer 1 is not found in the template's text")
        segments, done, ends_open = [(frames[0], False)], len(frames[0]), False
        for number, (answer, frame) in enumerate(zip(answers, frames[1:]), 1):
            is_last = number == len(answers)
            end = _ending(text, done, answer, frame, is_last)
            if end is None:
                raise ChatError(f"answer {number} is not found in the template's text")
            closing = max([len(x) for x in self.specials if x and frame.startswith(x)], default=0)
            segments += [(text[done:end] + frame[:closing], True), (frame[closing:], False)]
            if is_last:
                ends_open = not closing and not frame.strip(" \n")
            done = end + len(frame)
        return [part for part in segments if part[0]], ends_open

    def _by_prefix(self, messages: list[Message], tools: Any, text: str) -> tuple[Segments, bool]:
        """The text of the messages before an answer, with the line that asks for one, is to be the
        beginning of the whole, and so is the text up to the answer's end."""
        answers = []
        for index, message in enumerate(messages):
            if message["role"] != "assistant":
                continue
            self._check_shown(index, messages, tools, text)
            end = self._length(messages[:index + 1], tools, False, text)
            start = self._length(messages[:index], tools, True, text)
            if start is None or end is None or not (answers or [(0, 0)])[-1][1] <= start <= end:
                raise ChatError(f"answer {index + 1} is not found in the template's text")
            body = text[start:end].rstrip(" \n")
            answers.append((start, start + len(body) if self._is_closed(body) else end))
        ends_open = False
        if answers and messages[-1]["role"] == "assistant":
            start, end = answers[-1]
            ends_open = not self._is_closed(text[start:end]) and not text[end:].strip(" \n")
        return _cut(text, [part for part in answers if part[0] < part[1]]), ends_open

    def _is_closed(self, text: str) -> bool:
        return any(x and text.endswith(x) for x in self.specials)

    def _check_shown(self, index: int, messages: list[Message], tools: Any, text: str) -> None:
        """Refuses a message whose calls of tools make no difference to the text."""
        if not messages[index].get("tool_calls"):
            return
        others = list(messages)
        others[index] = {k: v for k, v in messages[index].items() if k != "tool_calls"}
        try:
            without = self._rendered(others, tools)[0]
        except ChatError:  # a template that cannot write the message without its calls writes them
            return
        if without == text:
            raise ChatError(f"the template does not write the tool call of message {index + 1}")

    def _length(
        self, messages: list[Message], tools: Any, asks: bool, text: str
    ) -> int | None:
        """Characters that messages take at the beginning of `text`; None when they do not."""
        if not messages:
            return None
        part = self._rendered(messages, tools, asks)[0]
        return len(part) if text.startswith(part) else None


def _ending(text: str, start: int, answer: str, frame: str, is_last: bool) -> int | None:
    """Where the answer from `start` on ends: after its text as it was given, or before the next
    occurrence of what follows it."""
    end = start + len(answer)
    if text.startswith(answer + frame, start) and (not is_last or end + len(frame) == len(text)):
        return end
    if is_last:
        end = len(text) - len(frame)
        return end if end >= start and text.endswith(frame) else None
    found = text.find(frame, start) if frame else -1
    return None if found < 0 else found


def _cut(text: str, answers: list[tuple[int, int]]) -> Segments:
    parts, done = [], 0
    for start, end in answers:
        if start >= done:
            parts += [(text[done:start], False), (text[start:end], True)]
            done = end
    return [part for part in [*parts, (text[done:], False)] if part[0]]


def _is_beside_text(message: Message) -> bool:
    """Whether it is an answer that a text in its place cannot stand for."""
    if message["role"] != "assistant":
        return False
    content = message.get("content")
    if not isinstance(content, str) or not content:
        return True
    return any(name not in ("role", "content", "name")
               and not (value is None or value is False or value in ("", [], {}))
               for name, value in message.items())
