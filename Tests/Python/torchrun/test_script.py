"""What the script leaves behind, sends and says."""

import subprocess
import sys

import pytest


def test_the_trained_folder_is_a_model_again(trainers, runs, records):
    """It opens and becomes a package, and its held-out loss is the run's last one."""
    ckpt, (bundled, script) = trainers.ckpt, runs("muon in shards")
    names = [run["name"] for run in ckpt.json("runs", bundled, script)["runs"]]
    assert names == [bundled.name, script.name]
    assert ckpt.json("verify", script / "package")["verdict"] == "consistent"
    ckpt("retrofit", script / "package", "--head", "keep", "-o", trainers.folder / "package")
    ckpt("verify", trainers.folder / "package")
    # Training has left no file behind in the folder that it read.
    ckpt("verify", trainers.model)
    again = trainers.folder / "again"
    ckpt("train", script / "package", "-o", again, "--recipe", trainers.recipe, "--steps", 1)
    last = records(script, "evaluations.jsonl")[-1]["results"]
    first = records(again, "evaluations.jsonl")[0]["results"]
    for a, b in zip(first, last, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)


def test_metrics_are_sent_where_asked(trainers, records, tmp_path):
    """Through the library's own calls; one that is not installed is named."""
    (tmp_path / "wandb.py").write_text("""
import json
def init(**settings): return Run(open(settings["dir"] + "/sent.jsonl", "w"))
class Run:
    def __init__(self, file): self.file = file
    def log(self, values, step):
        print(json.dumps({**values, "step": step}), file=self.file, flush=True)
""")
    (tmp_path / "tensorboard.py").write_text("raise ImportError")
    options = ["--recipe", trainers.recipe, "--set", "steps=2"]
    paths = {"PYTHONPATH": str(tmp_path)}
    run = trainers.script("sent", 0, *options, "--log", "wandb", **paths)
    sent = {(line["step"], key): line[key] for line in records(run, "sent.jsonl") for key in line}
    assert {key: sent[2, key] for key in records(run)[1]} == records(run)[1]
    held_out = records(run, "evaluations.jsonl")[0]["results"][0]
    assert sent[0, "held_out/r1"] == held_out["loss"]
    code, notes = trainers.refused("unsent", *options, "--log", "tensorboard", **paths)
    assert code == 64 and "pip install tensorboard" in notes


def test_the_check_for_gpus_runs_without_one(trainers):
    """In its smallest form: every row of its table has a number."""
    result = subprocess.run(
        [sys.executable, trainers.model / "gpu_check.py", "--processes", "1", "--recurrence", "2",
         "--sequence-length", "32", "--micro-batch", "1", "--steps", "3", "--precision", "float32",
         "--parallel", "ddp", "--no-compile", "--peak-flops", "1e12"],
        capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stderr
    assert "against one process on the CPU" in result.stdout and "  ok" in result.stdout
    # On a GPU it is tried; here it says why not, and goes on.
    assert "leave --attention flex out: error: flex attention has no backward pass on a CPU" in result.stdout
    rows = [line.split("eager")[1].split() for line in result.stdout.splitlines() if "eager" in line]
    assert len(rows) == 2 and rows[0][1] == "1.00"
    assert all(float(row[0]) > 0 and 0 < float(row[2].rstrip("%")) < 100 for row in rows)


def test_the_script_says_what_is_wrong(trainers, runs):
    """Before it touches the run folder, in the words and with the exit codes of `ckpt train`."""
    recipe = ["--recipe", trainers.recipe]
    for code, options, words in [
        (64, ["--set", "steps=0", *recipe], "steps is 0; allowed: a whole number from 1"),
        (64, ["--set", "stops=1", *recipe], 'there is no setting "stops"'),
        (5, ["--set", "distillation.teacher=missing", *recipe], "cannot load the teacher"),
        (5, ["--data", "missing", *recipe], "missing: cannot open: No such file or directory"),
        (5, ["--resume"], "there is no run to resume"),
        (64, ["--parallel", "none"], "invalid choice"),
    ]:
        found, notes = trainers.refused("never", *options)
        assert (found, words in notes) == (code, True), notes
        assert not (trainers.folder / "never").exists()
    _, script = runs("muon")
    for code, options, words in [
        (6, recipe, "the folder already holds a run"),
        (64, ["--resume", "--set", "seed=5"], "the run was started with seed = 74, not 5"),
    ]:
        found, notes = trainers.refused(script.name, *options)
        assert (found, words in notes) == (code, True), notes
