"""llama.cpp runs what can be written as plain layers, with the text of `ckpt generate`."""

import pytest

pytest.importorskip("xllamacpp", reason="llama.cpp is not installed; run make engines")

PROMPTS = ["12+7=", "3+4=7. 20+9=", "The small dog"]


@pytest.fixture(scope="session")
def unrolled(ckpt, models, tmp_path_factory):
    """A function: a package whose core only repeats, and its layers for r passes as a GGUF file."""

    def make(name, r):
        folder = tmp_path_factory.mktemp("unrolled")
        ckpt("retrofit", models / name, "--prelude", 2, "--core", 2, "--coda", 2, "--adapter", "state",
             "--state", "embedding", "--dtype", "f32", "-o", folder / "package")
        ckpt("export", folder / "package", "--to", "unrolled", "--recurrence", r, "-o",
             folder / "plain")
        ckpt("convert", folder / "plain", "-o", folder / "plain.gguf")
        return folder / "package", folder / "plain.gguf"

    return make


@pytest.mark.parametrize("r", [1, 4])
@pytest.mark.parametrize("name", ["llama", "qwen"])
def test_unrolled_layers_give_the_text_of_ckpt(ckpt, unrolled, engine, name, r):
    package, file = unrolled(name, r)
    found = engine("serve_llamacpp.py", dict(file=str(file), prompts=PROMPTS, tokens=48))["texts"]
    for prompt, text in zip(PROMPTS, found):
        wanted = ckpt.json("generate", package, "--prompt", prompt, "--recurrence", r,
                           "--max-tokens", 48)["text"]
        assert wanted and text.startswith(wanted)


def test_a_package_is_refused_by_name(ckpt, package, engine, tmp_path):
    """llama.cpp has no such architecture, and says which."""
    ckpt("convert", package, "-o", tmp_path / "package.gguf")
    request = dict(file=str(tmp_path / "package.gguf"), prompts=["1"], tokens=1)
    assert "unknown model architecture: 'recurrent'" in engine(
        "serve_llamacpp.py", request, fails=True)
