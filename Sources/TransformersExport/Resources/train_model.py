"""The model: built without memory, spread, filled from its files, and how its blocks are run."""

from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM

from train_errors import UNSUPPORTED, RunError
from train_loss import Objective
from train_lowrank import start
from train_parallel import Layout, local, rows_here
from train_parameters import blocks_of, is_factor
from train_weights import StoredWeights

ATTENTION = ("sdpa", "flex")
MEMORY = ("none", "recurrence", "block")


def built(folder: str | Path, attention: str, device: torch.device) -> nn.Module:
    """The model in float32, of which no number is there yet; it will be on `device`."""
    if attention == "flex" and device.type == "cpu":
        raise RunError("flex attention has no backward pass on a CPU; leave --attention flex out",
                       "train.not_here", UNSUPPORTED)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    more = {"attn_implementation": "flex_attention"} if attention == "flex" else {}
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=True, **more)
    return model.float().train()


def placed(
    model: nn.Module, folder: str | Path, layout: Layout, memory: str, backend: str | None,
    is_bf16: bool, seed: int,
) -> nn.Module:
    """The objective to call: spread, compiled and filled. Each process reads its own rows alone.

    `seed`: of the factors' start.
    """
    if backend:
        compile_blocks(model.transformer, backend)
    save_memory(model.transformer, memory)
    if is_bf16:
        round_frozen(model.transformer)
    objective = Objective(model, is_bf16)
    callable = layout.spread(objective, model.transformer, is_bf16)
    model.to_empty(device=layout.group.device)
    if model.config.tie_word_embeddings:
        model.lm_head.weight = model.transformer.wte.weight
    fill(model, Path(folder), seed)
    return layout.copied(callable)


def round_frozen(body: nn.Module) -> None:
    """Keeps the blocks' matrices that are not trained in bfloat16, as their products take them: half the
    memory, and none is converted again in every pass."""
    for block in blocks_of(body):
        for module in block.modules():
            if isinstance(module, nn.Linear):
                for parameter in module.parameters(recurse=False):
                    if not parameter.requires_grad:
                        parameter.data = parameter.data.bfloat16()


@torch.no_grad()
def fill(model: nn.Module, folder: Path, seed: int) -> None:
    """Reads the parameters' shards of this process, and makes those of factors."""
    stored = StoredWeights(folder)
    for name, parameter in model.named_parameters():
        if not is_factor(name):
            rows = rows_here(parameter)
            local(parameter).copy_(stored.rows(name, parameter.shape, rows))
    start(model, seed)


def compile_blocks(body: nn.Module, backend: str) -> None:
    """Compiles what a block does; blocks of one kind share what is compiled, as do all passes."""
    # With and without gradient, for each kind of block.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 32)
    for block in blocks_of(body):
        block.forward = torch.compile(
            block.forward, backend=backend, fullgraph=True, dynamic=False)


def save_memory(body: nn.Module, kind: str) -> None:
    """What is computed again in the backward pass: nothing, each block, or each recurrence whole.

    Of a recurrence, the state alone is kept, and prelude and coda are kept by block.
    """
    if kind == "none":
        return
    again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    outer = [*body.prelude, *body.coda]
    for block in blocks_of(body) if kind == "block" else outer:
        block.forward = partial(again, block.forward)
    if kind == "recurrence":
        body.recur = partial(again, body.recur)
