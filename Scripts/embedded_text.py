"""Generated arithmetic and small English sentences: the embedded model's whole world.

Every line is drawn from one seeded generator. A line belongs to the held-out text when its
CRC-32 is divisible by ten, and to the training text otherwise, so no held-out line was trained on.
"""

import random
import zlib
from collections.abc import Callable, Iterator

ADJECTIVES = ["small", "red", "old", "green", "quiet", "tall"]
ANIMALS = ["dog", "cat", "bird", "fish", "horse", "fox"]
THINGS = ["house", "tree", "river", "boat", "garden", "table"]
PLACES = ["near", "under", "behind", "in front of"]
SINGULAR = ["sees", "likes", "follows", "finds"]
PLURAL = ["see", "like", "follow", "find"]
NAMES = ["Tom", "Ann", "Sam", "Eva", "Max"]
FRUIT = ["apples", "pears", "plums", "nuts"]
LIMIT = 100  # terms of sums and differences stay below it
NUMBERS = ["two", "three", "four", "five", "six"]


def article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def addition(r: random.Random) -> str:
    kind = r.random()
    if kind < 0.15:
        terms = [r.randrange(10) for _ in range(3)]
    elif kind < 0.35:
        terms = [r.randrange(10), r.randrange(LIMIT)]
        r.shuffle(terms)
    else:
        terms = [r.randrange(LIMIT), r.randrange(LIMIT)]
    return "+".join(map(str, terms)) + f"={sum(terms)}."


def subtraction(r: random.Random) -> str:
    high = 20 if r.random() < 0.3 else LIMIT
    b, a = sorted((r.randrange(high), r.randrange(high)))
    return f"{a}-{b}={a - b}."


def comparison(r: random.Random) -> str:
    a, b = r.sample(range(LIMIT), 2)
    return f"{a} is {'more' if a > b else 'less'} than {b}."


def counting(r: random.Random) -> str:
    step = r.choice([1, 1, 2, 5, 10])
    start = r.randrange(60) * (1 if step < 5 else step) % 60
    count = r.randrange(4, 8)
    return "Count: " + ", ".join(str(start + step * i) for i in range(count)) + "."


def story(r: random.Random) -> str:
    name, fruit = r.choice(NAMES), r.choice(FRUIT)
    a, b = r.randrange(2, 30), r.randrange(2, 20)
    if r.random() < 0.5 and a > b:
        return f"{name} has {a} {fruit}. {name} gives away {b}. Now {name} has {a - b} {fruit}."
    return f"{name} has {a} {fruit}. {name} finds {b} more. Now {name} has {a + b} {fruit}."


def sentence(r: random.Random) -> str:
    if r.random() < 0.4:
        number, animal, verb = r.choice(NUMBERS), r.choice(ANIMALS), r.choice(PLURAL)
        plural = {"fish": "fish", "fox": "foxes"}.get(animal, animal + "s")
        subject = f"{number.capitalize()} {r.choice(ADJECTIVES)} {plural} {verb}"
    else:
        subject = f"The {r.choice(ADJECTIVES)} {r.choice(ANIMALS)} {r.choice(SINGULAR)}"
    thing = article(f"{r.choice(ADJECTIVES)} {r.choice(ANIMALS)}")
    return f"{subject} {thing} {r.choice(PLACES)} the {r.choice(THINGS)}."


KINDS: list[tuple[Callable[[random.Random], str], int]] = [
    (addition, 40),
    (subtraction, 20),
    (comparison, 8),
    (counting, 8),
    (story, 10),
    (sentence, 14),
]


def is_held_out(line: str) -> bool:
    return zlib.crc32(line.encode()) % 10 == 0


def lines(seed: int, held_out: bool) -> Iterator[str]:
    """An endless stream of lines of one side of the split."""
    r = random.Random(seed)
    makers, weights = zip(*KINDS)
    while True:
        line = r.choices(makers, weights)[0](r)
        if is_held_out(line) == held_out:
            yield line


def text(seed: int, held_out: bool, byte_count: int) -> str:
    """Whole lines, each ended by a newline, of at least `byte_count` bytes in all."""
    parts, size = [], 0
    for line in lines(seed, held_out):
        parts.append(line + "\n")
        size += len(line) + 1
        if size >= byte_count:
            return "".join(parts)
