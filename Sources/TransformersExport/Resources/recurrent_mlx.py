"""A depth-recurrent decoder for mlx-lm, which loads this file by `model_file` of config.json.

    e = prelude(embedding(tokens));  s = start
    r times:  u = adapter([s ; e])  (or s + e, or decay · s + e, or s);  s = core(u)  (or a gate's)
    logits = head(norm(coda(s)))

r is `mean_recurrence` of the configuration. What the blocks compute is data there, `block_specs`,
and weights have the names under which they are stored. A cache belongs to one r: it has a place for
every execution of a block.

Letters in shape comments: B batch, S tokens of a call, h hidden, d values of a head.
"""

import importlib.util
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import mlx.core as mx
import mlx.nn as nn
from mlx_lm.models.base import (
    BaseModelArgs,
    create_attention_mask,
    scaled_dot_product_attention,
)
from mlx_lm.models.cache import KVCache


def beside(name: str):
    """A module of this folder: mlx-lm loads one file alone, of no package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frequencies = beside("recurrent_frequencies").frequencies
ACTIVATIONS = {"silu": nn.silu, "gelu": nn.gelu, "gelu_tanh": nn.gelu_approx}
# Frequencies that depend on the length of a sequence.
BY_LENGTH = ("dynamic", "longrope")
# Mass of a normal distribution's tail beyond three standard deviations.
TAIL = 0.0013498980316300945


@dataclass
class ModelArgs(BaseModelArgs):
    """The fields of config.json that are read."""

    model_type: str
    n_embd: int
    n_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    padded_vocab_size: int
    mean_recurrence: int
    block_specs: dict
    injection_type: str = "linear"
    gate_rank: Optional[int] = None
    norm_after_core: bool = False
    initial_state_mode: str = "random"
    state_init: str = "like-init"
    init_values: dict = field(default_factory=dict)
    tie_embeddings: bool = False

    def __post_init__(self):
        r = self.mean_recurrence
        if isinstance(r, bool) or not isinstance(r, int) or r < 1:
            raise ValueError(f"mean_recurrence is {r!r}, not a whole number of passes from 1 on")


class Norm(nn.Module):
    """x · (offset + weight) / rms(x) over the last dimension."""

    def __init__(self, width: int, spec: dict):
        super().__init__()
        self.weight = mx.full((width,), 1.0 - spec["offset"])
        self._offset, self._epsilon = spec["offset"], spec["epsilon"]

    def __call__(self, x: mx.array) -> mx.array:
        weight = self.weight + self._offset if self._offset else self.weight
        return mx.fast.rms_norm(x, weight, self._epsilon)


class Decay(nn.Module):
    """sigmoid(weight) · x: the share of each channel that stays."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = mx.zeros((width,))

    def __call__(self, x: mx.array) -> mx.array:
        return mx.sigmoid(self.weight.astype(mx.float32)).astype(x.dtype) * x


class Gate(nn.Module):
    """x + tanh(up(down(n))) · (x - before), with n the change x - before over its root mean square."""

    def __init__(self, width: int, rank: int, epsilon: float):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        self._epsilon = epsilon

    def __call__(self, x: mx.array, before: mx.array) -> mx.array:
        change = x - before
        normed = mx.fast.rms_norm(change, None, self._epsilon)
        return x + mx.tanh(self.up(self.down(normed))) * change


class Attention(nn.Module):
    """Causal attention of grouped heads, with one projection for queries, keys and values."""

    def __init__(self, args: ModelArgs, spec: dict):
        super().__init__()
        self._spec, self._width = spec, args.head_dim
        queries, keys = args.n_heads * args.head_dim, args.num_key_value_heads * args.head_dim
        self._cuts = [queries, queries + keys]
        self.Wqkv = nn.Linear(args.n_embd, queries + 2 * keys, bias=spec["qkv_bias"])
        self.proj = nn.Linear(queries, args.n_embd, bias=spec["output_bias"])
        norm = spec["norm"]
        if norm is not None:
            of_all = norm["extent"] == "all"
            self.q_norm = Norm(queries if of_all else args.head_dim, norm)
            self.k_norm = Norm(keys if of_all else args.head_dim, norm)

    def heads(self, x: mx.array, norm: Optional[str]) -> mx.array:
        """[B, S, heads · d] as heads, [B, heads, S, d], normed over each or over all."""
        extent = norm and self._spec["norm"] and self._spec["norm"]["extent"]
        if extent == "all":
            x = self[norm](x)
        x = x.reshape(*x.shape[:2], -1, self._width)
        if extent == "head":
            x = self[norm](x)
        return x.transpose(0, 2, 1, 3)

    def turned(self, x: mx.array, offset, periods: Optional[mx.array]) -> mx.array:
        """Heads, [B, heads, S, d], turned by their positions. periods: of each pair."""
        if periods is None:
            return x
        rotary = self._spec["rotary"]
        width, magnitude = rotary["dimensions"], rotary.get("magnitude", 1.0)
        if magnitude != 1:
            x = mx.concatenate([x[..., :width] * magnitude, x[..., width:]], axis=-1)
        return mx.fast.rope(
            x, width, traditional=False, base=None, scale=1.0, offset=offset, freqs=periods
        )

    def __call__(self, x: mx.array, periods, masks: dict, cache) -> mx.array:
        q, k, v = mx.split(self.Wqkv(x), self._cuts, axis=-1)
        q, k, v = self.heads(q, "q_norm"), self.heads(k, "k_norm"), self.heads(v, None)
        offset = 0 if cache is None else cache.offset
        q, k = self.turned(q, offset, periods), self.turned(k, offset, periods)
        if cache is not None:
            k, v = cache.update_and_fetch(k, v)
        mask, cap = masks[self._spec["window"]], self._spec["softcap"]
        if cap is None:
            y = scaled_dot_product_attention(
                q, k, v, cache=cache, scale=self._spec["scale"], mask=mask
            )
        else:
            y = capped_attention(q, k, v, self._spec["scale"], cap, mask, cache)
        return self.proj(y.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1))


