"""From ckpt to transformers, through training there, and back."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

CLOSE = 1e-5


FAMILIES = ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"]


@pytest.mark.parametrize("name", FAMILIES)
def test_a_saved_model_is_the_same_model(
    name, ckpt, folder, load, tokens, trace, distance, tmp_path
):
    """For transformers, which finds the code beside the weights, and for ckpt."""
    model = load(folder(name))
    ids = tokens(model)
    model.save_pretrained(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert {"modeling_recurrent.py", "configuration_recurrent.py", "model.safetensors"} <= names
    again = load(tmp_path / "saved")
    with torch.no_grad():
        wanted = model(ids, num_steps=2).logits
        assert torch.equal(again(ids, num_steps=2).logits, wanted)
    assert set(load_file(tmp_path / "saved" / "model.safetensors")) == set(
        load_file(folder(name) / "model.safetensors")
    )
    found = trace(tmp_path / "saved", 2, "logits", input_ids=ids)["logits"]
    assert distance(found, wanted) < CLOSE
    document = ckpt.json("inspect", tmp_path / "saved")
    before = ckpt.json("inspect", folder(name))
    assert document["parameters"] == before["parameters"]
    assert document["architecture"] == before["architecture"]


@pytest.mark.parametrize("head", ["untied", "tied"])
def test_trained_there_and_back(head, ckpt, folder, load, tokens, trace, distance, tmp_path, root):
    """A few steps of AdamW; ckpt sees what was learned, exports it, and trains on."""
    options = ("--adapter", "prelude", "--head", head)
    model = load(folder("tiny-olmo2", *options)).train()
    ids = tokens(model, batch=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = model(ids, labels=ids, num_steps=(1, 2), state_seed=1).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    saved = tmp_path / "saved"
    model.eval().save_pretrained(saved)
    with torch.no_grad():
        wanted = model(ids, num_steps=3).logits
    assert distance(trace(saved, 3, "logits", input_ids=ids)["logits"], wanted) < CLOSE
    report = ckpt.json("verify", saved)
    assert report["verdict"] == "consistent"
    assert [warning["code"] for warning in report["warnings"]] == ["verify.no_manifest"]
    package = tmp_path / "package"
    ckpt("retrofit", saved, "-o", package, "--head", "keep")
    ckpt("verify", package)
    assert distance(trace(package, 3, "logits", input_ids=ids)["logits"], wanted) < CLOSE
    exported = tmp_path / "exported"
    ckpt("export", saved, "--to", "transformers", "-o", exported)
    with torch.no_grad():
        assert torch.equal(load(exported)(ids, num_steps=3).logits, wanted)


def test_ckpt_trains_on_from_what_was_saved(ckpt, export, package, load, tmp_path, root):
    """The loss of the first step is that of the saved weights."""
    model = load(export(package))
    saved = tmp_path / "saved"
    with torch.no_grad():
        model.transformer.ln_f.weight.mul_(0.5)
    model.save_pretrained(saved)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (saved / name).write_bytes((export(package) / name).read_bytes())
    text = root / "fixtures" / "text" / "heldout.txt"
    options = ("--recurrence", "2", "--windows", "4", "--sequence-length", "32")
    before = ckpt.json("eval", saved, "--data", text, *options)["results"][0]["loss"]
    whole = ckpt.json("eval", package, "--data", text, *options)["results"][0]["loss"]
    assert abs(before - whole) > 0.01
    run = tmp_path / "run"
    steps = ("--steps", 4, "--batch-size", 4, "--sequence-length", 32, "--recurrence", 2)
    ckpt("train", saved, "--data", text, "-o", run, *steps, "--learning-rate", "0.0005")
    after = ckpt.json("eval", run / "package", "--data", text, *options)["results"][0]["loss"]
    assert after < before


def test_a_new_model_of_a_configuration(export, package, tmp_path):
    """Weights drawn, a base model without head, more tokens than before."""
    folder = export(package)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert config.hidden_size == config.n_embd
    # As many as are executed at the mean recurrence, 4.
    assert config.n_layers == 8 and config.num_hidden_layers == 2 + 4 * 4 + 2
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    ids = torch.arange(10).reshape(2, 5)
    assert model(ids, labels=ids).loss.isfinite()
    norms = [p for key, p in model.named_parameters() if "norm" in key or "ln_f" in key]
    assert all(bool((p == 1).all()) for p in norms)
    base = AutoModel.from_pretrained(folder, trust_remote_code=True)
    assert base(ids).latent.shape == (2, 5, config.n_embd)
    rows = config.padded_vocab_size
    model.resize_token_embeddings(rows + 8)
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, trust_remote_code=True)
    assert again(ids).logits.shape == (2, 5, rows + 8)


def test_settings_that_mean_something_else_are_refused(export, package):
    """By the name of the field."""
    config = AutoConfig.from_pretrained(export(package), trust_remote_code=True)
    fields = json.loads((export(package) / "config.json").read_text())
    for field, value in [("injection_type", "gate"), ("n_layers", 99), ("block_specs", {})]:
        with pytest.raises(ValueError, match=field):
            type(config)(**{**fields, field: value})
    fields["rope_scaling"] = {"rope_type": "yarn", "factor": 2.0}
    fields["rope_parameters"] = None
    with pytest.raises(ValueError, match="yarn.*block_specs"):
        type(config)(**fields)
