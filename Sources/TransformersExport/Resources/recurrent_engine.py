"""Attention by an engine that keeps keys and values itself, as vLLM does.

Such an engine runs the model without its head on the tokens of many sequences in one row, and finds
a token's keys by the number of the layer that asks. So every execution of a block has a module of
its own, without parameters, with its own number; the blocks that are executed share their weights.
"""

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_recurrent import RecurrentConfig
from .recurrent_block import Context
from .recurrent_positions import rotations

# Names that engines give their attention, and the oldest version that was seen to compute the same.
ENGINES = {"vllm": (0, 32)}
# Frequencies that depend on the length of a sequence, which a row of many does not tell.
BY_LENGTH = ("dynamic", "longrope")
# Where engines read what experts are like, by the member of a spec that says so.
EXPERTS = {
    "count": ("num_experts", "num_local_experts"),
    "chosen": ("num_experts_per_tok",),
    "width": ("moe_intermediate_size", "intermediate_size"),
}


class RecurrentExecution(nn.Module):
    """One execution of a block: where its attention asks the engine."""

    is_causal = True

    def __init__(self, config: RecurrentConfig, spec: dict, layer_idx: int):
        super().__init__()
        self.config, self.layer_idx = config, layer_idx
        self.scaling = spec["attention"]["scale"]
        self.sliding_window = spec["attention"]["window"]

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **more
    ) -> torch.Tensor:
        """[B, heads, S, d] each, keys and values of fewer heads: [tokens, heads · d]."""
        # Engines look for these very lines in the source.
        attention = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        mixed, _ = attention(
            self,
            query,
            key,
            value,
            None,
            dropout=0.0,
            scaling=self.scaling,
            sliding_window=self.sliding_window,
            **more,
        )
        return mixed


def executions_of(config: RecurrentConfig):
    """A module for every execution where an engine keeps keys and values, else None."""
    name = getattr(config, "_attn_implementation", None)
    if name not in ENGINES:
        return None
    refuse_what_engines_lack(config, name)
    return nn.ModuleList(
        RecurrentExecution(config, spec, index)
        for index, spec in enumerate(config.executed_specs())
    )


def engine_context(model, x: torch.Tensor, passes: int, position_ids, more: dict):
    """What the blocks share where an engine runs them, and the positions, [B, S]."""
    if passes != model.config.mean_recurrence:
        raise ValueError(
            f"the engine was started for r = {model.config.mean_recurrence} and keeps keys for that "
            f"many passes; num_steps is {passes}. Start it with mean_recurrence = {passes}"
        )
    if position_ids is None:
        raise ValueError("an engine gives the position of every token; position_ids is missing")
    tables = rotations(model.config, position_ids)
    return Context(tables, {}, executions=model.executions, more=more), position_ids


def refuse_what_engines_lack(config: RecurrentConfig, name: str):
    """Says, before the engine computes, what it would compute otherwise or not at all."""
    check_version(name)
    rotaries = [spec["attention"]["rotary"] or {} for spec in config.block_specs["distinct"]]
    for rotary in rotaries:
        if rotary.get("type") in BY_LENGTH:
            raise ValueError(
                f"{name} cannot serve this model: its rotary embedding is {rotary['type']!r}, whose "
                "frequencies depend on the length of each sequence"
            )
    windows = config.windows() - {None}
    if len(windows) > 1:
        raise ValueError(f"{name} knows one window; the blocks have {sorted(windows)}")
    config.only("softcap")
    for spec in config.block_specs["distinct"]:
        refuse_experts(config, spec["mlp"], name)
    model = config.block_specs["model"]
    if model["logits_divisor"] != 1 and model["logit_softcap"] is not None:
        raise ValueError(f"{name} caps logits before it divides them; this model divides first")
    if config.padded_vocab_size != config.vocab_size:
        raise ValueError(
            f"{name} makes an embedding of vocab_size rows, {config.vocab_size}; the model has "
            f"{config.padded_vocab_size}: set vocab_size to that number in config.json"
        )
    sizes = head_sizes(name)
    if sizes and config.head_dim not in sizes:
        raise ValueError(
            f"{name} has no attention here for heads of {config.head_dim} values; it has it for "
            f"{', '.join(map(str, sizes))}"
        )


def refuse_experts(config: RecurrentConfig, mlp: dict, name: str):
    """The engine puts experts of its own in place of ours: one kind for all blocks, with SiLU."""
    if mlp.get("experts") is None:
        return
    if mlp["activation"] != "silu":
        raise ValueError(
            f"{name} computes experts with 'silu'; those of this model have {mlp['activation']!r}"
        )
    for member, fields in EXPERTS.items():
        found = next((x for x in (getattr(config, field, None) for field in fields) if x), None)
        if found != mlp["experts"][member]:
            raise ValueError(
                f"{name} takes {' or '.join(fields)}, {found}, for the {member} of every block's "
                f"experts; a block of this model has {mlp['experts'][member]}"
            )


def check_version(name: str):
    """Refuses an engine that is older than what was tried."""
    import importlib.metadata as metadata
    import re

    wanted = ENGINES[name]
    for package in (name, f"{name}-cpu"):
        try:
            found = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        numbers = tuple(int(x) for x in re.findall(r"\d+", found)[:2])
        if numbers < wanted:
            raise ImportError(
                f"this model needs {name} {'.'.join(map(str, wanted))} or newer; {found} is installed"
            )


def head_sizes(name: str):
    """Head sizes that the engine's attention takes on this machine; nothing where it tells none."""
    try:
        from vllm.platforms import current_platform
        from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend
    except ImportError:
        return ()
    if not current_platform.is_cpu():
        return ()
    return tuple(CPUAttentionBackend.get_supported_head_sizes())