def capped_attention(q, k, v, scale: float, cap: float, mask, cache) -> mx.array:
    """Attention by its formula, with scores capped before the softmax."""
    if hasattr(cache, "bits"):
        raise ValueError("scores of this model are capped, which a quantised cache cannot do")
    groups = q.shape[1] // k.shape[1]
    k, v = mx.repeat(k, groups, axis=1), mx.repeat(v, groups, axis=1)
    scores = cap * mx.tanh((q @ k.swapaxes(-1, -2)) * (scale / cap))
    if mask is not None:
        scores = mx.where(mask, scores, -math.inf)
    return mx.softmax(scores, axis=-1, precise=True) @ v


class MLP(nn.Module):
    """down(activation(gate) · up), with one projection for gate and up."""

    def __init__(self, args: ModelArgs, spec: dict):
        super().__init__()
        self._activation = ACTIVATIONS[spec["activation"]]
        self.fc = nn.Linear(args.n_embd, 2 * args.intermediate_size, bias=spec["bias"])
        self.proj = nn.Linear(args.intermediate_size, args.n_embd, bias=spec["bias"])

    def __call__(self, x: mx.array) -> mx.array:
        gate, up = mx.split(self.fc(x), 2, axis=-1)
        return self.proj(self._activation(gate) * up)


class Block(nn.Module):
    """x + m · norm(f(norm x)) for attention and then for the MLP, with the norms that there are."""

    def __init__(self, args: ModelArgs, place: int):
        super().__init__()
        spec = args.block_specs["distinct"][place]
        self._place, self._multiplier = place, spec["residual_multiplier"]
        self.attn, self.mlp = Attention(args, spec["attention"]), MLP(args, spec["mlp"])
        self._norms = {}
        for number, norm in enumerate(spec["norms"], 1):
            self[f"norm_{number}"] = Norm(args.n_embd, norm)
            self._norms[norm["place"]] = f"norm_{number}"

    def normed(self, place: str, x: mx.array) -> mx.array:
        """`x` after the norm at `place`, if there is one."""
        return self[self._norms[place]](x) if place in self._norms else x

    def __call__(self, x: mx.array, periods: list, masks: dict, cache) -> mx.array:
        y = self.attn(self.normed("attention_input", x), periods[self._place], masks, cache)
        x = x + self.normed("attention_output", y) * self._multiplier
        y = self.mlp(self.normed("mlp_input", x))
        return x + self.normed("mlp_output", y) * self._multiplier


