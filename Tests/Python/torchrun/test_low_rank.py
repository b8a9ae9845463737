"""Low-rank factors: what the script makes of them, beside the losses, is what the bundled trainer does."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

FACTORS = "factors/adapter_model.safetensors"
PACKAGE = "package/model.safetensors"
LORA = ["--set", "mode=lora", "--set", "optimizer.kind=adamw"]
SHARDS = ["--parallel", "fsdp"]


@pytest.mark.parametrize("case", ["lora in shards", "lora in copies of shards, teacher"])
def test_factors_and_package_are_those_of_the_bundled_trainer(runs, case, assert_same_tensors):
    bundled, script = runs(case)
    ours, theirs = (json.loads((run / "factors/adapter_config.json").read_text())
                    for run in (script, bundled))
    assert ours == theirs and list(ours) == list(theirs)
    assert_same_tensors(script, bundled, FACTORS, 5e-3)
    assert_same_tensors(script, bundled, PACKAGE, 1e-4)


def test_peft_adds_the_factors(trainers, runs):
    """To the model that the run started from: the logits and the weights of the run's package."""
    _, run = runs("lora in shards")
    ids = torch.arange(3, 27).reshape(2, 12)

    def load(folder):
        return AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=True, dtype=torch.float32).eval()

    adapted, trained = PeftModel.from_pretrained(load(trainers.model), run / "factors"), load(run / "package")
    with torch.no_grad():
        before, got, want = (
            model(input_ids=ids, num_steps=3).logits for model in (load(trainers.model), adapted.eval(), trained))
    assert (want - before).norm() > 1e-2 * before.norm()
    assert (got - want).norm() < 1e-5 * want.norm()
    merged = adapted.merge_and_unload().state_dict()
    for key, value in trained.state_dict().items():
        assert torch.allclose(merged[key], value, atol=1e-6), key


def test_factors_start_with_the_same_numbers(trainers, script, assert_same_tensors):
    """To the bit, in shards of which some are empty: with a learning rate of 0 they stay."""
    settings = ["mode=lora", "optimizer.kind=adamw", "optimizer.adam.learning_rate=0", "lora.rank=3",
                "steps=1", "seed=5"]
    bundled = trainers.bundled("start-bundled", settings)
    options = [part for setting in settings for part in ("--set", setting)]
    run = trainers.script("start", 4, "--recipe", trainers.recipe, *SHARDS, *options)
    assert_same_tensors(run, bundled, FACTORS, 0)
    stored, package = load_file(trainers.model / "model.safetensors"), load_file(run / PACKAGE)
    assert all(torch.equal(package[key], value.float()) for key, value in stored.items())
    stream = script("random").RandomStream(5, 1 << 63)
    one_by_one = [(stream[i] >> 40) * 2.0**-23 - 1 for i in range(7, 90)]
    assert stream.symmetric(7, 83).tolist() == one_by_one


