"""The training script of an exported folder, against the bundled trainer on the same recipe."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from safetensors import safe_open

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
TEACHER = Path(__file__).resolve().parents[2] / "fixtures/tiny-arithmetic"
# Three shards that are read more than once, and token ids beside them.
STREAMED = [
    "data.stream=true", "data.shuffle_buffer=30", "data.attention=document", "data.format=auto",
    "data.sources={folder}/shards:0.7,{folder}/data/0-heldout.txt.tokens:0.3", "data.held_out=0.1"]
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
        f"distillation.teacher={TEACHER}", "distillation.mix=0.7", "distillation.temperature=2"]),
    "recurrent teacher": (0, [], ["distillation.teacher={model}", "mode=adapter"]),
    "documents apart, teacher": (2, ["--parallel", "fsdp"], [
        "data.attention=document", f"distillation.teacher={TEACHER}"]),
    "streamed": (2, [], STREAMED),
    "adapter": (2, ["--parallel", "fsdp"], [
        "mode=adapter", "recurrence.fixed=3", "optimizer.clip=0.1"]),
}
PATIENCE = 900  # seconds for a run that takes a few on an idle machine
TOLERANCE = 1e-4  # on losses, in nats: different libraries, the same formulas


class Trainers:
    """Both trainers, on one package and one set of data."""

    def __init__(self, ckpt, package, model, folder):
        self.ckpt, self.package, self.model, self.folder = ckpt, package, model, folder
        self.recipe = folder / "data" / "recipe.yaml"

    def bundled(self, name, settings, *options):
        run = self.folder / name
        if "--resume" not in options:
            options = ("--recipe", self.recipe, *options)
        assignments = [part for setting in settings for part in ("--set", setting)]
        self.ckpt("train", self.package, "-o", run, "--threads", 1, *assignments, *options)
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

    def script(self, name, processes, *options):
        run, process = self.start(name, processes, *options)
        _, notes = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, notes
        return run

    def refused(self, name, *options, **variables):
        """The exit code and the words of a run that must not be."""
        run, process = self.start(name, 0, *options, **variables)
        _, notes = process.communicate(timeout=PATIENCE)
        return process.returncode, notes


@pytest.fixture(scope="module")
def trainers(ckpt, package, root, tmp_path_factory):
    """Text and masked records of two weights, made into tokens, and the exported model."""
    folder = tmp_path_factory.mktemp("torchrun")
    (folder / "recipe.yaml").write_text(RECIPE)
    with open(folder / "sums.jsonl", "w") as file:
        for i in range(400):
            print(json.dumps({"prompt": f"{i}+1=", "completion": f"{i + 1}."}), file=file)
    (folder / "shards").mkdir()
    for part, count in enumerate([70, 5, 90]):
        with open(folder / f"shards/{part}.jsonl", "w") as file:
            for i in range(count):
                print(json.dumps({"prompt": f"{part}.{i}+1=", "completion": f"{part}.{i + 1}."}), file=file)
    ckpt("train", package, "--recipe", folder / "recipe.yaml", "--data",
         root / "fixtures/text/heldout.txt", f"{folder / 'sums.jsonl'}:0.5",
         "--cache", folder / "cache", "--prepare", "-o", folder / "data")
    ckpt("export", package, "--to", "transformers", "-o", folder / "model")
    return Trainers(ckpt, package, folder / "model", folder)


@pytest.fixture(scope="module")
def runs(trainers):
    """The run of both trainers in each case."""
    made, bundled = {}, {}

    def make(case):
        if case not in made:
            processes, more, settings = CASES[case]
            settings = [
                part.format(model=trainers.model, folder=trainers.folder) for part in settings]
            options = [part for setting in settings for part in ("--set", setting)]
            name, key = case.replace(" ", "-"), tuple(settings)
            if key not in bundled:
                bundled[key] = trainers.bundled(f"{name}-bundled", settings)
            made[case] = (
                bundled[key],
                trainers.script(f"{name}-script", processes, "--recipe", trainers.recipe,
                                *more, *options))
        return made[case]

    return make


def records(run, name="metrics.jsonl"):
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def assert_same_losses(run, other, tolerance=TOLERANCE):
    ours, theirs = records(run), records(other)
    assert len(ours) == len(theirs) == 20
    for a, b in zip(ours, theirs):
        assert abs(a["loss"] - b["loss"]) <= tolerance, a["step"]
    for a, b in zip(records(run, "evaluations.jsonl"), records(other, "evaluations.jsonl")):
        assert a["step"] == b["step"]
        for x, y in zip(a["results"], b["results"], strict=True):
            assert x["recurrence"] == y["recurrence"]
            assert abs(x["loss"] - y["loss"]) <= tolerance


@pytest.mark.parametrize("case", CASES)
def test_losses_are_those_of_the_bundled_trainer(runs, case):
    """Over 20 steps, on one process and on two, for every optimizer and both ways to share."""
    bundled, script = runs(case)
    assert_same_losses(script, bundled)
    for a, b in zip(records(script), records(bundled)):
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-2)
        for key in ("tokens", "mean_recurrence", "recurrence", "backprop_depth"):
            assert a[key] == b[key]
        assert a.get("divergence", 0) == pytest.approx(b.get("divergence", 0), abs=TOLERANCE)
        assert ("divergence" in a) == ("teacher" in case)
        for key in ("lr", "flops", "flops_full"):
            assert a[key] == pytest.approx(b[key], rel=1e-12)
        assert a["memory_bytes"] > 1 << 20 and a["data_seconds"] >= 0
    assert (script / "recipe.yaml").read_text() == (bundled / "recipe.yaml").read_text()


def test_a_step_may_be_cut_in_any_way(trainers, retrofit, tiny_arithmetic):
    """Loss and gradient are means over the learned tokens of the step, in masked data too."""
    package = retrofit(tiny_arithmetic, "--prelude", 1, "--core", 2, "--coda", 1, "--state", "zero")
    model = trainers.folder / "zero-model"
    trainers.ckpt("export", package, "--to", "transformers", "-o", model)
    both = Trainers(trainers.ckpt, package, model, trainers.folder)
    settings = ["recurrence.fixed=2", "steps=1", "evaluation.rows=2", "batch_size=8"]
    options = [part for setting in settings for part in ("--set", setting)]
    first = None
    for micro, processes in [(8, 0), (4, 0), (1, 0), (2, 2)]:
        cut = f"micro_batch_size={micro}"
        runs = [both.script(f"cut-{micro}", processes, "--recipe", both.recipe, *options,
                            "--set", cut)]
        if not processes:
            runs.append(both.bundled(f"cut-{micro}-bundled", [*settings, cut]))
        for run in runs:
            record = records(run)[0]
            first = first or record
            assert record["loss"] == pytest.approx(first["loss"], rel=1e-6)
            assert record["grad_norm"] == pytest.approx(first["grad_norm"], rel=4e-6)


def test_the_trained_folder_is_a_model_again(trainers, runs):
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


def test_a_stopped_run_goes_on_bit_for_bit(trainers, runs):
    """SIGTERM, a checkpoint, --resume: losses and weights of the run that was not stopped."""
    _, whole = runs("muon")
    run, process = trainers.start("stopped", 0, "--recipe", trainers.recipe)
    while process.poll() is None and not (run / "metrics.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, notes = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, notes
    assert "go on with --resume" in notes and len(records(run)) < 20
    trainers.script("stopped", 0, "--resume")
    assert_same_losses(run, whole, tolerance=0)
    weights = "package/model.safetensors"
    assert (run / weights).read_bytes() == (whole / weights).read_bytes()


@pytest.mark.parametrize("case", ["muon", "streamed"])
@pytest.mark.parametrize("goes_on", ["bundled", "script"])
def test_either_trainer_goes_on_with_a_run_of_the_other(trainers, runs, goes_on, case):
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


def test_shards_serve_any_number_of_processes_and_become_one_file(trainers, runs):
    """A stop under FSDP; one process goes on, and so does `ckpt train` after --convert."""
    bundled, _ = runs("muon")
    run, process = trainers.start(
        "sharded", 2, "--recipe", trainers.recipe, "--parallel", "fsdp", "--set",
        "checkpoints.every=4")
    while process.poll() is None and not (
            (run / "metrics.jsonl").exists() and len(records(run)) > 5):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, notes = process.communicate(timeout=PATIENCE)
    assert notes.count("[train.stopped]") == 1 and len(records(run)) < 20
    last = max((run / "checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))
    assert sorted(path.name for path in last.iterdir()) == ["progress.json", "shards"]
    other = trainers.folder / "converted"
    shutil.copytree(run, other)
    trainers.script(run.name, 0, "--resume")
    trainers.script(other.name, 0, "--convert")
    trainers.bundled(other.name, [], "--resume")
    assert_same_losses(run, bundled)
    assert_same_losses(other, bundled)


def children(process):
    return {int(x) for x in Path(f"/proc/{process.pid}/task/{process.pid}/children")
            .read_text().split()}


def test_a_run_whose_processes_are_killed_ends_as_if_they_were_not(trainers, runs):
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
    _, notes = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, notes
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
    _, notes = process.communicate(timeout=PATIENCE)
    lines = [line for line in notes.splitlines() if " error: " in line]
    assert lines == ["process 1: error: one is unwell [test.unwell]"]
    assert notes.count("exitcode  : 7") == 2
    assert time.monotonic() - start < 300


@pytest.mark.parametrize("processes", [0, 2])
def test_bf16_stays_near_float32(trainers, runs, processes):
    """Weights, moments and sums stay float32; products have eight bits of precision."""
    _, exact = runs("muon")
    parallel = ["--parallel", "fsdp"] if processes else []
    run = trainers.script(f"bf16-{processes}", processes, "--recipe", trainers.recipe, "--set",
                          "precision=bf16", "--peak-flops", "1e12", *parallel)
    differences = [abs(a["loss"] - b["loss"]) for a, b in zip(records(run), records(exact))]
    assert 0 < max(differences) < 0.05
    for before, record in zip(records(run), records(run)[1:]):
        executed = record["flops_full"] - before["flops_full"]
        rate = executed / (record["seconds"] - before["seconds"])
        assert record["mfu"] == pytest.approx(rate / 1e12 / max(processes, 1), rel=1e-6)
    with safe_open(run / "package/model.safetensors", "pt") as file:
        assert all(file.get_slice(name).get_dtype() == "F32" for name in file.keys())


def test_nothing_is_compiled_anew_when_the_depth_changes(trainers, runs):
    """Two forms of a block serve all blocks, passes and depths: with gradient, and without."""
    _, whole = runs("muon")
    run, process = trainers.start("compiled", 0, "--recipe", trainers.recipe, "--compile",
                                  "aot_eager", TORCH_LOGS="recompiles")
    _, notes = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, notes
    assert len({record["recurrence"] for record in records(run)}) > 4
    assert notes.count("Recompiling function") == 1
    assert_same_losses(run, whole)


def test_metrics_are_sent_where_asked(trainers, tmp_path):
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
    run, process = trainers.start("sent", 0, *options, "--log", "wandb", **paths)
    _, notes = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, notes
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
        capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 0, result.stderr
    assert "against one process on the CPU" in result.stdout and "  ok" in result.stdout
    rows = [line.split("eager")[1].split() for line in result.stdout.splitlines() if "eager" in line]
    assert len(rows) == 2 and rows[0][1] == "1.00"
    assert all(float(row[0]) > 0 and 0 < float(row[2].rstrip("%")) < 100 for row in rows)


@pytest.fixture(scope="module")
def script(trainers):
    """Imports a module of the script in the exported folder."""
    sys.path.insert(0, str(trainers.model))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield lambda name: import_module(f"train_{name}")
    sys.dont_write_bytecode = writes
    sys.path.remove(str(trainers.model))


def test_draws_are_those_of_the_bundled_trainer(trainers, script, retrofit, golden, tmp_path):
    """Thousands of them, with the schedules: one micro-batch a step, so the log has each."""
    import numpy

    small = retrofit(golden / "tiny-llama/source", "--prelude", 1, "--core", 1, "--coda", 1)
    numpy.save(tmp_path / "tokens.npy", numpy.arange(20_000, dtype=numpy.uint16) % 60)
    trainers.ckpt(
        "train", small, "--data", tmp_path / "tokens.npy", "-o", tmp_path / "run", "--steps", 3000,
        "--batch-size", 1, "--sequence-length", 1, "--mean-recurrence", 12, "--optimizer", "adamw",
        "--set", "evaluation.rows=1", "--set", "recurrence.backprop_depth.shape=1-sqrt",
        "--set", "recurrence.backprop_depth.ramp=0.3", "--eval-recurrence", 1, "--threads", 1)
    text = (tmp_path / "run/recipe.yaml").read_text()
    recipe = script("recipe").Recipe()
    recipe.apply(text)
    assert recipe.text() == text
    sampler, schedule = recipe.sampler, recipe.schedule
    for index, record in enumerate(records(tmp_path / "run")):
        without_gradient, with_gradient = sampler.draw(index, index, 3000)
        assert without_gradient + with_gradient == record["recurrence"]
        assert with_gradient == record["backprop_depth"]
        assert sampler.mean_at(index, 3000) == record["mean_recurrence"]
        rate = recipe.main_learning_rate * schedule.factor(index, 3000)
        assert rate == pytest.approx(record["lr"], rel=1e-15)


def test_a_recipe_is_obeyed_or_refused_by_name(trainers, script):
    """Every setting that `ckpt train` prints is known here, with the same default."""
    module = script("recipe")
    recipe = module.Recipe()
    assert recipe.text() == trainers.ckpt("train", trainers.package, "--print-recipe")
    for text, words in [
        ("optimizer: {clup: 1}", 'x.yaml:1: there is no setting "optimizer.clup"; '
                                 'did you mean "optimizer.clip"?'),
        ("steps: 0", "steps is 0; allowed: a whole number from 1"),
        ("steps: 1_0", "steps is 1_0"),
        ("\nsteps: [1]", "x.yaml:2: steps is a list"),
        ("steps: {a: 1}", "steps is a mapping"),
        ("lora: {matrices: [query, bias]}", "a list of query, key"),
        ("distillation: {temperature: 0}", "a number from 0.01"),
        ("evaluation: {recurrences: [0]}", "whole numbers from 1"),
        ("schedule: {warmup: 1.5}", "a share from 0.0 to 1.0"),
        ("optimizer: {adam: {beta1: nan}}", "a number from 0 to 1"),
        ("a: &a 1\nb: *a", "x.yaml:2: aliases are not allowed"),
        ("steps", "not a mapping"),
        ("a: [", "not a recipe"),
    ]:
        with pytest.raises(module.RecipeError) as error:
            module.Recipe().apply(text, "x.yaml")
        assert words in str(error.value)
    refused = {
        "mode=lora": "mode is lora",
        "memory_budget=16GiB": "--memory recurrence",
        "recurrence.settling=0.1": "recurrence.settling is set.*set it to 0",
        "recurrence.supervision.depths=2": "recurrence.supervision.depths is set.*set it to 0",
        "evaluation.questions=sums.jsonl": "leave it empty",
    }
    for setting, words in refused.items():
        other = module.Recipe()
        other.set(*setting.split("="))
        with pytest.raises(module.RecipeError, match=words):
            other.refuse_what_only_ckpt_does()
    # Epsilon's default follows the optimizer, unless it was set after it.
    recipe.apply("optimizer: {kind: adamw}")
    assert recipe["optimizer.adam.epsilon"] == 1e-8


def test_data_that_cannot_be_used_is_refused(script, tmp_path):
    import numpy

    module, recipe = script("data"), script("recipe").Recipe()

    def refusal(source, vocabulary=100):
        recipe.set("data.sources", [str(tmp_path / source)] if source else [])
        with pytest.raises(module.DataError) as error:
            data = module.Dataset(recipe, vocabulary)
            data.batch([data.next_row(data.start)])
        return str(error.value)

    recipe.apply("sequence_length: 4")
    (tmp_path / "a.gz").write_bytes(bytes(9))
    (tmp_path / "b.tokens").write_bytes(b"ckpttok1" + bytes(80))
    numpy.save(tmp_path / "c.npy", numpy.zeros(9, dtype=numpy.float32))
    numpy.save(tmp_path / "d.npy", numpy.full(40, 100))
    numpy.save(tmp_path / "e.npy", numpy.arange(9))
    assert "binary data of no known kind" in refusal("a.gz")
    assert "88 bytes for 0 tokens" in refusal("b.tokens")
    assert "not an array of token ids" in refusal("c.npy")
    assert "token id 100" in refusal("d.npy")
    assert "9 tokens, at least 10" in refusal("e.npy")
    assert "not a positive weight" in refusal("e.npy:none")
    assert "nothing to train on" in refusal(None)


def test_the_loss_by_chunks_is_the_loss(script, monkeypatch):
    """Values and gradients, of a head with capped results, against torch's own."""
    import torch
    import torch.nn.functional as F

    module = script("loss")
    monkeypatch.setattr(module, "CHUNK", 3 * 11)
    torch.manual_seed(0)
    labels = torch.randint(11, (8,))
    labels[2] = labels[7] = -100
    hidden, head = torch.randn(8, 5, requires_grad=True), torch.randn(11, 5, requires_grad=True)
    capped = lambda x: 2 * torch.tanh(x / 2)  # noqa: E731
    total, loss, _ = module.ChunkedLoss.apply(
        hidden, head, labels, capped, torch.float32, None, None, True)
    (total * 0.5).backward()
    ours = hidden.grad.clone(), head.grad.clone()
    hidden.grad = head.grad = None
    theirs = F.cross_entropy(capped(hidden @ head.T), labels, reduction="sum")
    (theirs * 0.5).backward()
    torch.testing.assert_close(loss.float(), theirs.detach())
    torch.testing.assert_close(ours, (hidden.grad, head.grad))


