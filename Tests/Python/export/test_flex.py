"""Flex attention: which keys a query sees is told by blocks, and is what the other kernels are told."""

import pytest
import torch
import transformers
from torch.nn.attention.flex_attention import flex_attention

pytestmark = pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5, reason="the replaced function has this name there"
)
# Windows of which the tokens below outgrow some, capped scores, neither.
NAMES = ["gemma2-types", "gemma3-heads", "smollm3-default"]
LENGTH = 200  # more than one block of 128


@pytest.fixture
def plain(monkeypatch):
    """Flex attention by its definition, as compiling it for a CPU takes a minute."""
    monkeypatch.setattr(
        "transformers.integrations.flex_attention.compile_friendly_flex_attention",
        lambda q, k, v, training=False, **more: flex_attention(q, k, v, **more))


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_the_formula(name, plain, retrofit, export, load, root, distance):
    """Rows by themselves, rows of several documents, and rows with padding on the left."""
    package = retrofit(root / "fixtures/families" / name / "model", "--prelude", 1, "--core", 2, "--coda", 1)
    model, other = (load(export(package), attn_implementation=kind) for kind in ("flex_attention", "eager"))
    ids = torch.arange(2 * LENGTH).reshape(2, LENGTH) * 7919 % 45 + 3
    positions = torch.arange(LENGTH).repeat(2, 1)
    positions[0, 140:] -= 140
    positions[1, 37:] -= 37
    mask = torch.ones_like(ids)
    mask[0, :5] = 0
    found = []
    for more in ({}, {"position_ids": positions}, {"attention_mask": mask}):
        with torch.no_grad():
            a, b = (x(ids, num_steps=2, use_cache=False, **more).logits for x in (model, other))
        real = mask.bool() if "attention_mask" in more else torch.ones_like(ids).bool()
        assert distance(a[real], b[real]) < 1e-5
        found.append(b)
    assert distance(found[0], found[1]) > 1e-2


def test_autocast_leaves_flex_attention_one_type(plain, retrofit, export, load, golden, distance):
    """Norms of queries and keys give float32 under it, and values are bfloat16."""
    package = retrofit(golden / "tiny-qwen3/source", "--prelude", 2, "--core", 3, "--coda", 2)
    model, other = (load(export(package), attn_implementation=kind) for kind in ("flex_attention", "sdpa"))
    ids = torch.arange(2 * LENGTH).reshape(2, LENGTH) * 7919 % 45 + 3
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        a, b = (x(ids, num_steps=2, use_cache=False).logits for x in (model, other))
    assert distance(a, b) < 2e-2


def test_blocks_are_compiled_once(retrofit, export, load, golden, distance, monkeypatch):
    """As train.py compiles them: no documents and no depth make a new one."""
    package = retrofit(golden / "tiny-llama/source", "--prelude", 2, "--core", 3, "--coda", 2)
    model, other = (load(export(package), attn_implementation=kind).train() for kind in ("flex_attention", "sdpa"))
    torch._dynamo.reset()
    monkeypatch.setattr(torch._dynamo.config, "error_on_recompile", True)
    body = model.transformer
    for block in [*body.prelude, *body.core_block, *body.coda]:
        block.forward = torch.compile(block.forward, backend="aot_eager", fullgraph=True, dynamic=False)
    ids = torch.arange(2 * LENGTH).reshape(2, LENGTH) * 7919 % 45 + 3
    for r, border in ((2, 30), (3, 150)):
        positions = torch.arange(LENGTH).repeat(2, 1)
        positions[0, border:] -= border
        with torch.no_grad():
            a, b = (x(ids, position_ids=positions, num_steps=r, state_seed=1, use_cache=False).logits
                    for x in (model, other))
        assert distance(a, b) < 1e-5
