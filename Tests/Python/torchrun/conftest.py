"""Both trainers on one recipe: that of `ckpt train`, and the script of an exported folder."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from safetensors.torch import load_file

RECIPE = """
steps: 20
batch_size: 4
micro_batch_size: 1
sequence_length: 48
recurrence: {mean: {end: 4}, backprop_depth: {shape: linear, start: 1, end: 3, ramp: 10}}
schedule: {warmup: 2}
evaluation: {rows: 3, recurrences: [1, 3]}
checkpoints: {every: 10}
"""
TEACHER = "distillation.teacher={root}/fixtures/tiny-arithmetic"
# Three shards that are read more than once, and token ids beside them.
STREAMED = [
    "data.stream=true", "data.shuffle_buffer=30", "data.attention=document", "data.format=auto",
    "data.sources={folder}/shards:0.7,{folder}/data/0-heldout.txt.tokens:0.3", "data.held_out=0.1"]
LORA = ["mode=lora", "optimizer.kind=adamw", "optimizer.adam.learning_rate=0.005"]
# Over how many processes the script trains (0 is without torchrun), its options, and settings.
CASES = {
    "muon": (0, [], []),
    "muon in shards": (2, ["--parallel", "fsdp"], []),
    "muon in copies": (2, ["--memory", "recurrence"], []),
    "muon over four": (4, ["--parallel", "fsdp", "--memory", "block"], []),
    "adamw": (2, [], ["optimizer.kind=adamw", "schedule.shape=cosine"]),
    "adamw-atan2 in copies of shards": (4, ["--parallel", "hsdp", "--shard", "2"], [
        "optimizer.kind=adamw-atan2", "optimizer.adam.learning_rate=0.001", "data.epochs=40"]),
    "teacher in shards": (2, ["--parallel", "fsdp"], [
        TEACHER, "distillation.mix=0.7", "distillation.temperature=2"]),
    "recurrent teacher": (0, [], ["distillation.teacher={model}", "mode=adapter"]),
    "documents apart, teacher": (2, ["--parallel", "fsdp"], [
        "data.attention=document", TEACHER]),
    "streamed": (2, [], STREAMED),
    "adapter": (2, ["--parallel", "fsdp"], [
        "mode=adapter", "recurrence.fixed=3", "optimizer.clip=0.1"]),
    "lora": (0, [], LORA),
    "lora in shards": (2, ["--parallel", "fsdp", "--memory", "recurrence"], LORA),
    "lora in copies of shards, teacher": (4, ["--parallel", "hsdp", "--shard", "2"], [
        "mode=lora", "lora.rank=3", "lora.alpha=5", "lora.matrices=query,value,down",
        "lora.whole=adapter,norms,embedding,head", TEACHER]),
}
PATIENCE = 900  # seconds for a run that takes a few on an idle machine
TOLERANCE = 1e-4  # on losses, in nats: different libraries, the same formulas


@dataclass
class Trainers:
    """Both trainers, on one package and one set of data."""

    ckpt: object
    package: Path
    model: Path
    folder: Path

    @property
    def recipe(self):
        return self.folder / "data" / "recipe.yaml"

    def bundled(self, name, settings, *options):
        run = self.folder / name
        if "--resume" not in options:
            options = ("--recipe", self.recipe, *options)
        self.ckpt("train", self.package, "-o", run, "--threads", 1, *assigned(settings), *options)
        return run

    def start(self, name, processes, *options, restarts=0, model=None, **variables):
        """Starts the script; gives its run folder and the process."""
        command = [sys.executable]
        if processes:
            command += ["-m", "torch.distributed.run", "--standalone",
                        "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
        run = self.folder / name
        command += [(model or self.model) / "train.py", "-o", run, *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
        return run, subprocess.Popen(
            list(map(str, command)), stderr=subprocess.PIPE, text=True, env=environment)

    def end(self, process, code=0):
        """Waits for the script, which must end with `code` if one is given; its words."""
        _, notes = process.communicate(timeout=PATIENCE)
        assert code in (None, process.returncode), notes
        return notes

    def script(self, name, processes, *options, **more):
        run, process = self.start(name, processes, *options, **more)
        self.end(process)
        return run

    def refused(self, name, *options, **variables):
        """The exit code and the words of a run that must not be."""
        run, process = self.start(name, 0, *options, **variables)
        notes = self.end(process, code=None)
        return process.returncode, notes


def assigned(settings):
    """The options that make settings."""
    return [part for setting in settings for part in ("--set", setting)]


@pytest.fixture(scope="session")
def prepared(ckpt):
    """A function: both trainers on a package, its data made into tokens and its model exported."""

    def make(package, folder, *data):
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE)
        ckpt("train", package, "--recipe", recipe, "--data", *data, "--cache", folder / "cache",
             "--prepare", "-o", folder / "data")
        ckpt("export", package, "--to", "transformers", "-o", folder / "model")
        return Trainers(ckpt, package, folder / "model", folder)

    return make


@pytest.fixture(scope="session")
def trainers(prepared, package, root, tmp_path_factory):
    """On text, and masked records of half the weight."""
    folder = tmp_path_factory.mktemp("torchrun")
    with open(folder / "sums.jsonl", "w") as file:
        for i in range(400):
            print(json.dumps({"prompt": f"{i}+1=", "completion": f"{i + 1}."}), file=file)
    (folder / "shards").mkdir()
    for part, count in enumerate([70, 5, 90]):
        with open(folder / f"shards/{part}.jsonl", "w") as file:
            for i in range(count):
                record = {"prompt": f"{part}.{i}+1=", "completion": f"{part}.{i + 1}."}
                print(json.dumps(record), file=file)
    text = root / "fixtures/text/heldout.txt"
    return prepared(package, folder, text, f"{folder / 'sums.jsonl'}:0.5")


@pytest.fixture(params=CASES)
def case(request):
    """Each of the cases, where a test does not name some."""
    return request.param


@pytest.fixture(scope="session")
def runs(trainers, root):
    """A function: the runs of both trainers in a case, each made once."""
    made, bundled = {}, {}

    def make(case):
        if case not in made:
            processes, more, settings = CASES[case]
            places = dict(model=trainers.model, folder=trainers.folder, root=root)
            settings = [part.format(**places) for part in settings]
            name, key = case.replace(" ", "-"), tuple(settings)
            if key not in bundled:
                bundled[key] = trainers.bundled(f"{name}-bundled", settings)
            made[case] = (
                bundled[key],
                trainers.script(f"{name}-script", processes, "--recipe", trainers.recipe,
                                *more, *assigned(settings)))
        return made[case]

    return make


@pytest.fixture(scope="session")
def records():
    """A function: the lines of a run's log."""

    def read(run, name="metrics.jsonl"):
        return [json.loads(line) for line in (run / name).read_text().splitlines()]

    return read


