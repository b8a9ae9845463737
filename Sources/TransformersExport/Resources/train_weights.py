"""The weights in a model's folder, of which a process reads the tensors, or the rows, that it needs."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from train_errors import INPUT_OUTPUT, MALFORMED, RunError


class StoredWeights:
    """One file, or several with an index, opened when they are first read."""

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.files = {}
        index = self.folder / "model.safetensors.index.json"
        if index.is_file():
            names = json.loads(index.read_text("utf-8"))["weight_map"]
            self.places = {name: self.folder / file for name, file in names.items()}
            return
        path = self.folder / "model.safetensors"
        if not path.is_file():
            raise RunError(f"{folder}: no model.safetensors", "io.missing", INPUT_OUTPUT)
        self.places = dict.fromkeys(self._opened(path).keys(), path)

    def rows(self, name: str, shape: torch.Size, rows: slice) -> Tensor:
        """Rows of a tensor, which must have this shape, in the type that they are stored in."""
        if name not in self.places:
            raise RunError(f"{self.folder}: no tensor {name}", "model.missing_tensor", MALFORMED)
        path = self.places[name]
        stored = self._opened(path).get_slice(name)
        if stored.get_shape() != list(shape):
            raise RunError(f"{path}: tensor {name} is {stored.get_shape()}, not {list(shape)}",
                           "model.shape", MALFORMED)
        return stored[rows]

    def _opened(self, path: Path):
        if path not in self.files:
            self.files[path] = safe_open(path, "pt")
        return self.files[path]
