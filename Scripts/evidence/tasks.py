"""Questions that take a known number of steps, and the text that the base model learns from.

Each question is one line that ends with its answer: the answer has to be found within the model, as
nothing is written down on the way. Everything is drawn from a seed; a question belongs to the test
when its CRC-32 is divisible by eight, and to training otherwise.
"""

import json
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import embedded_text

MODULUS = 7
NAMES = ["Tom", "Ann", "Sam", "Eva", "Max", "Ida", "Ben", "Joy", "Kim", "Leo", "Mia", "Ned", "Pam", "Roy", "Sue"]
FRUIT = ["apples", "pears", "plums", "nuts"]


class Question(NamedTuple):
    """What is given, its answer, and the same with what comes out at each step written down."""

    prompt: str
    answer: str
    worked: str


def sums(r: random.Random, steps: int) -> Question:
    """Digits added and taken away; a step is an operation."""
    total = r.randrange(10)
    text = worked = str(total)
    for _ in range(steps):
        digit = r.randrange(10)
        sign = r.choice((1, -1)) if total >= digit else 1
        total += sign * digit
        part = ("+" if sign > 0 else "-") + str(digit)
        text += part
        worked += f"{part}={total}"
    return Question(text + "=", str(total), worked + ".")


def chains(r: random.Random, steps: int) -> Question:
    """Assignments of which each uses the one before, modulo seven; a step is one of them."""
    names = r.sample("abcdefghijklmnopqrstuvwxyz", steps + 1)
    value = r.randrange(MODULUS)
    parts = [f"{names[0]}={value}"]
    worked = list(parts)
    for before, name in zip(names, names[1:]):
        operand = r.randrange(1, MODULUS)
        value = (value + operand) % MODULUS
        parts.append(f"{name}={before}+{operand}")
        worked.append(f"{parts[-1]}={value}")
    return Question(";".join(parts) + f";{names[-1]}=", str(value), ";".join(worked) + ".")


def logic(r: random.Random, steps: int) -> Question:
    """Truth values joined from the left; a step is an operation."""
    value = r.random() < 0.5
    text = worked = truth(value)
    for step in range(steps):
        kind, other = r.choice("&|^"), r.random() < 0.5
        value = {"&": value and other, "|": value or other, "^": value != other}[kind]
        # Every operation but the first is on what stands in brackets.
        text = f"({text}){kind}{truth(other)}" if step else f"{text}{kind}{truth(other)}"
        worked += f"{kind}{truth(other)}={truth(value)}"
    return Question(text + "=", truth(value), worked + ".")


def truth(value: bool) -> str:
    return "T" if value else "F"


def stories(r: random.Random, steps: int) -> Question:
    """People who each have more or fewer things than the one before; a step is a comparison."""
    names, fruit = r.sample(NAMES, steps + 1), r.choice(FRUIT)
    count = r.randrange(1, 10)
    parts = [f"{names[0]} has {count} {fruit}."]
    worked = list(parts)
    for name in names[1:]:
        change = r.randrange(1, 6)
        more = r.random() < 0.5 or count < change
        count += change if more else -change
        parts.append(f"{name} has {change} {'more' if more else 'less'}.")
        worked.append(f"{parts[-1][:-1]}, so {count}.")
    return Question(" ".join(parts) + f" {names[-1]} has", f" {count}", " ".join(worked))


TASKS: dict[str, Callable[[random.Random, int], Question]] = {
    "sums": sums,
    "chains": chains,
    "logic": logic,
    "stories": stories,
}


def is_test(prompt: str) -> bool:
    return zlib.crc32(prompt.encode()) % 8 == 0


def record(task: str, steps: int, question: Question) -> dict:
    return {"task": task, "steps": steps, "prompt": question.prompt, "completion": question.answer + "."}


def questions(seed: int, test: bool, steps: range | list[int]) -> Iterator[tuple[str, int, Question]]:
    """An endless stream of questions of one side of the split, tasks and steps by turns at random."""
    r = random.Random(f"{seed} {test}")
    while True:
        task, count = r.choice(list(TASKS)), r.choice(steps)
        question = TASKS[task](r, count)
        if is_test(question.prompt) == test:
            yield task, count, question


def training(seed: int, count: int, most_steps: int) -> Iterator[dict]:
    """Questions to learn, of one step up to `most_steps`."""
    stream = questions(seed, False, range(1, most_steps + 1))
    for _ in range(count):
        yield record(*next(stream))


def test(seed: int, each: int, steps: list[int]) -> Iterator[dict]:
    """`each` different questions for every task and number of steps; fewer where there are not as many."""
    for count in steps:
        for task in TASKS:
            r = random.Random(f"{seed} {task} {count}")
            found: set[str] = set()
            for _ in range(200 * each):
                question = TASKS[task](r, count)
                if is_test(question.prompt) and question.prompt not in found:
                    found.add(question.prompt)
                    yield record(task, count, question)
                if len(found) == each:
                    break


def base_text(seed: int, byte_count: int) -> Iterator[dict]:
    """Documents of small English sentences, arithmetic, questions with every step written down, and
    questions of up to four steps, of which arms learn to take more."""
    r = random.Random(seed)
    lines = embedded_text.lines(seed, held_out=False)
    worked = questions(seed, False, range(1, 9))
    easy = questions(seed + 1, False, range(1, 5))
    size = 0
    while size < byte_count:
        parts = []
        for _ in range(r.randrange(4, 25)):
            kind = r.random()
            if kind < 0.2:
                parts.append(next(worked)[2].worked)
            elif kind < 0.8:
                _, _, question = next(easy)
                parts.append(f"{question.prompt}{question.answer}.")
            else:
                parts.append(next(lines))
        text = "\n".join(parts) + "\n"
        size += len(text)
        yield {"text": text}


def write(path: Path, records: Iterator[dict]) -> None:
    """Writes the records as JSON lines, whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")
    partial.rename(path)