@pytest.fixture(scope="session")
def assert_same_losses(records):
    """A function that asks for the same losses of two runs, in training and in evaluations."""

    def compare(run, other, tolerance=TOLERANCE):
        ours, theirs = records(run), records(other)
        assert len(ours) == len(theirs) == 20
        for a, b in zip(ours, theirs):
            assert abs(a["loss"] - b["loss"]) <= tolerance, a["step"]
        for a, b in zip(records(run, "evaluations.jsonl"), records(other, "evaluations.jsonl")):
            assert a["step"] == b["step"]
            for x, y in zip(a["results"], b["results"], strict=True):
                assert x["recurrence"] == y["recurrence"]
                assert abs(x["loss"] - y["loss"]) <= tolerance

    return compare


@pytest.fixture(scope="session")
def assert_shards_serve_all(trainers, assert_same_losses):
    """A function that has one process go on from a run's last checkpoint, which is shards, and `ckpt train`
    after --convert, and asks for the losses of a run that was not stopped."""

    def compare(run, last, whole):
        assert sorted(path.name for path in last.iterdir()) == ["progress.json", "shards"]
        other = trainers.folder / f"{run.name}-converted"
        shutil.copytree(run, other)
        trainers.script(run.name, 0, "--resume")
        trainers.script(other.name, 0, "--convert")
        trainers.bundled(other.name, [], "--resume")
        assert_same_losses(run, whole)
        assert_same_losses(other, whole)

    return compare


@pytest.fixture(scope="session")
def assert_same_tensors():
    """A function that asks for the same tensors in a file of two runs; a share of each one's norm may
    differ, and where that is 0 no bit."""

    def compare(run, other, name, share):
        ours, theirs = (load_file(folder / name) for folder in (run, other))
        assert ours.keys() == theirs.keys()
        for key, value in theirs.items():
            assert (ours[key] - value).norm() <= share * value.norm(), key

    return compare


@pytest.fixture(scope="module")
def script(trainers):
    """Imports a module of the script in the exported folder."""
    sys.path.insert(0, str(trainers.model))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield lambda name: import_module(f"train_{name}")
    sys.dont_write_bytecode = writes
    sys.path.remove(str(trainers.model))
