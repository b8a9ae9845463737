"""Runs that stop, are killed or change hands: they end as if they had not."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from safetensors import safe_open


def test_a_stopped_run_goes_on_bit_for_bit(trainers, runs, records, assert_same_losses):
    """SIGTERM, a checkpoint, --resume: losses and weights of the run that was not stopped."""
    _, whole = runs("muon")
    run, process = trainers.start("stopped", 0, "--recipe", trainers.recipe)
    while process.poll() is None and not (run / "metrics.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    notes = trainers.end(process, code=130)
    assert "go on with --resume" in notes and len(records(run)) < 20
    trainers.script("stopped", 0, "--resume")
    assert_same_losses(run, whole, tolerance=0)
    weights = "package/model.safetensors"
    assert (run / weights).read_bytes() == (whole / weights).read_bytes()


@pytest.mark.parametrize("case", ["muon", "streamed", "lora"])
@pytest.mark.parametrize("goes_on", ["bundled", "script"])
def test_either_trainer_goes_on_with_a_run_of_the_other(
        trainers, runs, assert_same_losses, goes_on, case):
    bundled, script = runs(case)
    run = trainers.folder / f"other-{case}-{goes_on}"
    shutil.copytree(script if goes_on == "bundled" else bundled, run)
    shutil.rmtree(run / "package")
    shutil.rmtree(run / "checkpoints/step-20")
    if goes_on == "bundled":
        trainers.bundled(run.name, [], "--resume")
    else:
        trainers.script(run.name, 2, "--resume", "--parallel", "fsdp")
    assert_same_losses(run, bundled)
    assert progress_of(run) == progress_of(bundled)


def progress_of(run):
    """Where the last checkpoint goes on reading."""
    with safe_open(run / "checkpoints/step-20/trainer_state.safetensors", "np") as file:
        progress = json.loads(file.metadata()["ckpt.trainer"])
    return progress["rows_read"], progress["streams"]


def test_both_trainers_have_read_as_far(runs):
    bundled, script = runs("streamed")
    rows, (streamed, stored) = progress_of(bundled)
    assert progress_of(script) == (rows, [streamed, stored]) and stored is None
    assert sum(rows) == 80 and streamed[0] > 0  # in a later epoch


def test_shards_serve_any_number_of_processes_and_become_one_file(
        trainers, runs, records, assert_shards_serve_all):
    """A stop under FSDP; one process goes on, and so does `ckpt train` after --convert."""
    bundled, _ = runs("muon")
    run, process = trainers.start(
        "sharded", 2, "--recipe", trainers.recipe, "--parallel", "fsdp", "--set",
        "checkpoints.every=4")
    while process.poll() is None and not (
            (run / "metrics.jsonl").exists() and len(records(run)) > 5):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    notes = trainers.end(process, code=None)
    assert notes.count("[train.stopped]") == 1 and len(records(run)) < 20
    last = max((run / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))
    assert_shards_serve_all(run, last, bundled)


def children(process):
    return {int(x) for x in Path(f"/proc/{process.pid}/task/{process.pid}/children")
            .read_text().split()}


def test_a_run_whose_processes_are_killed_ends_as_if_they_were_not(
        trainers, runs, records, assert_same_losses):
    """Three times, at random steps, under torchrun --max-restarts: the same losses to the bit."""
    _, whole = runs("muon in shards")
    run, process = trainers.start(
        "killed", 2, "--recipe", trainers.recipe, "--parallel", "fsdp", "--resume", "auto",
        "--set", "checkpoints.every=3", restarts=3)
    chance = random.Random(16)
    for step in sorted(chance.sample(range(2, 19), 3)):
        while process.poll() is None and not (
                (run / "metrics.jsonl").exists() and len(records(run)) >= step):
            time.sleep(0.02)
        assert process.poll() is None, process.communicate()[1]
        victims = children(process)
        os.kill(chance.choice(sorted(victims)), signal.SIGKILL)
        while process.poll() is None and victims & children(process):
            time.sleep(0.02)
    trainers.end(process)
    assert_same_losses(run, whole, tolerance=0)


def test_an_error_of_one_process_ends_all_in_one_line(trainers):
    model = trainers.folder / "unwell"
    shutil.copytree(trainers.model, model)
    with open(model / "train_loop.py", "a") as file:
        file.write("""
def unwell(trainer, step=Trainer._step):
    if trainer.group.rank == 1 and trainer.progress["step"] == 2:
        raise RunError("one is unwell", "test.unwell", 7)
    step(trainer)
Trainer._step = unwell
""")
    start = time.monotonic()
    _, process = trainers.start("unwell-run", 2, "--recipe", trainers.recipe, model=model)
    notes = trainers.end(process, code=None)
    lines = [line for line in notes.splitlines() if " error: " in line]
    assert lines == ["process 1: error: one is unwell [test.unwell]"]
    assert notes.count("exitcode  : 7") == 2
    assert time.monotonic() - start < 300
