"""What transformers loads of a folder whose code it may not run: tokenizer and plain configuration."""

import shutil

import pytest
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig

TEXT = "12+7=19. The small dog"


@pytest.fixture(scope="session")
def with_tokenizer(root, retrofit, export, tmp_path_factory):
    """A function: an exported folder of a family's fixture, whose blocks differ, with a tokenizer."""

    def make(name):
        source = tmp_path_factory.getbasetemp() / f"tokens-{name}"
        if not source.exists():
            shutil.copytree(root / "fixtures/families" / name / "model", source)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copyfile(root / "fixtures/tiny-arithmetic" / file, source / file)
        options = ("--select", "0-1/3-4/5", "--head", "keep", "--mean-recurrence", 3)
        return export(retrofit(source, *options))

    return make


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize(
    "name", ["gemma2-types", "gemma3-types", "ministral-mixed", "olmo3-types", "qwen2-types"]
)
def test_the_tokenizer(name, saved, with_tokenizer, load, tiny_arithmetic, tmp_path):
    """The layers that are stored and those that are executed are of different numbers."""
    folder = with_tokenizer(name)
    if saved:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
        tokenizer.save_pretrained(tmp_path)
        load(folder).save_pretrained(tmp_path)
        folder = tmp_path
    wanted = AutoTokenizer.from_pretrained(tiny_arithmetic)(TEXT).input_ids
    for options in ({}, {"trust_remote_code": False}, {"trust_remote_code": True}):
        assert AutoTokenizer.from_pretrained(folder, **options)(TEXT).input_ids == wanted
    plain = PretrainedConfig.from_pretrained(folder)
    assert len(plain.layer_types) == plain.n_layers == 5
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert len(config.layer_types) == config.num_hidden_layers == 2 + 2 * 3 + 1
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        AutoConfig.from_pretrained(folder, trust_remote_code=False)
