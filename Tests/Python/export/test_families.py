"""Every family of fixtures/families as a retrofit, exported and run by transformers.

The numbers of the recurrent form are transformers' own: its decoder layers, run in the order of the
retrofit (Scripts/make_family_fixtures.py).
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "families"
ALL = sorted(path.name for path in FOLDER.iterdir() if (path / "numbers.safetensors").is_file())
CONFIGS = {name: json.loads((FOLDER / name / "model" / "config.json").read_text()) for name in ALL}
EXPERTS = [
    name
    for name, config in CONFIGS.items()
    if any(config.get(key) for key in ("num_experts", "num_local_experts"))
]
MODELS = [name for name in ALL if name not in EXPERTS]
# The numbers of the others have the gradient of the loss that balances experts in them.
UNBALANCED = MODELS + [x for x in EXPERTS if CONFIGS[x].get("router_aux_loss_coef") == 0]
# One of each way to differ, for what takes longer.
SOME = [
    "gemma2-types",
    "gemma3-types",
    "granite-factors",
    "mistral-window",
    "mixtral-packed",
    "olmo3-yarn",
    "phi3-longrope",
    "qwen3-window",
    "qwen3moe-mixed",
    "smollm3-list",
]
CLOSE = 1e-5
IS_CURRENT = int(transformers.__version__.split(".")[0]) >= 5
# Frequencies that change as a sequence grows: a cache keeps keys as they were turned.
GROWING = ("dynamic", "longrope", "phi3-short")


@pytest.fixture(scope="session")
def numbers():
    """A function: the numbers of a fixture."""
    return lambda name: load_file(FOLDER / name / "numbers.safetensors")


@pytest.fixture(scope="session")
def family(ckpt, retrofit, numbers, tmp_path_factory):
    """A function: the package of layers 0-1, 3-4 and 5 of a fixture, with its adapter."""

    def make(name):
        adapter = tmp_path_factory.getbasetemp() / f"{name}.safetensors"
        if not adapter.exists():
            save_file({"adapter": numbers(name)["adapter"]}, adapter)
        layers = ("--select", "0-1/3-4/5")
        head = ("--head", "keep", "--mean-recurrence", 3, "--mean-backprop", 2)
        return retrofit(FOLDER / name / "model", *layers, *head, "--adapter", adapter)

    return make


@pytest.fixture(scope="session")
def exported(family, export):
    """A function: the same, exported."""
    return lambda name: export(family(name))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ALL)
def test_logits_are_those_of_transformers_own_layers(
    name, attention, exported, load, numbers, distance
):
    """Windows, caps, factors, norms and positions of every family, with a given start."""
    wanted = numbers(name)
    model = load(exported(name), attn_implementation=attention)
    with torch.no_grad():
        output = model(wanted["input_ids"], num_steps=3, initial_state=wanted["initial_state"])
    assert distance(output.latent, wanted["recurrent.latent"]) < CLOSE
    assert distance(output.logits, wanted["recurrent.logits"]) < CLOSE


@pytest.mark.parametrize("name", ALL)
def test_logits_and_hidden_states_are_those_of_trace(
    name, exported, load, numbers, trace, distance
):
    """With a start that both draw."""
    ids = numbers(name)["input_ids"]
    model = load(exported(name))
    for r in (1, 3):
        wanted = trace(exported(name), r, "logits,hidden,latent", input_ids=ids)
        with torch.no_grad():
            output = model(ids, num_steps=r, output_hidden_states=True)
        assert distance(output.logits, wanted["logits"]) < CLOSE
        assert distance(output.latent, wanted["latent"]) < CLOSE
        assert distance(torch.stack(output.hidden_states), wanted["hidden"]) < CLOSE


@pytest.mark.parametrize("name", UNBALANCED)
def test_gradients_are_those_of_transformers_own_layers(name, exported, load, numbers, distance):
    """Of the adapter and the embedding, after one pass without gradient and two with."""
    wanted = numbers(name)
    model = load(exported(name))
    output = model(
        wanted["input_ids"],
        shift_labels=wanted["labels"],
        num_steps=(1, 2),
        initial_state=wanted["initial_state"],
    )
    output.loss.backward()
    assert distance(output.loss.detach(), wanted["recurrent.loss"][0]) < CLOSE
    gradient = model.transformer.adapter.weight.grad
    assert distance(gradient, wanted["grad.adapter"]) < 1e-4
    gradient = model.transformer.wte.weight.grad
    assert distance(gradient, wanted["grad.model.embed_tokens.weight"]) < 1e-4


@pytest.mark.parametrize("name", [x for x in ALL if not any(y in x for y in GROWING)])
def test_cached_decoding_is_the_whole_pass(name, exported, load, numbers, distance):
    """In pieces, beyond every window."""
    model = load(exported(name))
    ids = numbers(name)["input_ids"]
    with torch.no_grad():
        whole = model(ids, num_steps=2).logits
        cache, logits = None, []
        for piece in ids.split([9, 1, 6, 1, 1, 6], dim=1):
            output = model(piece, past_key_values=cache, use_cache=True, num_steps=2)
            cache = output.get("cache", output.get("past_key_values"))
            logits.append(output.logits)
    assert distance(torch.cat(logits, dim=1), whole) < CLOSE


@pytest.mark.parametrize("name", SOME)
def test_padded_rows_have_the_logits_that_they_have_alone(name, exported, load, numbers, distance):
    """Left of the tokens, with windows and with frequencies that depend on the length."""
    model = load(exported(name))
    ids = numbers(name)["input_ids"]
    padded = torch.cat([torch.zeros(2, 5, dtype=torch.long), ids.repeat(2, 1)], dim=1)[:, :24]
    mask = torch.ones_like(padded)
    mask[1, :5] = 0
    with torch.no_grad():
        together = model(padded, attention_mask=mask, num_steps=2).logits[1, 5:]
        alone = model(ids[:, :19].repeat(2, 1), num_steps=2).logits[1]
    assert distance(together, alone) < CLOSE


@pytest.mark.parametrize("name", SOME)
def test_packed_documents_do_not_see_each_other(name, exported, load, numbers, distance):
    """Rows whose positions begin anew; a cache would mix them, so it is refused."""
    model = load(exported(name))
    ids = numbers(name)["input_ids"]
    positions = torch.cat([torch.arange(10), torch.arange(14)])[None]
    with torch.no_grad():
        packed = model(ids, position_ids=positions, num_steps=2).logits
        apart = [model(part, num_steps=2).logits for part in (ids[:, :10], ids[:, 10:])]
        if "longrope" not in name:
            # Those depend on the longest document of a row.
            assert distance(packed, torch.cat(apart, dim=1)) < CLOSE
        with pytest.raises(ValueError, match="use_cache=False"):
            model(ids, position_ids=positions, num_steps=2, use_cache=True)


@pytest.mark.parametrize("name", SOME)
def test_a_saved_model_is_the_same_model(
    name, ckpt, exported, load, numbers, trace, distance, tmp_path
):
    """For transformers and for ckpt."""
    model = load(exported(name))
    ids = numbers(name)["input_ids"]
    saved = tmp_path / "saved"
    model.save_pretrained(saved)
    with torch.no_grad():
        wanted = model(ids, num_steps=2).logits
        assert torch.equal(load(saved)(ids, num_steps=2).logits, wanted)
    assert distance(trace(saved, 2, "logits", input_ids=ids)["logits"], wanted) < CLOSE
    assert ckpt.json("verify", saved)["verdict"] == "consistent"
    assert ckpt.json("verify", exported(name))["verdict"] == "passed"


def changed(folder, target, change):
    """A copy of `folder` whose configuration `change` has edited."""
    shutil.copytree(folder, target)
    file = target / "config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))
    return target


def test_specs_that_the_fields_contradict_are_refused(ckpt, exported, tmp_path):
    """By ckpt, with the member's name and both values."""

    def window(config):
        config["block_specs"]["distinct"][0]["attention"]["window"] = 7

    def stranger(config):
        config["block_specs"]["distinct"][0]["mlp"]["dropout"] = 0.5

    for number, (change, path) in enumerate(
        [
            (window, "block_specs.distinct.0.attention.window"),
            (stranger, "block_specs.distinct.0.mlp.dropout"),
        ]
    ):
        folder = changed(exported("mistral-window"), tmp_path / str(number), change)
        done = ckpt.run("verify", folder)
        assert done.returncode == 3, done.stderr
        assert path in done.stderr and "config.invalid_value" in done.stderr


