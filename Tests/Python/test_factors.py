"""Low-rank factors that `ckpt train --mode lora` saves, in PEFT."""

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

IDS = torch.arange(3, 27).reshape(2, 12)


def load(folder):
    # The other way to compute experts wants rows of sixteen bytes.
    options = {"experts_implementation": "eager"} if "experts" in (folder / "config.json").read_text() else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()


@pytest.mark.parametrize("name", ["mixtral-packed", "olmoe-packed", "smollm3-default"])
def test_factors(name, ckpt, root, tmp_path):
    """PEFT adds them to the model that the run started from: the same logits as the run's package, and
    the same weights when it merges them. Experts' matrices are parameters of three axes there."""
    source = root / "fixtures/families" / name / "model"
    tokens = (np.arange(4096) * 7919 % 45 + 3).astype("<u2")
    tokens.tofile(tmp_path / "data.bin")
    run = tmp_path / "run"
    ckpt("train", source, "--data", tmp_path / "data.bin", "-o", run, "--cache", tmp_path / "cache",
         "--mode", "lora", "--lora-rank", 3, "--steps", 4, "--batch-size", 2,
         "--sequence-length", 16, "--optimizer", "adamw", "--learning-rate", 0.02,
         "--set", "evaluation.rows=2")
    adapted = PeftModel.from_pretrained(load(source), run / "factors").eval()
    trained = load(run / "package")
    with torch.no_grad():
        before, got, want = (model(IDS).logits for model in (load(source), adapted, trained))
    assert (want - before).norm() > 1e-2 * before.norm()
    assert (got - want).norm() < 1e-5 * want.norm()
    merged = adapted.merge_and_unload().state_dict()
    for key, value in trained.state_dict().items():
        assert torch.allclose(merged[key], value, atol=1e-6), key