def test_what_is_frozen_takes_no_gradient_and_lies_in_shards(trainers):
    """Of the gradients and moments there are, a process holds its share; of frozen weights too."""
    model = trainers.folder / "told"
    shutil.copytree(trainers.model, model)
    with open(model / "train_loop.py", "a") as file:
        file.write("""
import json
def told(trainer, step=Trainer._step):
    step(trainer)
    count = lambda tensors: sum(local(x).numel() for x in tensors)
    frozen = [p for p in trainer.callable.parameters() if not p.requires_grad]
    slots = trainer.optimizer.slots
    with open(f"{trainer.run.path}/told-{trainer.group.rank}.json", "w") as file:
        json.dump({"frozen": count(frozen), "gradients of frozen": sum(p.grad is not None for p in frozen),
                   "gradients": count(s.gradient for s in slots), "moments": count(s.first for s in slots)},
                  file)
Trainer._step = told
""")
    run = trainers.script("told-run", 2, "--recipe", trainers.recipe, *SHARDS, *LORA, "--set", "steps=1",
                          "--set", "evaluation.recurrences=", model=model)
    told = [json.loads((run / f"told-{rank}.json").read_text()) for rank in range(2)]
    stored = sum(x.numel() for x in load_file(trainers.model / "model.safetensors").values())
    trained = load_file(run / FACTORS)
    adapter = trained.pop("base_model.model.transformer.adapter.weight").numel()
    # B of query, key and value is theirs side by side, each 0 in the others' rows.
    parts = {key.replace("lora_A", "lora_B"): len(x) // 16 for key, x in trained.items() if "lora_A" in key}
    count = adapter + sum(x.numel() // parts.get(key, 1) for key, x in trained.items())
    for name, whole in {"frozen": stored - adapter, "gradients": count, "moments": count}.items():
        assert [x[name] for x in told] == pytest.approx([whole / 2] * 2, rel=0.01)
        assert sum(x[name] for x in told) == whole
    assert all(x["gradients of frozen"] == 0 for x in told)


def test_bf16_and_compiled(trainers, runs, records):
    """Losses near those of float32; and what is written is what was trained, not what FSDP gathers in
    bfloat16: factors added to the weights in float32 are the package."""
    bundled, _ = runs("lora")
    run = trainers.script("lora-bf16", 2, "--recipe", trainers.recipe, *SHARDS, *LORA, "--set",
                          "precision=bf16", "--set", "optimizer.adam.learning_rate=0.005",
                          "--compile", "aot_eager")
    differences = [abs(a["loss"] - b["loss"]) for a, b in zip(records(run), records(bundled))]
    assert 0 < max(differences) < 0.1
    before, after = load_file(trainers.model / "model.safetensors"), load_file(run / PACKAGE)
    factors, prefix = load_file(run / FACTORS), "base_model.model."
    names = [key[len(prefix):-len(".lora_A.weight")] for key in factors if "lora_A" in key]
    assert len(names) == 32
    for name in names:
        a, b = (factors[f"{prefix}{name}.lora_{side}.weight"] for side in "AB")
        wanted = before[f"{name}.weight"].float() + 32 / 16 * b @ a
        assert torch.allclose(after[f"{name}.weight"], wanted, atol=1e-6)
    frozen = after.keys() - {f"{name}.weight" for name in names} - {"transformer.adapter.weight"}
    assert all(torch.equal(after[key], before[key].float()) for key in frozen)


def test_shards_of_factors_serve_any_number_of_processes_and_become_one_file(
        trainers, runs, assert_shards_serve_all):
    bundled, _ = runs("lora")
    run = trainers.script(
        "lora-sharded", 2, "--recipe", trainers.recipe, *SHARDS, *LORA, "--set",
        "optimizer.adam.learning_rate=0.005", "--set", "checkpoints.final=false")
    shutil.rmtree(run / "package")
    shutil.rmtree(run / "factors")
    (run / "recipe.yaml").write_text((run / "recipe.yaml").read_text().replace("final: false", "final: true"))
    assert_shards_serve_all(run, run / "checkpoints/step-10", bundled)


def test_factors_only_leaves_nothing_else(trainers):
    run = trainers.script("alone", 0, "--recipe", trainers.recipe, *LORA, "--set", "steps=2", "--factors-only")
    assert (run / FACTORS).is_file() and not (run / "package").exists()
    assert [path.name for path in (run / "checkpoints/step-2").iterdir()] == ["trainer_state.safetensors"]
    trainers.bundled(run.name, [], "--resume", "--steps", 3, "--factors-only")


def test_bad_settings_are_refused_in_the_same_words(trainers):
    for settings in (["lora.rank=1048577"], ["lora.matrices=query,bias"], ["lora.matrices=", "lora.whole="]):
        settings = ["mode=lora", *settings]
        options = ["--recipe", trainers.recipe, *(part for x in settings for part in ("--set", x))]
        theirs = trainers.ckpt.run("train", trainers.package, "-o", trainers.folder / "never", *options)
        code, ours = trainers.refused("never", *options)
        said = theirs.stderr.splitlines()[0].removeprefix("error: ").replace(
            str(trainers.package), str(trainers.model))
        assert (code, said in ours) == (theirs.returncode, True), (theirs.stderr, ours)
        assert not (trainers.folder / "never").exists()
    code, notes = trainers.refused("never", "--recipe", trainers.recipe, "--factors-only")
    assert code == 64 and "there are no factors in mode full" in notes


def test_a_model_without_an_adapter_is_refused_in_the_same_words(trainers, retrofit, tiny_arithmetic):
    package = retrofit(tiny_arithmetic, "--prelude", 1, "--core", 2, "--coda", 1, "--adapter", "add")
    model = trainers.folder / "added"
    trainers.ckpt("export", package, "--to", "transformers", "-o", model)
    options = ["--recipe", trainers.recipe, "--set", "mode=adapter"]
    theirs = trainers.ckpt.run("train", package, "-o", trainers.folder / "never", *options)
    code, ours = trainers.refused("never", *options, model=model)
    said = "the model has no adapter to train [train.not_trainable]"
    assert (code, said in ours, said in theirs.stderr) == (theirs.returncode, True, True)
