"""Carries a model through a run: steps, evaluations, checkpoints, logs.

What happens at a step follows from recipe, data and state alone, and not from how many processes
share the work, but for the rounding of sums.
"""

import math
import time
from argparse import Namespace

import torch

from train_data import Dataset
from train_errors import CHECK_FAILED, USAGE, RunError, Stopped
from train_evaluation import held_out_losses
from train_group import Group, say
from train_ledger import Ledger
from train_loader import Loader, StepWork, placed_on
from train_lowrank import adapted_of
from train_metrics import Metrics, memory_of, peak_of
from train_model import built, placed
from train_optimizer import Optimizer
from train_parallel import Layout, local, reduces_gradients
from train_parameters import tensors_of
from train_parts import choose_trained
from train_recipe import Recipe
from train_run import RunFolder
from train_save import Saver
from train_state import new_progress
from train_teacher import Teacher

TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
PATIENCE = 20  # steps without a finite gradient, one after another, that end a run


class Trainer:
    """One process's part of a run."""

    def __init__(
        self, options: Namespace, recipe: Recipe, data: Dataset, run: RunFolder, group: Group,
    ):
        self.options, self.recipe, self.data, self.run, self.group = (
            options, recipe, data, run, group)
        self.micro_count = recipe["batch_size"] // recipe.micro_batch_size
        if self.micro_count % group.size:
            raise RunError(
                f"{self.micro_count} micro-batches a step cannot be divided among {group.size} "
                f"processes; choose batch_size and micro_batch_size so that they can",
                "train.uneven_shares", USAGE)
        model = built(options.model, options.attention, group.device)
        choose_trained(model, recipe)
        is_bf16 = recipe["precision"] == "bf16"
        layout = Layout.of(options.parallel, options.shard, group)
        self.callable = placed(
            model, options.model, layout, options.memory, options.compile, is_bf16, recipe["seed"])
        tensors = tensors_of(model)
        adapted = adapted_of(model, tensors)
        self.trained = [t for matrix in adapted for _, *pair in matrix.parts for t in pair]
        self.trained += [t for t in tensors if t.parameter.requires_grad]
        self.ledger = Ledger(model, tensors, self.trained)
        self.teacher = None
        if recipe["distillation.teacher"]:
            self.teacher = Teacher(
                recipe, model.get_input_embeddings().num_embeddings, group.device)
        self.optimizer = Optimizer(recipe, self.trained, layout)
        self.saver = Saver(options, recipe, run, layout, tensors, adapted, self.optimizer)
        self.progress = new_progress(len(data.sources))
        self.peak = peak_of(group, options.peak_flops, is_bf16)
        self.metrics = self.loader = None
        self.is_stopping = False  # set when a signal comes to this process
        self.must_stop = False  # whether one came to any, as of the last step
        self.must_save = False  # whether a checkpoint is late, as of the last step

    def resume(self) -> None:
        """Goes back to the last checkpoint; to the start where there is none yet."""
        steps = self.group.by_first(self.run.steps)
        if steps:
            self.progress = self.saver.read(steps[-1])
        self.group.wait()
        self.group.by_first(lambda: self.run.rewind(self.progress["step"] if steps else -1))
        self._say(f"goes on after step {self.progress['step']} of {self.recipe['steps']}" if steps
                  else "there is no checkpoint to go on from: starting again at step 1")

    def train(self) -> None:
        """To the end; writes the trained model."""
        recipe, progress = self.recipe, self.progress
        if not self.group.by_first(self.run.steps):
            self.group.by_first(lambda: self.run.require_room(self.saver.needed))
        if self.group.is_first:
            self.metrics = Metrics(self.run, self.options.log, recipe.values)
        if progress["step"] == 0:
            self._evaluate()
        self.loader = Loader(self.data, recipe, self.group, progress)
        while progress["step"] < recipe["steps"]:
            self._step()
            self.saver.poll()
            is_last = progress["step"] == recipe["steps"]
            is_best = self._evaluate() if is_last or self._is_due("evaluation.every") else False
            if self.must_stop:
                self._save()
                self.saver.finish()
                self.group.wait()  # until the first process has published it
                raise Stopped(progress["step"])
            is_best = is_best and recipe["checkpoints.every"] > 0
            is_due = is_best or self.must_save or self._is_due("checkpoints.every")
            if recipe["checkpoints.final"] if is_last else is_due:
                # The last is one that `ckpt train` can go on with.
                self._save("file" if is_last else None)
        if progress["skipped_in_a_row"]:
            raise self._diverged()
        self._require_finite()
        self.saver.write_result(TYPES[self.options.save_dtype])

    def convert(self) -> None:
        """Writes the last checkpoint again, as one file."""
        self._save("file")

    def _is_due(self, setting: str) -> bool:
        every = self.recipe[setting]
        return every > 0 and self.progress["step"] % every == 0

    def _save(self, form: str | None = None) -> None:
        self._require_finite()
        self.saver.write(self.progress, form)
        step = self.progress["step"]
        self._say(f"checkpoint of step {step}: {self.run.checkpoint(step)}")

    # MARK: A step

    def _step(self) -> None:
        start = time.monotonic()
        recipe, progress = self.recipe, self.progress
        work, waited = self.loader.next()
        self.optimizer.clear()
        sums = torch.zeros(5, dtype=torch.float64)
        sums[3], sums[4] = self.is_stopping, self.group.is_first and self.saver.is_late
        sums = sums.to(self.group.device)
        for index, (batch, rows) in enumerate(work.mine):
            reduces_gradients(self.callable, index + 1 == len(work.mine))
            total, loss, divergence = self.callable(
                *placed_on(self.group.device, rows), batch.draw, batch.seed, self.teacher)
            # Gradients are averaged over the processes, where the sum is wanted.
            (total * (self.group.size / max(work.labels, 1))).backward()
            sums[0] += loss
            sums[1] += divergence
        sums[2] = self.optimizer.square_sum()
        # The one time that the processor waits for the device.
        *losses, squares, stopping, late = self.group.sum(sums).tolist()
        loss, divergence = (x / work.labels if work.labels else math.nan for x in losses)
        norm = math.sqrt(squares) if squares >= 0 else math.nan
        self.must_stop, self.must_save = stopping > 0, late > 0
        rate = recipe.schedule.factor(progress["step"], recipe["steps"])
        if work.labels:  # a step of prompts alone has nothing to learn from
            self._update(norm, loss, rate)
        executed = self._count(work)
        seconds = time.monotonic() - start
        progress["seconds"] += seconds
        self._log_step(work, loss, divergence, norm, rate, seconds, executed, waited)

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

    def _count(self, work: StepWork) -> float:
        """Adds a step to the run's progress; gives the FLOPs that it executed."""
        recipe, progress = self.recipe, self.progress
        step, total, length = progress["step"], recipe["steps"], recipe["sequence_length"]
        tokens = recipe["batch_size"] * length
        executed = self.ledger.per_step
        executed += sum(self.ledger.full(tokens // self.micro_count, length, *batch.draw)
                        for batch in work.plan)
        if self.teacher:
            executed += 2 * tokens * self.teacher.cost(length)
        progress["flops"] += self.ledger.paper(
            tokens, recipe.sampler.mean_at(step, total),
            recipe.sampler.backprop_depth.value(step, total))
        progress["flops_full"] += executed
        progress["step"] += 1
        progress["tokens"] += tokens
        progress["rows_read"], progress["streams"] = work.cursor.rows_read, work.cursor.streams
        progress["micro_batches"] = work.micro_batches
        return executed

    def _diverged(self) -> RunError:
        return RunError(f"loss or gradient was not finite in the last "
                        f"{self.progress['skipped_in_a_row']} steps; "
                        "lower the learning rate, or lengthen the warm-up", "train.diverged",
                        CHECK_FAILED)

    def _require_finite(self) -> None:
        """Before anything is written that nobody can use."""
        bad = [~local(t.parameter.detach()).isfinite().all() for t in self.trained]
        if self.group.sum(torch.stack(bad).sum().double()).item() > 0:
            raise RunError(f"after step {self.progress['step']}, weights are not finite; "
                           "lower the learning rate, or lengthen the warm-up",
                           "train.weights_not_finite", CHECK_FAILED)

    def _log_step(
        self, work: StepWork, loss: float, divergence: float, norm: float, rate: float,
        seconds: float, executed: float, waited: float,
    ) -> None:
        if not self.group.is_first:
            return
        recipe, progress, count = self.recipe, self.progress, len(work.plan)
        speed = recipe["batch_size"] * recipe["sequence_length"] / max(seconds, 1e-9)
        record = {
            "step": progress["step"], "tokens": progress["tokens"], "loss": loss,
            "mean_recurrence": recipe.sampler.mean_at(progress["step"] - 1, recipe["steps"]),
            "recurrence": sum(sum(batch.draw) for batch in work.plan) / count,
            "backprop_depth": sum(batch.draw[1] for batch in work.plan) / count,
            "lr": recipe.main_learning_rate * rate, "grad_norm": norm,
            "tokens_per_second": speed, "flops": progress["flops"],
            "flops_full": progress["flops_full"], "seconds": progress["seconds"],
            "memory_bytes": memory_of(self.group), "data_seconds": waited,
        }
        if self.peak:
            record["mfu"] = executed / max(seconds, 1e-9) / (self.peak * self.group.size)
        if self.teacher:
            record["divergence"] = divergence
        self.metrics.step(record)
        share = f"  MFU {record['mfu']:.1%}" if self.peak else ""
        self._say(f"step {progress['step']}/{recipe['steps']}  loss {loss:.4f}  "
                  f"r {record['recurrence']:.1f}  {speed:.0f} tokens/s{share}")

    def _say(self, text: str) -> None:
        if self.group.is_first:
            say(text)

    def _evaluate(self) -> bool:
        """Measures the held-out loss; gives whether it is the best so far."""
        progress = self.progress
        results = held_out_losses(self.callable, self.data, self.recipe, self.group)
        if not results:
            return False
        if self.group.is_first:
            self.metrics.evaluation({
                "step": progress["step"], "tokens": progress["tokens"], "results": results})
        mean = sum(result["loss"] for result in results) / len(results)
        self._say(f"held out, step {progress['step']}  " + "  ".join(
            f"r = {result['recurrence']}: {result['loss']:.4f}" for result in results))
        best = progress["best_loss"]
        if not mean < (math.inf if best is None else best):
            return False
        progress["best_loss"], progress["best_step"] = mean, progress["step"]
        return True
