"""Models whose blocks are built otherwise: experts with their balance, norms on both sides of each half,
norms after, with decays of the state or a gate in the adapter's place."""

import json
import shutil

import pytest

# Over how many processes the script trains, its options, and settings.
FAMILIES = {
    "olmoe-default": [
        (0, [], []), (2, ["--parallel", "fsdp"], []), (2, ["--memory", "recurrence"], []),
        (2, ["--memory", "block"], ["optimizer.kind=adamw", "micro_batch_size=2"]),
        (2, ["--parallel", "fsdp"], ["mode=lora", "lora.rank=3", "micro_batch_size=2"])],
    "gemma3-heads": [(0, [], []), (2, ["--parallel", "fsdp"], ["optimizer.kind=adamw"])],
    "olmo3-default": [
        (0, [], []), (2, ["--parallel", "fsdp"], []), (2, [], ["mode=adapter", "optimizer.kind=adamw"])],
    "smollm3-default": [
        (0, [], []), (2, ["--parallel", "fsdp"], []), (2, [], ["mode=adapter", "optimizer.kind=adamw"])],
}
CHOICES = {
    "olmo3-default": ("--adapter", "diagonal", "--state", "huginn"),
    "smollm3-default": ("--adapter", "gated"),
}


@pytest.fixture(scope="module")
def of_family(ckpt, prepared, root, tmp_path_factory):
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
            ckpt("retrofit", folder / "source", "--prelude", 1, "--core", 2, "--coda", 2,
                 *CHOICES.get(name, ()), "-o", folder / "package")
            made[name] = prepared(folder / "package", folder, folder / "data.bin")
        return made[name]

    return make


@pytest.mark.parametrize("name", FAMILIES)
def test_losses_of_other_families(
        of_family, records, assert_same_losses, assert_same_tensors, name):
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
        if "mode=lora" in settings:
            for file in ("factors/adapter_model.safetensors", "package/model.safetensors"):
                assert_same_tensors(run, bundled[key], file, 1e-4)


def test_the_balance_matters(of_family, assert_same_losses, tmp_path):
    """Without it the losses are others."""
    trainers = of_family("olmoe-default")
    model = tmp_path / "model"
    shutil.copytree(trainers.model, model)
    text = (model / "config.json").read_text()
    (model / "config.json").write_text(text.replace('"balance": 2.0', '"balance": 0.0'))
    run = trainers.script("even", 0, "--recipe", trainers.recipe, model=model)
    with pytest.raises(AssertionError):
        assert_same_losses(run, trainers.folder / "script-0")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_state_of_other_families(of_family, assert_same_losses, name):
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