def test_specs_that_the_code_does_not_know_are_refused(exported, load, tmp_path):
    """By the modelling code, when it is loaded."""
    changes = {
        "activation": lambda c: c["block_specs"]["distinct"][0]["mlp"].update(activation="relu"),
        "rotary.type": lambda c: c["block_specs"]["distinct"][0]["attention"]["rotary"].update(
            type="spiral"
        ),
        "experts": lambda c: c["block_specs"]["distinct"][0]["mlp"].update(experts=4),
        "block_specs.core": lambda c: c["block_specs"].update(core=[0]),
    }
    for number, (name, change) in enumerate(changes.items()):
        folder = changed(exported("mistral-full"), tmp_path / str(number), change)
        with pytest.raises(ValueError, match=name):
            load(folder)


@pytest.mark.parametrize("name", ALL)
def test_plain_layers_are_the_familys_own_class(
    name, ckpt, retrofit, load, numbers, trace, distance, tmp_path
):
    """`--to unrolled` at an adapter that passes the prelude's output on."""
    kind = CONFIGS[name]
    if not IS_CURRENT:
        pytest.skip("the families' own classes of transformers 5")
    layers = ("--select", "0-1/3-4/5")
    package = retrofit(FOLDER / name / "model", *layers, "--head", "keep", "--adapter", "prelude")
    plain = tmp_path / "plain"
    ckpt("export", package, "--to", "unrolled", "--recurrence", 1, "-o", plain)
    # Grouped products want wider matrices than these have.
    more = {"experts_implementation": "eager"} if name in EXPERTS else {}
    model = load(plain, attn_implementation="eager", **more)
    assert type(model).__name__ == kind["architectures"][0]
    ids = numbers(name)["input_ids"]
    with torch.no_grad():
        logits = model(ids).logits
    assert distance(logits, trace(package, 1, "logits", input_ids=ids)["logits"]) < CLOSE
