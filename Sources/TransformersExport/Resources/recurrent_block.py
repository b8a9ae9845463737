"""One block, computed as its spec says; the configuration tells what a spec has.

Letters in shape comments: B batch, S tokens of a call, K tokens with those in the cache, h hidden.
"""

from dataclasses import dataclass, field
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_recurrent import RecurrentConfig
from .recurrent_experts import RecurrentExperts
from .recurrent_positions import rotated

ACTIVATIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
}


class RecurrentNorm(nn.Module):
    """x · weight / rms(x) over the last dimension; the root mean square in float32."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)


class RecurrentOffsetNorm(nn.Module):
    """x · (1 + weight) / rms(x), the same way. A class of its own: engines tell the two forms apart
    by the class, and by the names here."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return (y * (1.0 + self.weight.float())).to(x.dtype)


def made_norm(width: int, spec: dict) -> nn.Module:
    """The norm that a spec describes."""
    kind = RecurrentOffsetNorm if spec["offset"] else RecurrentNorm
    return kind(width, spec["epsilon"])


@dataclass
class Context:
    """What the blocks of one call share."""

    # By the place of a block's spec in `block_specs.distinct`: cosines and sines, or None.
    rotations: list
    # By a block's window: [B or 1, 1, S, K], None where causality says it all.
    masks: dict
    cache: Optional[object] = None
    # Of every execution, where they are wanted.
    attentions: Optional[list] = None
    # Where an engine keeps keys and values: a module for every execution, and what it wants handed on.
    executions: Optional[nn.ModuleList] = None
    more: dict = field(default_factory=dict)

    def turned(self, x: torch.Tensor, place: int) -> torch.Tensor:
        """Heads, [B, heads, S, d], turned by their positions as the spec at `place` says."""
        tables = self.rotations[place]
        return x if tables is None else rotated(x, *(table.to(x.dtype) for table in tables))

    def served(self, execution: int, query: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """What the engine's attention makes of queries, keys and values: [B, S, heads · d]."""
        mixed = self.executions[execution](query, *others, **self.more)
        return mixed.reshape(query.shape[0], query.shape[2], -1)


class RecurrentAttention(nn.Module):
    """Causal attention of grouped heads, with one projection for queries, keys and values."""

    is_causal = True

    def __init__(self, config: RecurrentConfig, spec: dict, layer_idx: int):
        super().__init__()
        spec = spec["attention"]
        self.config, self.layer_idx = config, layer_idx
        self.head_dim = config.head_dim
        self.num_key_value_groups = config.n_heads // config.num_key_value_heads
        self.scaling, self.softcap = spec["scale"], spec["softcap"]
        self.sliding_window = spec["window"]
        self.queries = config.n_heads * config.head_dim
        self.keys = config.num_key_value_heads * config.head_dim
        self.Wqkv = nn.Linear(config.n_embd, self.queries + 2 * self.keys, bias=spec["qkv_bias"])
        self.proj = nn.Linear(self.queries, config.n_embd, bias=spec["output_bias"])
        norm = spec["norm"]
        self.extent = norm and norm["extent"]
        if norm is not None:
            of_query, of_key = (
                (config.head_dim,) * 2 if self.extent == "head" else (self.queries, self.keys)
            )
            self.q_norm, self.k_norm = made_norm(of_query, norm), made_norm(of_key, norm)

    def heads(self, x: torch.Tensor, norm: Optional[nn.Module]) -> torch.Tensor:
        """[B, S, heads · d] as heads, [B, heads, S, d], normed if at all over each or over all."""
        if norm is not None and self.extent == "all":
            x = norm(x)
        x = x.unflatten(-1, (-1, self.head_dim))
        if norm is not None and self.extent == "head":
            x = norm(x)
        return x.transpose(1, 2)

    def forward(
        self, x: torch.Tensor, context: Context, place: int, execution: int
    ) -> torch.Tensor:
        """place: of the block's spec. execution: the number of this run of a block, from 0."""
        q, k, v = self.Wqkv(x).split((self.queries, self.keys, self.keys), dim=-1)
        q = self.heads(q, self.q_norm if self.extent else None)
        k = self.heads(k, self.k_norm if self.extent else None)
        v = self.heads(v, None)
        q, k = context.turned(q, place), context.turned(k, place)
        if context.executions is not None:
            # vLLM traces this function to here, and shares the heads out among its workers.
            return self.proj(context.served(execution, q, k, v))
        if context.cache is not None:
            k, v = context.cache.update(k, v, execution)
        mixed, weights = attention_function(self)(
            self,
            q,
            k,
            v,
            context.masks[self.sliding_window],
            dropout=0.0,
            scaling=self.scaling,
            sliding_window=self.sliding_window,
            **({} if self.softcap is None else {"softcap": self.softcap}),
        )
        if context.attentions is not None:
            context.attentions.append(weights)
        return self.proj(mixed.flatten(2))


# They keep keys by the number of the layer, which the passes share here.
MIXING = ("sglang", "paged|")


def attention_function(module: RecurrentAttention):
    """The one that the configuration names; ours where it asks for `eager`, and where scores are
    capped, which torch's own kernel cannot do."""
    name = module.config._attn_implementation
    if name is not None and name.startswith(MIXING):
        raise ValueError(
            f"attention by {name!r} would mix the keys of the passes: this model was not made for it"
        )
    if name in (None, "eager") or (name == "sdpa" and module.softcap is not None):
        return eager_attention
    return ALL_ATTENTION_FUNCTIONS[name]


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    scaling: float,
    softcap: Optional[float] = None,
    **kwargs,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention by its formula, softmax in float32: [B, S, heads, d], and its weights."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = (query @ key.transpose(-1, -2)) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if attention_mask is None:
        ones = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device)
        attention_mask = ones.tril(scores.shape[-1] - scores.shape[-2])
    if attention_mask.dtype == torch.bool:
        scores = scores.float().masked_fill(~attention_mask, float("-inf"))
    else:
        scores = scores.float() + attention_mask
    weights = scores.softmax(-1).to(value.dtype)
    return (weights @ value).transpose(1, 2), weights


