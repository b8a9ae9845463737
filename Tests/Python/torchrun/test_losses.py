"""Losses of the script, against those of the bundled trainer on the same recipe."""

from dataclasses import replace

import pytest
from safetensors import safe_open


def test_losses_are_those_of_the_bundled_trainer(runs, case, records, assert_same_losses):
    """Over 20 steps, on one process and on two, for every optimizer and both ways to share."""
    bundled, script = runs(case)
    assert_same_losses(script, bundled)
    for a, b in zip(records(script), records(bundled)):
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-2)
        for key in ("tokens", "mean_recurrence", "recurrence", "backprop_depth"):
            assert a[key] == b[key]
        assert a.get("divergence", 0) == pytest.approx(b.get("divergence", 0), abs=1e-4)
        assert ("divergence" in a) == ("teacher" in case)
        for key in ("lr", "flops", "flops_full"):
            assert a[key] == pytest.approx(b[key], rel=1e-12)
        assert a["memory_bytes"] > 1 << 20 and a["data_seconds"] >= 0
    written, _, recipe = (bundled / "recipe.yaml").read_text().partition("\n")
    assert written.startswith("# Written by ckpt ")
    assert (script / "recipe.yaml").read_text() == recipe


def test_a_step_may_be_cut_in_any_way(trainers, retrofit, tiny_arithmetic, records):
    """Loss and gradient are means over the learned tokens of the step, in masked data too."""
    package = retrofit(tiny_arithmetic, "--prelude", 1, "--core", 2, "--coda", 1, "--state", "zero")
    model = trainers.folder / "zero-model"
    trainers.ckpt("export", package, "--to", "transformers", "-o", model)
    both = replace(trainers, package=package, model=model)
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


@pytest.mark.parametrize("processes", [0, 2])
def test_bf16_stays_near_float32(trainers, runs, records, processes):
    """Weights, moments and sums stay float32; products have eight bits of precision."""
    _, exact = runs("muon")
    parallel = ["--parallel", "fsdp"] if processes else []
    run = trainers.script(f"bf16-{processes}", processes, "--recipe", trainers.recipe, "--set",
                          "precision=bf16", "--peak-flops", "1e12", *parallel)
    differences = [abs(a["loss"] - b["loss"]) for a, b in zip(records(run), records(exact))]
    # 0.052 where the processor has no instructions for bf16, and sums are taken in another order.
    assert 0 < max(differences) < 0.1
    for before, record in zip(records(run), records(run)[1:]):
        executed = record["flops_full"] - before["flops_full"]
        rate = executed / (record["seconds"] - before["seconds"])
        assert record["mfu"] == pytest.approx(rate / 1e12 / max(processes, 1), rel=1e-6)
    with safe_open(run / "package/model.safetensors", "pt") as file:
        assert all(file.get_slice(name).get_dtype() == "F32" for name in file.keys())


def test_nothing_is_compiled_anew_when_the_depth_changes(
        trainers, runs, records, assert_same_losses):
    """Two forms of a block serve all blocks, passes and depths: with gradient, and without."""
    _, whole = runs("muon")
    run, process = trainers.start("compiled", 0, "--recipe", trainers.recipe, "--compile",
                                  "aot_eager", TORCH_LOGS="recompiles")
    notes = trainers.end(process)
    assert len({record["recurrence"] for record in records(run)}) > 4
    assert notes.count("Recompiling function") == 1
    assert_same_losses(run, whole)
