"""Checkpoints: one file, which `ckpt train` goes on with too, or shards that every process writes.

Shards are torch's distributed checkpoint. They are copied to the processor's memory, and written
while the run goes on; any number of processes reads them again.
"""

import errno
import json
import shutil
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor

from train_errors import MALFORMED, RunError
from train_factors import write_factors
from train_lowrank import Adapted
from train_optimizer import Optimizer
from train_parallel import Layout, full, local, spread_like
from train_parameters import TrainedTensor, is_factor
from train_recipe import Recipe
from train_run import STATE, RunFolder, StagedFolder, write_package
from train_state import read_state, write_state
from train_weights import StoredWeights

SHARDS = "shards"  # the folder of a distributed checkpoint
PROGRESS = "progress.json"  # beside it
FORMS = ("auto", "file", "shards")


@dataclass
class Pending:
    """A checkpoint that is being written."""

    step: int
    future: object
    staged: StagedFolder
    best: int | None


class Saver:
    """Writes the checkpoints and the result of a run; every process takes part."""

    def __init__(
        self, options: Namespace, recipe: Recipe, run: RunFolder, layout: Layout,
        tensors: list[TrainedTensor], adapted: list[Adapted], optimizer: Optimizer,
    ):
        """`tensors`: all of the model's but factors."""
        self.model, self.recipe, self.run, self.layout = options.model, recipe, run, layout
        self.group, self.tensors, self.optimizer = layout.group, tensors, optimizer
        self.adapted = {matrix.name: matrix for matrix in adapted}
        self.factors_only = options.factors_only
        self.stored = StoredWeights(options.model)
        is_shards = options.checkpoints == "shards" or (
            options.checkpoints == "auto" and layout.is_sharded)
        self.form = "shards" if is_shards else "file"
        self.pending = None
        self.last = time.monotonic()
        # What is written in the background must not meet what is trained with.
        self.exchange = dist.new_group(backend="gloo") if is_shards else None

    @property
    def is_late(self) -> bool:
        minutes = self.recipe["checkpoints.minutes"]
        return minutes > 0 and time.monotonic() - self.last >= 60 * minutes

    @property
    def state_bytes(self) -> int:
        """Of what a checkpoint holds beside the weights of its package."""
        return sum(4 * slot.parameter.numel() * (2 if slot.second is None else 3)
                   for slot in self.optimizer.slots)

    @property
    def needed(self) -> int:
        """Bytes of the checkpoints that are kept, one that is written, and the result."""
        weights = 0 if self.factors_only else sum(4 * t.parameter.numel() for t in self.tensors)
        keeps = self.recipe["checkpoints.keep"] + 1 if self.recipe["checkpoints.every"] else 1
        return (keeps + 1) * (weights + self.state_bytes) + weights

    def read(self, step: int) -> dict:
        """Goes back to a checkpoint; gives the progress."""
        folder = self.run.checkpoint(step)
        if (folder / STATE).is_file():
            return read_state(folder / STATE, self.optimizer)
        if not (folder / PROGRESS).is_file():
            raise RunError(f"{folder}: the trainer's state is broken: neither {STATE} nor "
                           f"{PROGRESS}", "train.broken_state", MALFORMED)
        dcp.load(self._state(), checkpoint_id=folder / SHARDS)
        progress = json.loads((folder / PROGRESS).read_text("utf-8"))
        self.optimizer.step_count = progress["updates"]
        return progress

    def write(self, progress: dict, form: str | None = None) -> None:
        """Writes a checkpoint; shards are ready some time after this returns."""
        self.finish()
        step, is_first = progress["step"], self.group.is_first
        path = self.group.by_first(lambda: StagedFolder(self.run.checkpoint(step)).make())
        staged = StagedFolder(self.run.checkpoint(step), path)
        best = progress["best_step"]
        if (form or self.form) == "shards":
            if is_first:
                (staged.path / PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
            self.pending = Pending(step, dcp.async_save(
                self._state(), checkpoint_id=staged.path / SHARDS,
                process_group=self.exchange), staged, best)
        else:
            write_state(staged.path / STATE if is_first else None, progress, self.optimizer)
            if not self.factors_only:
                package = staged.path / "package"
                if is_first:
                    package.mkdir()
                self._fill(package if is_first else None, torch.float32)
            self._publish(staged, best)
            self.group.wait()
        self.last = time.monotonic()

    def poll(self) -> None:
        """Publishes a checkpoint that has been written; its errors come here."""
        if self.pending and self.pending.future.done():
            self.finish()

    def finish(self) -> None:
        """Waits for the checkpoint that is being written."""
        pending, self.pending = self.pending, None
        if pending:
            try:
                pending.future.result()
            except BaseException as error:
                # Torch's writer does not say why.
                if shutil.disk_usage(self.run.path).free < self.state_bytes:
                    raise OSError(errno.ENOSPC, "", str(pending.staged.path)) from error
                raise
            self._publish(pending.staged, pending.best)

    def write_result(self, type: torch.dtype) -> None:
        self.finish()
        if self.adapted:
            whole = [slot.tensor for slot in self.optimizer.slots if not is_factor(slot.tensor.name)]
            self._write(self.run.factors, lambda folder: write_factors(
                folder, self.recipe, list(self.adapted.values()), whole))
        if not self.factors_only:
            self._write(self.run.package, lambda folder: self._fill(folder, type))

    def _write(self, destination: Path, fill: Callable[[Path | None], None]) -> None:
        """Makes a folder of the result; the first process fills it, and the others get None."""
        staged = StagedFolder(destination) if self.group.is_first else None
        fill(staged and staged.make())
        if staged:
            staged.publish()
        self.group.wait()

    def _publish(self, staged: StagedFolder, best: int | None) -> None:
        if self.group.is_first:
            staged.publish()
            keeps = self.recipe["checkpoints.every"] > 0
            self.run.prune(self.recipe["checkpoints.keep"] if keeps else 1, best if keeps else None)

    def _state(self) -> dict:
        """Tensors, spread as they are: what is trained, and its moments."""
        state = {}
        for slot in self.optimizer.slots:
            name, like = slot.tensor.name, slot.parameter
            state[f"parameters.{name}"] = like.detach()
            state[f"first_moments.{name}"] = spread_like(slot.first, like)
            if slot.second is not None:
                state[f"second_moments.{name}"] = spread_like(slot.second, like)
        return state

    def _fill(self, folder: Path | None, type: torch.dtype) -> None:
        """Gathers the weights, a tensor at a time, and fills a model folder; None on others."""
        weights = {}
        for tensor in self.tensors:
            values = self._weight(tensor)
            if folder:
                weights[tensor.name] = values.to("cpu", type).contiguous()
        if folder:
            write_package(self.model, folder, self._config_changes(type), weights)
        self.group.wait()

    def _weight(self, tensor: TrainedTensor) -> Tensor | None:
        """All of a tensor; every process takes part. What is not trained is read again where it came
        from, by the first alone, and the products of factors are added."""
        like = tensor.parameter
        if like.requires_grad:
            return full(local(like.detach()), like=like)
        values = None
        if self.group.is_first:
            # A copy: what is read may lie in memory that other reads share.
            values = self.stored.rows(tensor.name, like.shape, slice(None)).to(
                torch.float32, copy=True)
        if tensor.name in self.adapted:
            self.adapted[tensor.name].merge(values)
        return values

    def _config_changes(self, type: torch.dtype) -> dict:
        recipe, name = self.recipe, str(type).removeprefix("torch.")
        return {
            "dtype": name, "torch_dtype": name,
            "mean_recurrence": recipe["recurrence.fixed"] or recipe["recurrence.mean.end"],
            "mean_backprop_depth": recipe["recurrence.backprop_depth.end"],
        }
