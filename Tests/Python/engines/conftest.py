"""Models that engines serve, and what ckpt generates with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
# Small, so that greedy tokens do not hang on the order of a sum; both engines run in float32.
PROMPTS = [
    "12+7=",
    "3+4=7. 20+9=29. 8+15=",
    "1+1=",
    "44+17=61. ",
    "9+9=18. 9+8=17. 9+7=16. 9+6=",
    "70+7=",
    "5+",
    "31+13=44. 44+31=75. 75+1=",
]
TEXTS = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "The three primary colours are",
    "def fibonacci(n):",
    "Water boils at",
    "The quick brown fox",
    "To make a cup of tea, first",
    "My favourite animal is the",
]
# Those of an answer, and those by which it is gone on with.
TOKENS, MORE = 64, 32


class Case:
    """A package, its prompts, and ckpt's greedy tokens of it at some r."""

    def __init__(self, ckpt, package, prompts):
        self.ckpt, self.package, self.prompts, self.known = ckpt, package, prompts, {}

    def wanted(self, r):
        """The greedy tokens of every prompt."""
        if r not in self.known:
            options = ("--recurrence", r, "--max-tokens", TOKENS + MORE)
            self.known[r] = [
                self.ckpt.json("generate", self.package, "--prompt", prompt, *options)["ids"]
                for prompt in self.prompts
            ]
        return self.known[r]


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The folder of small models."""
    folder = tmp_path_factory.mktemp("models")
    script = HERE.parents[2] / "Scripts" / "make_engine_models.py"
    subprocess.run([sys.executable, script, folder], check=True)
    return folder


# Of small models, where it is another than the average of both halves.
ADAPTERS = {"qwen": ("diagonal", "--state", "embedding"), "gemma": ("gated",)}


@pytest.fixture(scope="session")
def case(ckpt, models, tmp_path_factory):
    """A function: the case of a name, made once."""
    made = {}

    def smollm2():
        source = HERE.parents[2] / "build/real/SmolLM2-135M-Instruct.Q4_1.gguf"
        if not source.exists():
            pytest.fail("no SmolLM2; run Scripts/smollm2.sh fetch")
        folder = tmp_path_factory.mktemp("smollm2")
        layers = ("--prelude", 10, "--core", 10, "--coda", 10)
        start = ("--adapter", "average", "--state", "zero", "--mean-recurrence", 2)
        ckpt("retrofit", source, *layers, *start, "--dtype", "f32", "-o", folder / "package")
        return Case(ckpt, trained(folder, 1e-5), TEXTS)

    def trained(folder, rate):
        text = HERE.parents[2] / "fixtures/text/corpus.txt"
        options = ("--steps", 2, "--batch-size", 1, "--sequence-length", 64)
        options += ("--optimizer", "adamw", "--learning-rate", rate, "--recurrence", 2)
        ckpt("train", folder / "package", "--data", text, "-o", folder / "run", *options)
        return folder / "run" / "package"

    def small(name, *options):
        folder = tmp_path_factory.mktemp(name)
        layers = ("--prelude", 2, "--core", 2, "--coda", 2, "--mean-recurrence", 2)
        package = folder / "package"
        ckpt("retrofit", models / name, *layers, *options, "--dtype", "f32", "-o", package)
        # A gate that has learned nothing is open.
        return Case(ckpt, trained(folder, 1e-2) if "gated" in options else package, PROMPTS)

    def make(name):
        if name not in made:
            if name == "smollm2":
                made[name] = smollm2()
            else:
                made[name] = small(name, "--adapter", *ADAPTERS.get(name, ("average",)))
        return made[name]

    return make


@pytest.fixture(scope="session")
def engine():
    """A function: what a script beside this file answers to a request, both JSON."""

    def run(script, request, fails=False):
        command = [sys.executable, HERE / script]
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True)
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stdout + done.stderr
        assert done.returncode == 0, done.stderr[-6000:]
        # Engines write their logs there too.
        [answer] = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return json.loads(answer)

    return run


@pytest.fixture(scope="session")
def same():
    """A function that compares an engine's tokens with ckpt's from a place on, which stop where the
    text ends."""

    def compare(found, wanted, first=0):
        assert len(found) == len(wanted)
        for ours, theirs in zip(wanted, found):
            ours = ours[first : first + len(theirs)]
            assert theirs[: len(ours)] == ours

    return compare