class Recurrent(nn.Module):
    """Embedding, prelude, core, coda and final norm: everything but the head."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        specs = args.block_specs
        self._args = args
        self.wte = nn.Embedding(args.padded_vocab_size, args.n_embd)
        self.prelude = [Block(args, place) for place in specs["prelude"]]
        if args.injection_type == "linear":
            self.adapter = nn.Linear(2 * args.n_embd, args.n_embd, bias=False)
        elif args.injection_type == "diagonal":
            self.decay = Decay(args.n_embd)
        elif args.injection_type == "gated":
            epsilon = specs["model"]["final_norm"]["epsilon"]
            self.gate = Gate(args.n_embd, args.gate_rank, epsilon)
        self.core_block = [Block(args, place) for place in specs["core"]]
        norm = specs["model"]["final_norm"]
        if args.norm_after_core:
            self.core_norm = Norm(args.n_embd, norm | {"offset": 0.0})
        self.coda = [Block(args, place) for place in specs["coda"]]
        self.ln_f = Norm(args.n_embd, norm)

    def executions(self) -> list:
        """The blocks in the order in which they are executed."""
        return self.prelude + self.core_block * self._args.mean_recurrence + self.coda

    def __call__(self, tokens: mx.array, caches=None, embeddings=None) -> mx.array:
        """The final norm's output, [B, S, h]."""
        specs = self._args.block_specs
        x = self.wte(tokens) if embeddings is None else embeddings
        if (multiplier := specs["model"]["embedding_multiplier"]) != 1:
            x = x * mx.array(multiplier, dtype=x.dtype)
        caches = iter(self.checked(caches))
        first = next(caches)
        caches = iter([first, *caches])
        distinct = [spec["attention"] for spec in specs["distinct"]]
        offset = 0 if first is None else first.offset
        periods = [self.periods(spec["rotary"], offset, x.shape[1]) for spec in distinct]
        masks = {spec["window"]: self.mask(spec, x, first) for spec in distinct}

        def run(blocks, x):
            for block in blocks:
                x = block(x, periods, masks, next(caches))
            return x

        embedded = run(self.prelude, x)
        state = self.start(embedded, offset)
        for _ in range(self._args.mean_recurrence):
            before = state
            if "adapter" in self:
                state = self.adapter(mx.concatenate([state, embedded], axis=-1))
            elif "decay" in self:
                state = self.decay(state) + embedded
            elif "gate" not in self:
                state = state + embedded
            state = run(self.core_block, state)
            if "core_norm" in self:
                state = self.core_norm(state)
            if "gate" in self:
                state = self.gate(state, before)
        return self.ln_f(run(self.coda, state))

    def checked(self, caches) -> list:
        """A place for every execution, None without a cache."""
        wanted = len(self.executions())
        if caches is None:
            return [None] * wanted
        if len(caches) != wanted:
            raise ValueError(
                f"the cache is for {len(caches)} executions of a block; "
                f"{self._args.mean_recurrence} passes need {wanted}"
            )
        return caches

    def periods(self, rotary: Optional[dict], offset, length: int) -> Optional[mx.array]:
        """Positions a radian of each pair, [d / 2]."""
        if rotary is None:
            return None
        if rotary["type"] in BY_LENGTH and not isinstance(offset, int):
            raise ValueError(
                f"the rotary embedding {rotary['type']!r} depends on the length of each sequence; "
                "generate one at a time"
            )
        end = offset + length if isinstance(offset, int) else length
        return 1 / mx.array(frequencies(rotary, end), dtype=mx.float32)

    def mask(self, spec: dict, x: mx.array, cache):
        """Which keys each query sees; as an array where the scores are capped."""
        is_array = spec["softcap"] is not None
        return create_attention_mask(x, cache, window_size=spec["window"], return_array=is_array)

    def start(self, embedded: mx.array, offset) -> mx.array:
        """The state before the first pass, [B, S, h]."""
        if self._args.initial_state_mode == "embed-init":
            return embedded
        deviation = 0 if self._args.state_init == "zero" else self._args.init_values["std"]
        if deviation == 0:
            return mx.zeros_like(embedded)
        return drawn(embedded, offset, deviation)


def drawn(like: mx.array, offset, deviation: float) -> mx.array:
    """Normal numbers truncated at three standard deviations: those that `ckpt` draws for seed 0.

    A number depends on its position and its channel alone (SplitMix64 of Steele, Lea, Flood 2014).
    """

    def word(value):
        # Python's numbers are taken as signed ones of 64 bits.
        high, low = (mx.array(x, dtype=mx.uint64) for x in divmod(value, 1 << 32))
        return high * mx.array(1 << 32, dtype=mx.uint64) + low

    step, first, second = map(word, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))

    def mixed(z):
        z = (z ^ (z >> word(30))) * first
        z = (z ^ (z >> word(27))) * second
        return z ^ (z >> word(31))

    batch, length, width = like.shape
    start = offset[:, None] if isinstance(offset, mx.array) and offset.ndim == 1 else offset
    positions = (mx.arange(length)[None] + start).astype(mx.uint64)  # [B or 1, S]
    channels = mx.arange(1, width + 1).astype(mx.uint64)
    counters = positions[..., None] * word(width) + channels
    bits = mixed(mixed(mixed(step)) + counters * step) >> word(11)
    share = (bits.astype(mx.float32) + 0.5) * 2.0**-53
    z = mx.erfinv(2 * (TAIL + share * (1 - 2 * TAIL)) - 1) * (math.sqrt(2) * deviation)
    return mx.broadcast_to(z.astype(like.dtype), (batch, length, width))


class Model(nn.Module):
    """The whole model."""

    def __init__(self, args: ModelArgs):
        super().__init__()
        self.args, self.model_type = args, args.model_type
        self.transformer = Recurrent(args)
        if not args.tie_embeddings:
            self.lm_head = nn.Linear(args.n_embd, args.padded_vocab_size, bias=False)

    def __call__(self, inputs: mx.array, cache=None, input_embeddings=None) -> mx.array:
        """Logits, [B, S, V]."""
        x = self.transformer(inputs, cache, input_embeddings)
        logits = self.lm_head(x) if "lm_head" in self else self.transformer.wte.as_linear(x)
        model = self.args.block_specs["model"]
        if model["logits_divisor"] != 1:
            logits = logits / model["logits_divisor"]
        cap = model["logit_softcap"]
        return logits if cap is None else cap * mx.tanh(logits / cap)

    @property
    def layers(self) -> list:
        """Every execution of a block, as mlx-lm counts layers."""
        return self.transformer.executions()

    def make_cache(self) -> list:
        """One cache an execution; windows are masks, so each keeps all tokens."""
        return [KVCache() for _ in self.layers]