class RecurrentMLP(nn.Module):
    """down(activation(gate) · up), with one projection for gate and up."""

    def __init__(self, config: RecurrentConfig, spec: dict):
        super().__init__()
        spec = spec["mlp"]
        self.activation = spec["activation"]
        self.fc = nn.Linear(config.n_embd, 2 * config.intermediate_size, bias=spec["bias"])
        self.proj = nn.Linear(config.intermediate_size, config.n_embd, bias=spec["bias"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.fc(x).chunk(2, dim=-1)
        return self.proj(ACTIVATIONS[self.activation](gate) * up)


class RecurrentBlock(nn.Module):
    """x + m · norm(f(norm x)) for attention and then for the MLP, with the norms that there are."""

    def __init__(self, config: RecurrentConfig, place: int, layer_idx: int):
        super().__init__()
        spec = config.block_specs["distinct"][place]
        self.place = place
        self.multiplier = spec["residual_multiplier"]
        self.attn = RecurrentAttention(config, spec, layer_idx)
        if spec["mlp"].get("experts") is None:
            self.mlp = RecurrentMLP(config, spec)
        else:
            activation = ACTIVATIONS[spec["mlp"]["activation"]]
            self.mlp = RecurrentExperts(config, spec, activation)
        # They are numbered in the order of execution.
        self.norms = {}
        for number, norm in enumerate(spec["norms"], 1):
            name = f"norm_{number}"
            setattr(self, name, made_norm(config.n_embd, norm))
            self.norms[norm["place"]] = name

    def normed(self, place: str, x: torch.Tensor) -> torch.Tensor:
        """`x` after the norm at `place`, if there is one."""
        name = self.norms.get(place)
        return x if name is None else getattr(self, name)(x)

    def added(self, x: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        """`x` with what attention or MLP gives."""
        return x + (part if self.multiplier == 1 else part * self.multiplier)

    def forward(self, x: torch.Tensor, context: Context, execution: int) -> torch.Tensor:
        """x: [B, S, h]. execution: the number of this run of a block in the call, from 0."""
        part = self.attn(self.normed("attention_input", x), context, self.place, execution)
        x = self.added(x, self.normed("attention_output", part))
        part = self.mlp(self.normed("mlp_input", x))
        return self.added(x, self.normed("mlp_output", part))
