"""A package in GGUF, read by the reference implementation and by ckpt."""

import json

import numpy
from gguf import GGUFReader
from safetensors.numpy import load_file


def test_every_tensor_and_file_is_there(ckpt, trained, tmp_path):
    """Names, shapes and bytes, the adapter's among them; the configuration byte for byte."""
    path = tmp_path / "package.gguf"
    ckpt("convert", trained, "-o", path)
    reader = GGUFReader(path)

    def value(key):
        return reader.fields[key].contents()

    assert value("general.architecture") == "recurrent"
    assert value("recurrent.prelude_count") == 2 and value("recurrent.core_count") == 4
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        assert value(f"recurrent.file.{name}") == (trained / name).read_text()
    weights = load_file(trained / "model.safetensors")
    assert {tensor.name for tensor in reader.tensors} == set(weights)
    assert any("adapter" in name for name in weights)
    for tensor in reader.tensors:
        wanted = weights[tensor.name]
        assert tensor.data.shape == wanted.shape and tensor.data.dtype == wanted.dtype
        numpy.testing.assert_array_equal(tensor.data, wanted)


def test_ckpt_goes_on_from_the_file(ckpt, trained, tmp_path):
    """The same loss and text, and the same folder again."""
    path, back = tmp_path / "package.gguf", tmp_path / "back"
    ckpt("convert", trained, "-o", path)
    ckpt("convert", path, "-o", back)
    for name in ("config.json", "tokenizer.json"):
        assert json.loads((back / name).read_text()) == json.loads((trained / name).read_text())
    options = ("--prompt", "12+7=", "--recurrence", 3, "--max-tokens", 12)
    losses = ("--data", "fixtures/text/heldout.txt", "--recurrence", "1,4", "--windows", 2)
    for model in (path, back):
        assert ckpt("generate", model, *options) == ckpt("generate", trained, *options)
        found, wanted = ckpt.json("eval", model, *losses), ckpt.json("eval", trained, *losses)
        assert found["results"] == wanted["results"]
