#!/usr/bin/env python3
"""Writes sums of single digits as questions: those that fixtures/tiny-sums learned, or those that it
is asked. A question is the test's when its CRC-32 is divisible by eight, and training's otherwise.

    Scripts/make_sums.py train > train.jsonl    # 400,000 of 2 to 14 terms
    Scripts/make_sums.py test > test.jsonl      # 150 of each of 4, 6, … 16 terms
"""

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "evidence"))
import tasks

TRAINED_STEPS = range(1, 14)
TESTED_STEPS = range(3, 16, 2)


def main() -> None:
    match sys.argv[1:]:
        case ["train"]:
            records = training(400_000)
        case ["test"]:
            records = test(150)
        case _:
            raise SystemExit(__doc__)
    for record in records:
        print(json.dumps(record))


def training(count: int):
    r = random.Random(1)
    while count:
        steps = r.choice(TRAINED_STEPS)
        question = tasks.sums(r, steps)
        if not tasks.is_test(question.prompt):
            yield tasks.record("sums", steps, question)
            count -= 1


def test(each: int):
    for steps in TESTED_STEPS:
        r = random.Random(f"test {steps}")
        found: set[str] = set()
        while len(found) < each:
            question = tasks.sums(r, steps)
            if tasks.is_test(question.prompt) and question.prompt not in found:
                found.add(question.prompt)
                yield tasks.record("sums", steps, question)


if __name__ == "__main__":
    main()
