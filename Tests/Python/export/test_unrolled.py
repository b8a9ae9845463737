"""Plain models of a package at one r, run by transformers without any code of ours."""

import pytest
import torch

CLOSE = 1e-5
CASES = [
    ("tiny-llama", 2, "LlamaForCausalLM", ()),
    ("tiny-llama3-rope", 3, "LlamaForCausalLM", ("--adapter", "state", "--state", "embedding")),
    ("tiny-olmo2", 2, "Olmo2ForCausalLM", ("--adapter", "state", "--state", "embedding")),
    ("tiny-qwen2", 1, "Qwen2ForCausalLM", ("--adapter", "add", "--state", "zero")),
    ("tiny-qwen3", 1, "Qwen3ForCausalLM", ("--adapter", "average", "--state", "embedding")),
]


@pytest.mark.parametrize("name,r,kind,choice", CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_plain_layers_have_the_packages_logits(
    name, r, kind, choice, ckpt, small, load, tokens, trace, distance, tmp_path
):
    """At that r; the class is transformers' own."""
    package = small(name, *(choice or ("--adapter", "prelude")))
    ckpt("export", package, "--to", "unrolled", "--recurrence", r, "-o", tmp_path / "plain")
    assert not list((tmp_path / "plain").glob("*.py"))
    model = load(tmp_path / "plain")
    assert type(model).__name__ == kind
    ids = tokens(model)
    with torch.no_grad():
        logits = model(ids).logits
    assert distance(logits, trace(package, r, "logits", input_ids=ids)["logits"]) < CLOSE


def test_what_plain_layers_cannot_do_differs(ckpt, small, load, export, tokens, distance):
    """The refusal is not idle: r = 1 and 2 of such a model are two different functions."""
    package = small("tiny-llama", "--adapter", "average")
    done = ckpt.run(
        "export", package, "--to", "unrolled", "--recurrence", 2, "-o", "/nowhere/plain"
    )
    assert done.returncode == 4 and "export.not_plain" in done.stderr
    model = load(export(package))
    ids = tokens(model)
    with torch.no_grad():
        assert distance(model(ids, num_steps=2).logits, model(ids, num_steps=1).logits) > 0.01
