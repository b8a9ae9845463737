"""What every test here has: the tool, the fixtures, and packages made of them once a session."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

# Nothing is fetched, and code that a model folder brings is copied to a place of this run's own.
# Libraries read these when they are imported, which tests do after this file was.
_CACHE = tempfile.TemporaryDirectory(prefix="ckpt-python-")
os.environ.update(
    HF_HOME=_CACHE.name,
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    # The models are so small that threads would wait for each other.
    OMP_NUM_THREADS="1",
)

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"


class Tool:
    """The ckpt binary under test."""

    def __init__(self, path):
        self.path = Path(path)

    def run(self, *arguments):
        """Runs ckpt, whatever its exit code: a `CompletedProcess` with text."""
        command = [str(self.path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    def __call__(self, *arguments):
        """Runs ckpt, which must succeed, and gives its standard output."""
        result = self.run(*arguments)
        assert result.returncode == 0, f"ckpt {arguments}: {result.stderr}{result.stdout}"
        return result.stdout

    def json(self, *arguments):
        """The document of a run with --json, which must succeed."""
        return json.loads(self(*arguments, "--json"))


@pytest.fixture(scope="session")
def ckpt():
    """The tool: call it, or its `run` where it may fail."""
    path = os.environ.get("CKPT") or ROOT / ".build/release/ckpt"
    assert Path(path).is_file(), "no ckpt; run Scripts/test_python.sh, or set CKPT"
    return Tool(Path(path).resolve())


@pytest.fixture(scope="session")
def root():
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def tiny_arithmetic():
    """The shipped model of twelve layers, as a Hugging Face folder."""
    return FIXTURES / "tiny-arithmetic"


@pytest.fixture(scope="session")
def golden():
    """The folder of golden models: golden / "tiny-llama" / "source", and so on."""
    return FIXTURES / "golden"


@pytest.fixture(scope="session")
def retrofit(ckpt, tmp_path_factory):
    """A function that makes packages, each once: retrofit(MODEL, "--prelude", 2) gives a path."""
    made = {}

    def make(model, *options):
        key = (str(model), *map(str, options))
        if key not in made:
            folder = tmp_path_factory.mktemp("retrofit") / "package"
            ckpt("retrofit", model, *options, "-o", folder)
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(scope="session")
def package(retrofit, tiny_arithmetic):
    """The shipped model as a package of 2, 4 and 2 layers, not healed."""
    counts = ("--prelude", 2, "--core", 4, "--coda", 2)
    return retrofit(tiny_arithmetic, *counts, "--mean-recurrence", 4)


@pytest.fixture(scope="session")
def trained(ckpt, package, tmp_path_factory):
    """The same package after a few steps of training."""
    run = tmp_path_factory.mktemp("trained") / "run"
    options = ("--steps", 4, "--batch-size", 2, "--sequence-length", 32, "--recurrence", 2)
    ckpt("train", package, "--data", FIXTURES / "text" / "corpus.txt", "-o", run, *options)
    return run / "package"
