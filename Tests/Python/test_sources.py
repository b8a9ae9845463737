"""The same model in every format that weights come in gives the same package, family by family."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

FAMILIES = ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"]
SELECT = ("--select", "0-1/3-5/6-7")


def digest(package):
    """SHA-256 of a package's weight file."""
    return hashlib.sha256((package / "model.safetensors").read_bytes()).hexdigest()


@pytest.fixture(params=FAMILIES)
def source(request, golden):
    """A source model's folder."""
    return golden / request.param / "source"


@pytest.fixture
def state(source):
    """Its tensors by name."""
    tensors = {}
    for path in sorted(source.glob("*.safetensors")):
        tensors.update(load_file(path))
    return tensors


@pytest.mark.parametrize("form", ["zip", "legacy", "shards"])
def test_torch(ckpt, retrofit, source, state, form, tmp_path):
    """What torch.save writes, in its newer form, its older one, and in shards with an index."""
    shutil.copy(source / "config.json", tmp_path)
    if form == "shards":
        files = {name: f"pytorch_model-0000{1 + i % 2}-of-00002.bin" for i, name in enumerate(state)}
        for file in set(files.values()):
            torch.save({k: v for k, v in state.items() if files[k] == file}, tmp_path / file)
        index = {"metadata": {"total_size": 0}, "weight_map": files}
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    else:
        torch.save(
            state,
            tmp_path / "pytorch_model.bin",
            _use_new_zipfile_serialization=form == "zip",
        )
    ckpt("retrofit", tmp_path, *SELECT, "-o", tmp_path / "package")
    assert digest(tmp_path / "package") == digest(retrofit(source, *SELECT))


def test_gguf(ckpt, retrofit, source, tmp_path):
    """A GGUF file: other names, rows of query and key in another order, vectors in float32."""
    gguf = tmp_path / "model.gguf"
    ckpt("convert", source, "-o", gguf)
    options = (*SELECT, "--dtype", "f32")
    ckpt("retrofit", gguf, *options, "-o", tmp_path / "package")
    assert digest(tmp_path / "package") == digest(retrofit(source, *options))


def test_renamed_keys(ckpt, retrofit, source, tmp_path):
    """The configuration in the spelling of transformers 5."""
    for path in source.iterdir():
        shutil.copy(path, tmp_path)
    config = json.loads((source / "config.json").read_text())
    scaling = config.pop("rope_scaling", None) or {"rope_type": "default"}
    config["rope_parameters"] = {**scaling, "rope_theta": config.pop("rope_theta")}
    config["dtype"] = config.pop("torch_dtype")
    (tmp_path / "config.json").write_text(json.dumps(config))
    ckpt("retrofit", tmp_path, *SELECT, "-o", tmp_path / "package")
    assert digest(tmp_path / "package") == digest(retrofit(source, *SELECT))
    ours = json.loads((tmp_path / "package" / "config.json").read_text())
    theirs = json.loads((retrofit(source, *SELECT) / "config.json").read_text())
    assert ours == theirs
