"""The versions that exported folders are tested with are those that are listed."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

LISTS = Path(__file__).resolve().parents[1]


def pins(name):
    """The versions that a list of requirements pins, by package."""
    lines = (LISTS / name).read_text().splitlines()
    return dict(re.fullmatch(r"([\w-]+)(?:\[[\w,-]+\])?==(.+)", line).groups() for line in lines if "==" in line)


@pytest.mark.parametrize("package", ["transformers", "tokenizers", "huggingface-hub"])
def test_versions_are_as_pinned(package):
    """One of the two lists, and the same one for all three packages."""
    lists = [pins("requirements.txt"), pins("requirements-4.51.txt")]
    mine = next(pinned for pinned in lists if pinned["transformers"] == version("transformers"))
    assert version(package) == mine[package]
