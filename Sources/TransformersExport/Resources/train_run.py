"""The run folder, as `ckpt train` writes it: formats/run-folder.md."""

import fcntl
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from train_errors import EXISTS, INPUT_OUTPUT, RunError
from train_recipe import Recipe

STATE = "trainer_state.safetensors"
# What is made anew beside the trained weights, or is about the untrained ones.
NOT_COPIED = ("config.json", "manifest.json", "model.sig", "VERIFICATION.json")


class RunFolder:
    """Where a run's files are; the first process alone writes them."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.recipe = self.path / "recipe.yaml"
        self.package = self.path / "package"
        self.factors = self.path / "factors"
        self.checkpoints = self.path / "checkpoints"

    @property
    def is_there(self) -> bool:
        """Whether there is something to go on with."""
        return self.recipe.is_file()

    def create(self, recipe: Recipe) -> None:
        """Makes the folder of a new run; the recipe goes last, so that a start cut off is none."""
        if self.path.exists():
            if not self.path.is_dir():
                raise RunError(f"{self.path}: the output already exists", "io.exists", EXISTS)
            if self.recipe.exists():
                raise RunError(f"{self.path}: the folder already holds a run; choose another, or go "
                               "on with --resume", "train.run_exists", EXISTS)
            names = {entry.name for entry in self.path.iterdir()} - {"lock", "checkpoints"}
            if names or self.steps():
                raise RunError(f"{self.path}: the output already exists", "io.exists", EXISTS)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.hold()
        self.write_recipe(recipe)

    def write_recipe(self, recipe: Recipe) -> None:
        partial = self.recipe.with_suffix(".partial")
        partial.write_text(recipe.text(), encoding="utf-8")
        partial.replace(self.recipe)

    def hold(self) -> None:
        """Keeps others from writing to the run, until this process ends."""
        self.lock = open(self.path / "lock", "a")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"{self.path}: another process writes to the run", "io.in_use",
                           EXISTS) from None

    def require_room(self, needed: int) -> None:
        """Before anything is computed that could not be kept."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise RunError(f"{self.path}: {needed} bytes are needed for checkpoints and result, "
                           f"but {free} are free; make room", "io.no_space", INPUT_OUTPUT)

    def log(self, record: dict) -> None:
        """Appends the record of a step."""
        self._append("metrics.jsonl", record)

    def log_evaluation(self, record: dict) -> None:
        self._append("evaluations.jsonl", record)

    def _append(self, name: str, record: dict) -> None:
        text = json.dumps({key: _plain(value) for key, value in record.items()})
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, (text + "\n").encode())
        finally:
            os.close(descriptor)

    # MARK: Checkpoints

    def steps(self) -> list[int]:
        """Steps of the checkpoints, ascending."""
        names = (entry.name for entry in self.checkpoints.glob("step-*"))
        return sorted(int(name[5:]) for name in names if name[5:].isdigit())

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step}"

    def prune(self, keep: int, best: int | None) -> None:
        """Removes all checkpoints but the last `keep` and that of step `best`."""
        for step in self.steps()[:-keep]:
            if step != best:
                shutil.rmtree(self.checkpoint(step))

    def rewind(self, step: int) -> None:
        """Removes what a killed run left half-written, and the log lines after `step`."""
        for folder in self.checkpoints.glob(".*.partial"):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("metrics.jsonl", "evaluations.jsonl"):
            log = self.path / name
            if log.exists():
                kept = [line for line in log.read_text("utf-8").splitlines(True)
                        if line.endswith("\n") and json.loads(line)["step"] <= step]
                partial = log.with_suffix(".partial")
                partial.write_text("".join(kept), encoding="utf-8")
                partial.replace(log)


class StagedFolder:
    """A folder under a temporary name beside its own, until it is whole and on the disk."""

    def __init__(self, destination: str | Path, path: Path | None = None):
        """`path`: that another process has made."""
        self.destination = Path(destination)
        name = f".{self.destination.name}.ckpt-{os.getpid()}.partial"
        self.path = path or self.destination.with_name(name)

    def make(self) -> Path:
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        return self.path

    def publish(self) -> None:
        for file in self.path.rglob("*"):
            _sync(file)
        _sync(self.path)
        shutil.rmtree(self.destination, ignore_errors=True)
        self.path.rename(self.destination)
        _sync(self.destination.parent)


def write_package(
    source: str | Path, folder: Path, changes: dict, tensors: dict[str, Tensor]
) -> None:
    """Fills a model folder like `source`, with other weights and a changed configuration."""
    for file in Path(source).iterdir():
        is_weights = file.suffix in (".safetensors", ".bin") or ".index." in file.name
        if file.is_file() and not is_weights and file.name not in NOT_COPIED:
            shutil.copyfile(file, folder / file.name)
    config = json.loads((Path(source) / "config.json").read_text("utf-8")) | changes
    executed = config["n_layers"]
    executed += config["n_layers_in_recurrent_block"] * (config["mean_recurrence"] - 1)
    for key in ("num_hidden_layers", "effective_expected_depth"):
        if key in config:
            config[key] = executed
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _plain(value: Any) -> Any:
    """A number as the logs spell it."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