def test_what_a_machine_lacks_is_said(script, tmp_path):
    import errno

    errors, run = script("errors"), script("run").RunFolder(tmp_path)
    run.require_room(1)
    with pytest.raises(errors.RunError, match="make room") as error:
        run.require_room(1 << 62)
    assert error.value.exit_code == 5
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "a/b")
        except OSError as cause:
            raise RuntimeError("torch's words") from cause
    except RuntimeError as failure:
        known = errors.known(failure)
    assert known.exit_code == 5 and "a/b: the disk is full" in known.line()
    lost = errors.known(RuntimeError("[gloo/pair.cc] Connection closed by peer"))
    assert lost.code == "train.lost_process"


def test_the_script_says_what_is_wrong(trainers, runs):
    """Before it touches the run folder, in the words and with the exit codes of `ckpt train`."""
    recipe = ["--recipe", trainers.recipe]
    for code, options, words in [
        (64, ["--set", "steps=0", *recipe], "steps is 0; allowed: a whole number from 1"),
        (3, ["--set", "stops=1", *recipe], 'there is no setting "stops"'),
        (5, ["--set", "distillation.teacher=missing", *recipe], "cannot load the teacher"),
        (5, ["--data", "missing", *recipe], "missing: cannot open: No such file or directory"),
        (5, ["--resume"], "there is no run to go on with"),
        (64, ["--parallel", "none"], "invalid choice"),
    ]:
        found, notes = trainers.refused("never", *options)
        assert (found, words in notes) == (code, True), notes
        assert not (trainers.folder / "never").exists()
    _, script = runs("muon")
    for code, options, words in [
        (6, recipe, "the folder holds a run already"),
        (64, ["--resume", "--set", "seed=5"], "the run was started with seed = 74, not 5"),
    ]:
        found, notes = trainers.refused(script.name, *options)
        assert (found, words in notes) == (code, True), notes


