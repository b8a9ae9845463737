#!/usr/bin/env python3
"""Print the root digest that the PyPI package model-signing gives a folder.

Usage: model_signing_root.py FOLDER [IGNORED_NAME...]

The figure in Tests/RecurrentPackageTests/ManifestTests.swift came from

    Scripts/model_signing_root.py fixtures/golden/tiny-llama3-rope/source

with model-signing 1.1.1. For a package, ignore manifest.json.
"""

import pathlib
import sys

from model_signing import hashing
from model_signing._signing import signing

folder = pathlib.Path(sys.argv[1])
config = hashing.Config().set_ignored_paths(
    paths=sys.argv[2:], ignore_git_paths=True
)
payload = signing.Payload(config.hash(folder))
print(payload.statement.pb.subject[0].digest["sha256"])
