"""Carries a model through a run: steps, evaluations, checkpoints, logs.

What happens at a step follows from recipe, data and state alone, and not from how many processes
share the work, but for the rounding of sums.
"""

import math
import sys
import time
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F

from train_data import IGNORED, Dataset, Place
from train_optimizer import Optimizer
from train_parallel import Group, full, local, spread
from train_parameters import ADAPTER, Ledger, tensors_of
from train_recipe import Recipe
from train_run import STATE, RunError, RunFolder, StagedFolder, write_package
from train_schedule import RecurrenceSampler
from train_state import new_progress, read_state, write_state
from train_teacher import Teacher

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# Places of rows, passes (without gradient, with), seed of the state, labels.
MicroBatch = tuple[list[Place], tuple[int, int], int, int]
PATIENCE = 20  # steps without a finite gradient, one after another, that end a run


class Stopped(Exception):
    """A signal came; the run can go on from its last checkpoint."""


class Trainer:
    """One process's part of a run."""

    def __init__(
        self, model: torch.nn.Module, options: Namespace, recipe: Recipe, data: Dataset,
        run: RunFolder, group: Group,
    ):
        self.options, self.recipe, self.data, self.run, self.group = (
            options, recipe, data, run, group)
        self.micro = recipe.micro_batch_size
        self.micro_count = recipe["batch_size"] // self.micro
        if self.micro_count % group.size:
            raise RunError(
                f"{self.micro_count} micro-batches a step cannot be divided among {group.size} "
                f"processes; choose batch_size and micro_batch_size so that they can")
        if recipe["mode"] == "adapter":
            if model.config.injection_type != "linear":
                raise RunError("mode is adapter, and the model has no adapter to train")
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(name == ADAPTER)
        self.callable = spread(model.to(group.device), options.parallel, group)
        self.tensors = tensors_of(model)
        trained = [t for t in self.tensors if t.parameter.requires_grad]
        self.ledger = Ledger(model, self.tensors)
        self.teacher = None
        if recipe["distillation.teacher"]:
            self.teacher = Teacher(
                recipe, model.get_input_embeddings().num_embeddings, group.device)
        self.optimizer = Optimizer(recipe, trained, group)
        self.progress = new_progress(len(data.tokens))
        self.is_stopping = False  # set when a signal comes to this process
        self.must_stop = False  # whether one came to any, as of the last step
        self.must_save = False  # whether a checkpoint is late, as of the last step
        self.last_save = time.monotonic()

    def resume(self) -> None:
        """Goes back to the last checkpoint; to the start where there is none yet."""
        steps = self.run.steps()
        if steps:
            path = self.run.checkpoint(steps[-1]) / STATE
            self.progress = read_state(path, self.optimizer)
        self.group.wait()
        if self.group.is_first:
            self.run.rewind(self.progress["step"] if steps else -1)
        self._say(f"goes on after step {self.progress['step']} of {self.recipe['steps']}" if steps
                  else "there is no checkpoint to go on from: starts again at step 1")

    def train(self) -> None:
        """To the end; writes the trained model."""
        recipe, progress = self.recipe, self.progress
        if progress["step"] == 0:
            self._evaluate()
        while progress["step"] < recipe["steps"]:
            self._step()
            is_last = progress["step"] == recipe["steps"]
            is_due = self._is_due("evaluation.every")
            is_best = self._evaluate() if is_last or is_due else False
            if self.must_stop:
                self._save()
                raise Stopped
            is_best = is_best and recipe["checkpoints.every"] > 0
            is_due = is_best or self.must_save or self._is_due("checkpoints.every")
            if recipe["checkpoints.final"] if is_last else is_due:
                self._save()
        if progress["skipped_in_a_row"]:
            raise self._diverged()
        self._require_finite()
        staged = StagedFolder(self.run.package) if self.group.is_first else None
        self._write_package(staged and staged.path, TYPES[self.options.save_dtype])
        if staged:
            staged.publish()

    def _is_due(self, setting: str) -> bool:
        every = self.recipe[setting]
        return every > 0 and self.progress["step"] % every == 0

    def _is_late(self) -> bool:
        minutes = self.recipe["checkpoints.minutes"]
        waited = (time.monotonic() - self.last_save) / 60
        return self.group.is_first and minutes > 0 and waited >= minutes

    # MARK: A step

    def _step(self) -> None:
        start = time.monotonic()
        recipe, progress, total = self.recipe, self.progress, self.recipe["steps"]
        step, sampler = progress["step"], recipe.sampler
        mean = sampler.mean_at(step, total)
        depth = sampler.backprop_depth.value(step, total)
        plan = self._plan(sampler)
        draws = [draw for _, draw, _, _ in plan]
        labels = sum(count for *_, count in plan)
        for slot in self.optimizer.slots:
            slot.parameter.grad = None
        losses = torch.zeros(2, dtype=torch.float64, device=self.group.device)
        mine = dealt(plan, self.group.size)[self.group.rank]
        for index, (places, draw, seed, _) in enumerate(mine):
            is_last = index + 1 == len(mine)
            losses += self._accumulate(places, draw, seed, max(labels, 1), is_last)
        flags = torch.tensor([float(self.is_stopping), float(self._is_late())]).to(losses)
        *sums, stopping, late = self.group.sum(torch.cat([losses, flags])).tolist()
        loss, divergence = (total / labels if labels else math.nan for total in sums)
        self.must_stop, self.must_save = stopping > 0, late > 0
        norm = self.optimizer.norm()
        rate = recipe.schedule.factor(step, total)
        if labels:  # a step of prompts alone has nothing to learn from
            self._update(norm, loss, rate)
        tokens = recipe["batch_size"] * recipe["sequence_length"]
        progress["step"] += 1
        progress["tokens"] += tokens
        progress["flops"] += self.ledger.paper(tokens, mean, depth)
        for n, k in draws:
            progress["flops_full"] += self.ledger.full(
                tokens // self.micro_count, recipe["sequence_length"], n, k)
        if self.teacher:
            progress["flops_full"] += 2 * tokens * self.teacher.cost(recipe["sequence_length"])
        seconds = time.monotonic() - start
        progress["seconds"] += seconds
        self._log_step(loss, divergence, norm, rate, mean, draws, tokens / max(seconds, 1e-9))

    def _plan(self, sampler: RecurrenceSampler) -> list[MicroBatch]:
        """The step's micro-batches."""
        plan, progress = [], self.progress
        for _ in range(self.micro_count):
            places = [self.data.next_row(progress["rows_read"]) for _ in range(self.micro)]
            number = progress["micro_batches"]
            draw = sampler.draw(number, progress["step"], self.recipe["steps"])
            _, labels, _ = self.data.batch(places)
            plan.append(
                (places, draw, sampler.state_seed(number), int((labels != IGNORED).sum())))
            progress["micro_batches"] += 1
        return plan

    def _accumulate(
        self, places: list[Place], draw: tuple[int, int], seed: int, labels: int, is_last: bool
    ) -> torch.Tensor:
        """Adds the gradient of a micro-batch's part in the mean over the step's labels.

        Gives the sums of its loss, and of how far the teacher is away.
        """
        holds_back = not is_last and hasattr(self.callable, "no_sync")
        with self.callable.no_sync() if holds_back else nullcontext():
            loss, divergence, _ = self._loss(places, draw, seed, self.teacher)
            total = self.teacher.mixed(loss, divergence) if self.teacher else loss
            # Gradients are averaged over the processes, where the sum is wanted.
            (total * (self.group.size / labels)).backward()
        return torch.stack([loss, divergence]).detach().double()

    def _loss(
        self, places: list[Place], passes: int | tuple[int, int], seed: int,
        teacher: Teacher | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Sums over the labels of rows of loss and divergence, and how many labels there are."""
        device = self.group.device
        tokens, labels, positions = self.data.batch(places)
        count = int((labels != IGNORED).sum())
        tokens, labels = torch.from_numpy(tokens).to(device), torch.from_numpy(labels).to(device)
        if positions is not None:
            positions = torch.from_numpy(positions).to(device)
        is_bf16 = self.recipe["precision"] == "bf16"
        with torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
            logits = self.callable(
                input_ids=tokens, position_ids=positions, num_steps=passes, state_seed=seed,
                use_cache=False).logits
            taught = teacher.logits(tokens, positions) if teacher else None
        loss = F.cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")
        divergence = teacher.divergence(logits, taught, labels) if teacher else loss.new_zeros(())
        return loss, divergence, count

    def _update(self, norm: float, loss: float, rate: float) -> None:
        progress, clip = self.progress, self.recipe["optimizer.clip"]
        if not (math.isfinite(norm) and math.isfinite(loss)):
            progress["skipped"] += 1
            progress["skipped_in_a_row"] += 1
            self._say(f"step {progress['step'] + 1}: the gradient is not finite, no update")
            if progress["skipped_in_a_row"] >= PATIENCE:
                raise self._diverged()
            return
        progress["skipped_in_a_row"] = 0
        self.optimizer.step(min(1, clip / (norm + 1e-6)) if clip > 0 else 1, rate)
        progress["updates"] = self.optimizer.step_count

    def _diverged(self) -> RunError:
        return RunError(f"loss or gradient was not finite in the last "
                        f"{self.progress['skipped_in_a_row']} steps; "
                        "lower the learning rate, or lengthen the warm-up")

    def _require_finite(self) -> None:
        """Before anything is written that nobody can use."""
        bad = sum(not bool(local(t.parameter.data).isfinite().all()) for t in self.tensors)
        total = self.group.sum(torch.tensor([float(bad)], device=self.group.device))
        if total.item() > 0:
            raise RunError(f"after step {self.progress['step']}, weights are not finite; "
                           "lower the learning rate, or lengthen the warm-up")

    def _log_step(
        self, loss: float, divergence: float, norm: float, rate: float, mean: int,
        draws: list[tuple[int, int]], speed: float,
    ) -> None:
        progress, count = self.progress, len(draws)
        record = {
            "step": progress["step"], "tokens": progress["tokens"], "loss": loss,
            "mean_recurrence": mean, "recurrence": sum(n + k for n, k in draws) / count,
            "backprop_depth": sum(k for _, k in draws) / count,
            "lr": self.recipe.main_learning_rate * rate, "grad_norm": norm,
            "tokens_per_second": speed, "flops": progress["flops"],
            "flops_full": progress["flops_full"], "seconds": progress["seconds"],
        }
        if self.teacher:
            record["divergence"] = divergence
        if self.group.is_first:
            self.run.log(record)
        self._say(f"step {progress['step']}/{self.recipe['steps']}  loss {loss:.4f}  "
                  f"r {record['recurrence']:.1f}  {speed:.0f} tokens/s")

    def _say(self, text: str) -> None:
        if self.group.is_first:
            print(text, file=sys.stderr, flush=True)

    # MARK: Beside the steps

    @torch.no_grad()
    def _evaluate(self) -> bool:
        """Measures the held-out loss; gives whether it is the best so far."""
        recipe, progress = self.recipe, self.progress
        places = self.data.held_out(recipe["evaluation.rows"])
        size = recipe["micro_batch_size"]
        batches = [places[i:i + size] for i in range(0, len(places), size)]
        results = []
        for recurrence in recipe["evaluation.recurrences"]:
            sums = torch.zeros(2, dtype=torch.float64, device=self.group.device)
            # Every process runs as many batches, as the model may be spread over all of them.
            for first in range(0, len(batches), self.group.size):
                index = first + self.group.rank
                loss, _, count = self._loss(
                    batches[min(index, len(batches) - 1)], recurrence, recipe["seed"])
                if index < len(batches):
                    sums += torch.stack([loss.double(), torch.tensor(count).to(sums)])
            total, count = self.group.sum(sums).tolist()
            loss = total / count if count else math.nan
            results.append({"recurrence": recurrence, "loss": loss})
        if not results:
            return False
        if self.group.is_first:
            self.run.log_evaluation({
                "step": progress["step"], "tokens": progress["tokens"], "results": results})
        mean = sum(result["loss"] for result in results) / len(results)
        self._say(f"held out, step {progress['step']}  " + "  ".join(
            f"r = {result['recurrence']}: {result['loss']:.4f}" for result in results))
        best = progress["best_loss"]
        if not mean < (math.inf if best is None else best):
            return False
        progress["best_loss"], progress["best_step"] = mean, progress["step"]
        return True

    def _save(self) -> None:
        """Writes a checkpoint."""
        self._require_finite()
        step = self.progress["step"]
        staged = StagedFolder(self.run.checkpoint(step)) if self.group.is_first else None
        write_state(staged and staged.path / STATE, self.progress, self.optimizer)
        package = staged and staged.path / "package"
        if package:
            package.mkdir()
        self._write_package(package, torch.float32)
        if staged:
            staged.publish()
            keeps = self.recipe["checkpoints.every"] > 0
            self.run.prune(self.recipe["checkpoints.keep"] if keeps else 1,
                           self.progress["best_step"] if keeps else None)
        self.last_save = time.monotonic()
        self._say(f"checkpoint of step {step}: {self.run.checkpoint(step)}")

    def _write_package(self, folder: Path | None, type: torch.dtype) -> None:
        """Gathers the weights, a tensor at a time, and fills a model folder; None on others."""
        weights = {}
        for tensor in self.tensors:
            values = full(local(tensor.parameter.data), like=tensor.parameter)
            if folder:
                weights[tensor.name] = values.to("cpu", type).contiguous()
        if folder:
            write_package(self.options.model, folder, self._config_changes(type), weights)
        self.group.wait()

    def _config_changes(self, type: torch.dtype) -> dict:
        recipe, name = self.recipe, str(type).removeprefix("torch.")
        return {
            "dtype": name, "torch_dtype": name,
            "mean_recurrence": recipe["recurrence.fixed"] or recipe["recurrence.mean.end"],
            "mean_backprop_depth": recipe["recurrence.backprop_depth.end"],
        }


def dealt(plan: list[MicroBatch], hands: int) -> list[list[MicroBatch]]:
    """A step's micro-batches, shared out among the processes.

    They are sorted by cost and dealt back and forth, so that all have about the same work, and at
    the same time: the depths differ, and the deepest is waited for.
    """
    # A pass with gradient costs three times one without.
    costly = sorted(plan, key=lambda batch: batch[1][0] + 3 * batch[1][1], reverse=True)
    result = [[] for _ in range(hands)]
    for i in range(0, len(costly), hands):
        row = costly[i:i + hands]
        for hand, batch in zip(result, row if i // hands % 2 == 0 else reversed(row)):
            hand.append(batch)
    return result