# Models whose blocks are built otherwise: experts with their balance, norms on both sides of each half,
# norms after. And over how many processes the script trains, its options, and settings.
FAMILIES = {
    "olmoe-default": [
        (0, [], []), (2, ["--parallel", "fsdp"], []), (2, ["--memory", "recurrence"], []),
        (2, ["--memory", "block"], ["optimizer.kind=adamw", "micro_batch_size=2"])],
    "gemma3-heads": [(0, [], []), (2, ["--parallel", "fsdp"], ["optimizer.kind=adamw"])],
    "olmo3-default": [(0, [], [])],
}


@pytest.fixture(scope="module")
def of_family(ckpt, root, tmp_path_factory):
    """Both trainers on a package of a family's tiny model, each made once."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            shutil.copytree(root / "fixtures/families" / name / "model", folder / "source")
            path = folder / "source/config.json"
            config = json.loads(path.read_text())
            if "router_aux_loss_coef" in config:
                path.write_text(json.dumps({**config, "router_aux_loss_coef": 2.0}))
            tokens = [i * 7919 % 45 + 3 for i in range(8192)]
            (folder / "data.bin").write_bytes(b"".join(t.to_bytes(2, "little") for t in tokens))
            (folder / "recipe.yaml").write_text(RECIPE)
            ckpt("retrofit", folder / "source", "--prelude", 1, "--core", 2, "--coda", 2, "-o",
                 folder / "package")
            ckpt("train", folder / "package", "--recipe", folder / "recipe.yaml", "--data",
                 folder / "data.bin", "--cache", folder / "cache", "--prepare", "-o",
                 folder / "data")
            ckpt("export", folder / "package", "--to", "transformers", "-o", folder / "model")
            made[name] = Trainers(ckpt, folder / "package", folder / "model", folder)
        return made[name]

    return make


@pytest.mark.parametrize("name", FAMILIES)
def test_losses_of_other_families(of_family, name):
    """Experts' balance is in the gradients: its loss is that of the bundled trainer, in one process and in
    two, whatever is computed again."""
    trainers = of_family(name)
    bundled = {}
    for number, (processes, more, settings) in enumerate(FAMILIES[name]):
        options = [part for setting in settings for part in ("--set", setting)]
        key = tuple(settings)
        if key not in bundled:
            bundled[key] = trainers.bundled(f"bundled-{number}", settings)
        run = trainers.script(f"script-{number}", processes, "--recipe", trainers.recipe, *more,
                              *options)
        assert_same_losses(run, bundled[key])
        for a, b in zip(records(run), records(bundled[key])):
            assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-2)
            assert a["flops_full"] == pytest.approx(b["flops_full"], rel=1e-12)


def test_the_balance_matters(of_family, tmp_path):
    """Without it the losses are others."""
    trainers = of_family("olmoe-default")
    model = tmp_path / "model"
    shutil.copytree(trainers.model, model)
    text = (model / "config.json").read_text()
    (model / "config.json").write_text(text.replace('"balance": 2.0', '"balance": 0.0'))
    run, process = trainers.start("even", 0, "--recipe", trainers.recipe, model=model)
    assert process.wait(PATIENCE) == 0, process.stderr.read()
    with pytest.raises(AssertionError):
        assert_same_losses(run, trainers.folder / "script-0")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_state_of_other_families(of_family, name):
    """A run of either trainer is gone on with by the other: each tensor has one place in the state."""
    trainers = of_family(name)
    whole = trainers.bundled("whole", [])
    script = trainers.script("other", 0, "--recipe", trainers.recipe)
    for run in (whole, script):
        copy = trainers.folder / f"{run.name}-goes-on"
        shutil.copytree(run, copy)
        shutil.rmtree(copy / "package")
        shutil.rmtree(copy / "checkpoints/step-20")
        if run is script:
            trainers.bundled(copy.name, [], "--resume")
        else:
            trainers.script(copy.name, 0, "--resume")
        assert_same_losses(copy, whole)
