"""vLLM serves an exported folder, with the tokens of `ckpt generate`."""

import json
import shutil

import pytest

pytest.importorskip("vllm")


@pytest.fixture(scope="session")
def folder(ckpt, tmp_path_factory):
    """A function: a case exported for r passes."""

    def make(case, r):
        path = tmp_path_factory.mktemp("served") / "model"
        ckpt("export", case.package, "--to", "transformers", "--recurrence", r, "-o", path)
        return path

    return make


@pytest.mark.parametrize("r", [1, 4, 8])
@pytest.mark.parametrize("name", ["smollm2", "llama", "qwen", "gemma", "experts"])
def test_tokens_are_those_of_ckpt(name, r, case, folder, engine, same):
    """One prompt at a time, all at once, and with prefixes that are in the cache."""
    model = case(name)
    request = dict(folder=str(folder(model, r)), prompts=model.prompts, tokens=64)
    found = engine("serve_vllm.py", request)
    wanted = model.wanted(r)
    same(found["single"], wanted)
    same(found["batched"], wanted)
    same(found["again"], wanted, first=64)
    # Layers with windows let blocks go, and what is left may serve no prefix.
    assert name == "gemma" or min(found["cached"]) >= 64


def test_weights_are_stored_once(case, folder):
    """At any r: under the names of the package's."""
    from safetensors import safe_open

    def names(path):
        with safe_open(path / "model.safetensors", "pt") as file:
            return {key: file.get_slice(key).get_shape() for key in file.keys()}

    model = case("qwen")
    assert names(folder(model, 1)) == names(folder(model, 8))


def test_the_field_of_the_recurrence_can_be_set(case, folder, engine, same):
    """One folder serves every r."""
    model = case("llama")
    options = dict(hf_overrides=dict(mean_recurrence=4))
    request = dict(
        folder=str(folder(model, 1)), prompts=model.prompts, tokens=64, options=options)
    same(engine("serve_vllm.py", request)["batched"], model.wanted(4))


@pytest.mark.parametrize("name", ["qwen", "experts"])
def test_two_workers_share_the_weights(name, case, folder, engine, same):
    """Tensor parallelism: the same tokens."""
    model = case(name)
    options = dict(tensor_parallel_size=2)
    request = dict(
        folder=str(folder(model, 4)), prompts=model.prompts, tokens=64, options=options)
    same(engine("serve_vllm.py", request)["batched"], model.wanted(4))


def test_the_chat_template(case, folder, engine, ckpt):
    """A user's message through the model's own template."""
    model = case("smollm2")
    prompt = "What is the capital of France?"
    request = dict(folder=str(folder(model, 2)), prompts=[prompt], tokens=32, chat=True)
    found = engine("serve_vllm.py", request)["chat"][0]
    options = ("--chat", "--max-tokens", 32, "--recurrence", 2)
    wanted = ckpt.json("generate", model.package, "--prompt", prompt, *options)["ids"]
    assert found[: len(wanted)] == wanted


def changed(folder, target, change):
    """A copy of a folder with another config.json."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    change(config)
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_a_number_of_layers_that_is_not_executed_is_refused(case, folder, engine, tmp_path):
    """With both numbers, and the field that sets r."""
    model = case("llama")
    fields = dict(mean_recurrence=2, num_hidden_layers=12)
    path = changed(folder(model, 4), tmp_path / "model", lambda c: c.update(fields))
    request = dict(folder=str(path), prompts=["1"], tokens=1)
    said = engine("serve_vllm.py", request, fails=True)
    assert "num_hidden_layers is 12, but 8 layers are executed at mean_recurrence 2" in said


def test_heads_that_the_engine_cannot_take_are_refused(ckpt, package, engine, tmp_path):
    """The shipped model has heads of 16 values."""
    ckpt("export", package, "--to", "transformers", "-o", tmp_path / "model")
    request = dict(folder=str(tmp_path / "model"), prompts=["1"], tokens=1)
    said = engine("serve_vllm.py", request, fails=True)
    assert "no attention here for heads of 16 values; it has it for 32, 64" in said
