"""Exported folders, and what ckpt computes from them."""

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

# Its name changed in transformers 4.56.
DTYPE = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"

# A small recurrent shape that every golden model has the layers for.
SHAPE = ("--prelude", 2, "--core", 3, "--coda", 2, "--mean-recurrence", 3, "--mean-backprop", 2)


@pytest.fixture(scope="session")
def export(ckpt, tmp_path_factory):
    """A function that exports a model for transformers, each once, and gives the folder."""
    made = {}

    def make(model, *options):
        key = (str(model), *map(str, options))
        if key not in made:
            folder = tmp_path_factory.mktemp("export") / "model"
            ckpt("export", model, "--to", "transformers", "-o", folder, *options)
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(scope="session")
def small(retrofit, golden):
    """A function: a retrofit of a golden source model, its adapter at random if not chosen."""

    def make(name, *options):
        options = options or ("--adapter", "uniform")
        return retrofit(golden / name / "source", *SHAPE, *options)

    return make


@pytest.fixture(scope="session")
def folder(export, small):
    """A function: the same, exported."""
    return lambda *choice: export(small(*choice))


@pytest.fixture(scope="session")
def load():
    """A function that loads a folder in float32, in evaluation mode."""

    def make(folder, dtype=torch.float32, **options):
        options[DTYPE] = dtype
        return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, **options)

    return make


@pytest.fixture
def trace(ckpt, tmp_path):
    """A function: what `ckpt trace` saves of a model on the given tensors."""

    def run(model, recurrence, save, **inputs):
        source, target = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
        save_file({name: value.contiguous() for name, value in inputs.items()}, source)
        options = ("--recurrence", recurrence, "--save", save, "--force")
        ckpt("trace", model, "--inputs", source, "-o", target, *options)
        return load_file(target)

    return run


@pytest.fixture(scope="session")
def tokens():
    """A function: seeded token ids of a model, [B, S]."""

    def make(model, batch=2, length=12, seed=1):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(model.config.vocab_size, (batch, length), generator=generator)

    return make


@pytest.fixture(scope="session")
def distance():
    """Norm of the difference over norm of the reference, or by itself where that is zero."""
    return lambda found, wanted: float((found - wanted).norm() / (wanted.norm() or 1))
