"""mlx-lm runs an exported folder, with the tokens of `ckpt generate`."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("mlx_lm")


@pytest.fixture(scope="session")
def folder(ckpt, tmp_path_factory):
    """A function: a case exported for mlx-lm, once; r is a setting."""
    made = {}

    def make(case):
        if case.package not in made:
            path = tmp_path_factory.mktemp("mlx") / "model"
            ckpt("export", case.package, "--to", "mlx", "-o", path)
            made[case.package] = path
        return made[case.package]

    return make


@pytest.mark.parametrize("r", [1, 4, 8])
@pytest.mark.parametrize("name", ["smollm2", "llama", "qwen", "gemma"])
def test_tokens_are_those_of_ckpt(name, r, case, folder, engine, same):
    """From a cache, one prompt at a time."""
    model = case(name)
    found = engine("serve_mlx.py", dict(
        folder=str(folder(model)), prompts=model.prompts, tokens=64,
        config=dict(mean_recurrence=r)))
    same(found["single"], model.wanted(r))


@pytest.mark.parametrize("kind", ["llama3", "yarn", "longrope", "dynamic"])
def test_scaled_positions(kind, case, folder, engine, same):
    """Across the length at which LongRoPE changes; `dynamic` up to its first context, where ckpt stops."""
    model = case(f"llama-{kind}")
    found = engine("serve_mlx.py", dict(
        folder=str(folder(model)), prompts=model.prompts, tokens=64,
        config=dict(mean_recurrence=2)))
    same(found["single"], model.wanted(2))


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
def test_a_batch_is_refused_where_positions_depend_on_the_length(kind, case, folder, engine):
    """With the way out."""
    model = case(f"llama-{kind}")
    request = dict(folder=str(folder(model)), prompts=model.prompts, tokens=4, batch=True)
    said = engine("serve_mlx.py", request, fails=True)
    assert f"embedding '{kind}' depends on the length of each sequence; generate one at a time" in said


@pytest.mark.parametrize("name", ["smollm2", "qwen", "gemma"])
def test_a_batch_is_its_prompts(name, case, folder, engine):
    """Prompts of different lengths, padded on the left by mlx-lm."""
    model = case(name)
    found = engine("serve_mlx.py", dict(
        folder=str(folder(model)), prompts=model.prompts, tokens=24, batch=True))
    assert [text[:20] for text in found["texts"]] == [text[:20] for text in found["decoded"]]


def test_the_chat_template(case, folder, engine, ckpt):
    """A user's message through the model's own template."""
    model = case("smollm2")
    prompt = "What is the capital of France?"
    found = engine("serve_mlx.py", dict(
        folder=str(folder(model)), prompts=[prompt], tokens=32, chat=True,
        config=dict(mean_recurrence=2)))
    options = ("--chat", "--max-tokens", 32, "--recurrence", 2)
    wanted = ckpt.json("generate", model.package, "--prompt", prompt, *options)["ids"]
    assert found["single"][0][: len(wanted)] == wanted


def test_four_bits(case, folder, engine, tmp_path):
    """`mlx_lm.convert` quantises it, keeps the code, and the result runs at any r."""
    model = case("smollm2")
    quantised = tmp_path / "quantised"
    command = [sys.executable, "-m", "mlx_lm", "convert", "--hf-path", folder(model)]
    command += ["--mlx-path", quantised, "-q", "--q-bits", "4", "--trust-remote-code"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((quantised / "config.json").read_text())["quantization"]["bits"] == 4
    stored, whole = ((x / "model.safetensors").stat().st_size for x in (quantised, folder(model)))
    assert stored < whole / 5
    for r in (1, 4):
        found = engine("serve_mlx.py", dict(
            folder=str(quantised), prompts=model.prompts[:2], tokens=16,
            config=dict(mean_recurrence=r)))
        assert all(len(ids) == 16 for ids in found["single"])


def test_what_it_converts_is_verified(case, folder, ckpt, tmp_path):
    """ckpt reads whole numbers that `mlx_lm.convert` has written, and refuses four bits by their name."""
    command = [sys.executable, "-m", "mlx_lm", "convert", "--hf-path", folder(case("qwen"))]
    for name, more in (("whole", ["--dtype", "bfloat16"]), ("four", ["-q", "--q-bits", "4"])):
        done = subprocess.run(
            [*command, "--mlx-path", tmp_path / name, "--trust-remote-code", *more],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert ckpt.json("verify", tmp_path / "whole")["verdict"] == "consistent"
    refused = ckpt.run("verify", tmp_path / "four")
    assert refused.returncode == 4 and "quantised (mlx" in refused.stderr


def test_what_it_cannot_run_is_refused(case, folder, engine):
    """A number of passes that is none."""
    request = dict(folder=str(folder(case("llama"))), prompts=["1"], tokens=1)
    for wrong in (0, 1.5, True):
        said = engine("serve_mlx.py", request | dict(config=dict(mean_recurrence=wrong)), fails=True)
        assert f"mean_recurrence is {wrong!r}, not a whole number" in said
