"""A depth-recurrent decoder for transformers 4.51 and newer: blocks of Llama, Mistral, OLMo-2,
Qwen2 and Qwen3.

    e = prelude(embedding(tokens));  s = start
    r times:  u = adapter([s ; e])  (or s + e);  s = core(u)
    logits = head(norm(coda(s)))

Beside what every causal language model of transformers takes, `forward` and `generate` take

- `num_steps`: passes r through the core; or a pair (n, k), n without gradient and then k with. A
  number alone is, where gradients are recorded, n + k with k at most the configuration's
  `mean_backprop_depth`. The configuration's `mean_recurrence` when it is not given. A cache belongs
  to one number of passes.
- `state_seed`: seed of a start that is drawn. The value at a token depends on the seed, the row of
  the batch, the position and the channel alone, so a sequence that is decoded with a cache, or
  padded, meets the same state; `ckpt` draws the same numbers. When it is not given: 0 in
  evaluation, and in training a new one from torch's generator at every call.
- `initial_state`: the start itself, [B, S, hidden]; `forward` alone takes it.

Letters in shape comments: B batch, S tokens of a call, K tokens with those in the cache, h hidden,
d width of a head, V rows of the embedding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Optional, Union

import torch
import torch.nn.functional as F
from torch import nn
from transformers import DynamicCache, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_recurrent import FAMILIES, RecurrentConfig

# Transformers renamed the field of its outputs, and the argument, that hold the cache.
OUTPUTS = {field.name for field in fields(CausalLMOutputWithPast)}
CACHE = "cache" if "cache" in OUTPUTS else "past_key_values"


@dataclass
class RecurrentOutput(CausalLMOutputWithPast):
    """What `forward` gives; `hidden_states` are the embedding's output and that of every executed
    block, the last after the final norm; `latent` is the state that enters the coda, [B, S, h]."""

    latent: Optional[torch.Tensor] = None


# Random start


def _signed(value: int) -> int:
    """The 64-bit integer with the bits of `value`, as torch has them."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


STEP, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
# Mass of a normal distribution's tail beyond three standard deviations.
TAIL = 0.0013498980316300945


def _mixed(z: torch.Tensor) -> torch.Tensor:
    """SplitMix64's output function (Steele, Lea, Flood 2014) of int64 tensors, which wrap."""

    def shifted(z, bits):
        return (z >> bits) & ((1 << (64 - bits)) - 1)

    z = (z ^ shifted(z, 30)) * _signed(FIRST)
    z = (z ^ shifted(z, 27)) * _signed(SECOND)
    return z ^ shifted(z, 31)


def random_state(
    positions: torch.Tensor, width: int, deviation: float, seed: int
) -> torch.Tensor:
    """Normal numbers truncated at three standard deviations, [B, S, width], float32.

    The numbers are those of SplitMix64 at a counter: seeded by `seed` and the row of the batch, and
    read at position · width + channel.

    positions: [B, S], int64.
    """
    device = positions.device
    rows = torch.arange(positions.shape[0], device=device).unsqueeze(1)
    keys = _mixed(_mixed(rows + _signed(STEP)) + _signed(seed))  # [B, 1]
    channels = torch.arange(1, width + 1, device=device)
    counters = positions.unsqueeze(-1) * width + channels  # [B, S, width]
    bits = (_mixed(keys.unsqueeze(-1) + counters * _signed(STEP)) >> 11) & ((1 << 53) - 1)
    share = (bits.double() + 0.5) * 2.0**-53
    return (torch.special.ndtri(TAIL + share * (1 - 2 * TAIL)) * deviation).float()


# Rotary positions


def rotary_frequencies(config: RecurrentConfig, device: torch.device) -> torch.Tensor:
    """Radians a position of each pair of a head, [d / 2], float32."""
    rope, width = config.rope_parameters, config.head_dim
    pairs = torch.arange(0, width, 2, dtype=torch.float64, device=device)
    plain = rope["rope_theta"] ** (-pairs / width)
    kind = rope["rope_type"]
    if kind == "default":
        return plain.float()
    if kind == "linear":
        return (plain / rope["factor"]).float()
    if kind != "llama3":
        raise ValueError(f"rope_type {kind!r} is not supported")
    # Slow pairs are stretched, fast ones stay, and those between are interpolated.
    turns = rope["original_max_position_embeddings"] * plain / (2 * math.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    share = ((turns - low) / (high - low)).clamp(0, 1)
    return ((1 - share) * plain / rope["factor"] + share * plain).float()


def rotated(x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor) -> torch.Tensor:
    """Turns pairs i and i + d / 2 of every head. x: [B, heads, S, d]; tables: [B, 1, S, d / 2]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cosines - b * sines, b * cosines + a * sines], dim=-1)


# Blocks


class RecurrentNorm(nn.Module):
    """x · weight / rms(x) over the last dimension; the root mean square in float32."""

    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)


@dataclass
class Context:
    """What the blocks of one call share."""

    cosines: torch.Tensor  # [B, 1, S, d / 2]
    sines: torch.Tensor
    mask: Optional[torch.Tensor]  # [B, 1, S, K], true where a query sees a key; None is causal
    cache: Optional[DynamicCache]


class RecurrentAttention(nn.Module):
    """Causal attention of grouped heads, with one projection for queries, keys and values."""

    def __init__(self, config: RecurrentConfig):
        super().__init__()
        _, norm, biases = FAMILIES[config.source_model_type]
        configured = biases == "configured" and config.attention_bias
        self.config = config
        self.queries = config.n_heads * config.head_dim
        self.keys = config.num_key_value_heads * config.head_dim
        self.Wqkv = nn.Linear(
            config.n_embd, self.queries + 2 * self.keys, bias=configured or biases == "qkv"
        )
        self.proj = nn.Linear(self.queries, config.n_embd, bias=configured)
        self.norm_is_by_head = norm == "head"
        if norm:
            by_head = self.norm_is_by_head
            self.q_norm = RecurrentNorm(
                config.head_dim if by_head else self.queries, config.norm_eps
            )
            self.k_norm = RecurrentNorm(config.head_dim if by_head else self.keys, config.norm_eps)
        else:
            self.q_norm = self.k_norm = nn.Identity()

    def heads(self, x: torch.Tensor, norm: nn.Module) -> torch.Tensor:
        """[B, S, heads · d] as normed heads, [B, heads, S, d]."""
        width = self.config.head_dim
        x = x if self.norm_is_by_head else norm(x)
        x = x.unflatten(-1, (-1, width)).transpose(1, 2)
        return norm(x) if self.norm_is_by_head else x

    def forward(self, x: torch.Tensor, context: Context, execution: int) -> torch.Tensor:
        q, k, v = self.Wqkv(x).split([self.queries, self.keys, self.keys], dim=-1)
        tables = context.cosines.to(x.dtype), context.sines.to(x.dtype)
        q = rotated(self.heads(q, self.q_norm), *tables)
        k = rotated(self.heads(k, self.k_norm), *tables)
        v = v.unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)
        if context.cache is not None:
            k, v = context.cache.update(k, v, execution)
        groups = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        attend = eager if self.config._attn_implementation == "eager" else sdpa
        return self.proj(attend(q, k, v, context.mask).transpose(1, 2).flatten(2))


def sdpa(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Optional[torch.Tensor]
) -> torch.Tensor:
    """Attention by torch, with its fastest kernel. A single query sees every key."""
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None and q.shape[2] > 1
    )


def eager(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Optional[torch.Tensor]
) -> torch.Tensor:
    """The same by its formula, softmax in float32."""
    queries, keys = q.shape[2], k.shape[2]
    if mask is None:
        mask = torch.ones(queries, keys, dtype=torch.bool, device=q.device).tril(keys - queries)
    scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
    scores = scores.float().masked_fill(~mask, float("-inf"))
    return scores.softmax(-1).to(v.dtype) @ v


class RecurrentMLP(nn.Module):
    """down(silu(gate) · up), with one projection for gate and up."""

    def __init__(self, config: RecurrentConfig):
        super().__init__()
        bias = getattr(config, "mlp_bias", False)
        self.fc = nn.Linear(config.n_embd, 2 * config.intermediate_size, bias=bias)
        self.proj = nn.Linear(config.intermediate_size, config.n_embd, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.fc(x).chunk(2, dim=-1)
        return self.proj(F.silu(gate) * up)


class RecurrentBlock(nn.Module):
    """x + f(norm x), or x + norm(f x) in families that norm afterwards, for attention and MLP."""

    def __init__(self, config: RecurrentConfig):
        super().__init__()
        self.norms_after = FAMILIES[config.source_model_type][0]
        self.norm_1 = RecurrentNorm(config.n_embd, config.norm_eps)
        self.attn = RecurrentAttention(config)
        self.norm_2 = RecurrentNorm(config.n_embd, config.norm_eps)
        self.mlp = RecurrentMLP(config)

    def forward(self, x: torch.Tensor, context: Context, execution: int) -> torch.Tensor:
        """x: [B, S, h]. execution: the number of this run of a block in the call, from 0."""
        if self.norms_after:
            x = x + self.norm_1(self.attn(x, context, execution))
            return x + self.norm_2(self.mlp(x))
        x = x + self.attn(self.norm_1(x), context, execution)
        return x + self.mlp(self.norm_2(x))


# Models


class RecurrentPreTrainedModel(PreTrainedModel):
    """How transformers makes, loads and saves the models below."""

    config_class = RecurrentConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _no_split_modules = ["RecurrentBlock"]
    _skip_keys_device_placement = ["past_key_values", "cache"]
    _supports_sdpa = True
    _supports_cache_class = True

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, RecurrentNorm):
            nn.init.ones_(module.weight)


class RecurrentModel(RecurrentPreTrainedModel):
    """Embedding, prelude, core, coda and final norm: everything but the head."""

    def __init__(self, config: RecurrentConfig):
        super().__init__(config)

        def blocks(count):
            return nn.ModuleList(RecurrentBlock(config) for _ in range(count))

        width = config.n_embd
        self.wte = nn.Embedding(config.padded_vocab_size, width)
        self.prelude = blocks(config.n_layers_in_prelude)
        if config.injection_type == "linear":
            self.adapter = nn.Linear(2 * width, width, bias=False)
        self.core_block = blocks(config.n_layers_in_recurrent_block)
        if config.norm_after_core:
            self.core_norm = RecurrentNorm(width, config.norm_eps)
        self.coda = blocks(config.n_layers_in_coda)
        self.ln_f = RecurrentNorm(width, config.norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    def get_input_embeddings(self):
        return self.wte

    def set_input_embeddings(self, value):
        self.wte = value

    def forward(
        self,
        input_ids: Optional[torch.LongTensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.LongTensor] = None,
        past_key_values: Optional[DynamicCache] = None,
        inputs_embeds: Optional[torch.Tensor] = None,
        use_cache: Optional[bool] = None,
        num_steps: Union[int, Sequence[int], None] = None,
        initial_state: Optional[torch.Tensor] = None,
        state_seed: Optional[int] = None,
        output_hidden_states: bool = False,
        **kwargs,
    ) -> RecurrentOutput:
        """A `RecurrentOutput` whose `logits` are the final norm's output, [B, S, h]."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give input_ids or inputs_embeds, not both")
        x = self.wte(input_ids) if inputs_embeds is None else inputs_embeds
        steps = self.split_steps(num_steps)
        cache = self.prepared_cache(past_key_values, use_cache, sum(steps))
        past = 0 if cache is None else cache.get_seq_length()
        positions = positions_of(position_ids, attention_mask, past, x)
        angles = positions.unsqueeze(-1).float() * rotary_frequencies(self.config, x.device)
        context = Context(
            angles.cos().unsqueeze(1),
            angles.sin().unsqueeze(1),
            visibility(attention_mask, past, x),
            cache,
        )
        states = [x] if output_hidden_states else None
        runner = BlockRunner(self, context, states)
        embedded = runner.run(self.prelude, x)
        latent = self.start(embedded, positions, initial_state, state_seed)
        with torch.no_grad():
            for _ in range(steps[0]):
                latent = self.recur(runner, latent, embedded)
        if torch.is_autocast_enabled(x.device.type):
            # Weights that autocast converted without gradient must not serve the steps with.
            torch.clear_autocast_cache()
        for _ in range(steps[1]):
            latent = self.recur(runner, latent, embedded)
        normed = self.ln_f(runner.run(self.coda, latent))
        if states is not None:
            states[-1] = normed
        return RecurrentOutput(
            logits=normed,
            hidden_states=None if states is None else tuple(states),
            latent=latent,
            **{CACHE: cache},
        )

    def recur(
        self, runner: "BlockRunner", latent: torch.Tensor, embedded: torch.Tensor
    ) -> torch.Tensor:
        """One pass of the core, the prelude's output injected before it."""
        if self.config.injection_type == "linear":
            x = self.adapter(torch.cat([latent, embedded], dim=-1))
        else:
            x = latent + embedded
        x = runner.run(self.core_block, x)
        return self.core_norm(x) if self.config.norm_after_core else x

    def split_steps(self, num_steps: Union[int, Sequence[int], None]) -> tuple[int, int]:
        """Passes without gradient, and with."""
        if num_steps is None:
            num_steps = self.config.mean_recurrence
        if isinstance(num_steps, (tuple, list)):
            without, steps = (int(x) for x in num_steps)
        else:
            steps = min(int(num_steps), max(1, self.config.mean_backprop_depth))
            without = int(num_steps) - steps
        if without < 0 or steps < 0 or without + steps < 1:
            raise ValueError(f"num_steps is {num_steps}; the core must run at least once")
        return without, steps

    def start(
        self,
        embedded: torch.Tensor,
        positions: torch.Tensor,
        initial_state: Optional[torch.Tensor],
        state_seed: Optional[int],
    ) -> torch.Tensor:
        """The state before the first pass, [B, S, h]."""
        config = self.config
        if initial_state is not None:
            if initial_state.shape != embedded.shape:
                raise ValueError(
                    f"initial_state is {list(initial_state.shape)}, not {list(embedded.shape)}"
                )
            return initial_state.to(embedded)
        if config.initial_state_mode == "embed-init":
            return embedded
        deviation = 0 if config.state_init == "zero" else config.init_values["std"]
        if deviation == 0:
            return torch.zeros_like(embedded)
        if state_seed is None:
            state_seed = int(torch.randint(1 << 62, ())) if self.training else 0
        return random_state(positions, config.n_embd, deviation, state_seed).to(embedded.dtype)

    def prepared_cache(
        self, cache: Optional[DynamicCache], use_cache: Optional[bool], passes: int
    ) -> Optional[DynamicCache]:
        """A cache with a place for every execution of a block; None without."""
        config = self.config
        use_cache = config.use_cache and not self.training if use_cache is None else use_cache
        if cache is None and not use_cache:
            return None
        if self.gradient_checkpointing and self.training:
            return None
        executions = (
            config.n_layers_in_prelude
            + config.n_layers_in_recurrent_block * passes
            + config.n_layers_in_coda
        )
        if cache is None or (cache.get_seq_length() == 0 and len(cache) > 0):
            # One that was made for the number of layers has too few places.
            return DynamicCache()
        if len(cache) not in (0, executions):
            raise ValueError(
                f"the cache is of {len(cache)} executions of a block; "
                f"{passes} passes need {executions}"
            )
        return cache


class BlockRunner:
    """Runs blocks one after another, and counts."""

    def __init__(
        self, model: RecurrentModel, context: Context, states: Optional[list[torch.Tensor]]
    ):
        self.model, self.context, self.states = model, context, states
        self.executions = 0

    def run(self, blocks: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
        model = self.model
        for block in blocks:
            if model.gradient_checkpointing and model.training and torch.is_grad_enabled():
                x = model._gradient_checkpointing_func(
                    block.__call__, x, self.context, self.executions
                )
            else:
                x = block(x, self.context, self.executions)
            self.executions += 1
            if self.states is not None:
                self.states.append(x)
        return x


def positions_of(
    position_ids: Optional[torch.Tensor],
    attention_mask: Optional[torch.Tensor],
    past: int,
    x: torch.Tensor,
) -> torch.Tensor:
    """The place of every token in its sequence, [B, S]; padding on the left does not count."""
    batch, length = x.shape[:2]
    if position_ids is not None:
        return position_ids.expand(batch, length)
    if attention_mask is not None and attention_mask.dim() == 2:
        counted = attention_mask.long().cumsum(-1) - 1
        return counted.clamp(min=0)[:, -length:]
    return torch.arange(past, past + length, device=x.device).expand(batch, length)


def visibility(
    attention_mask: Optional[torch.Tensor], past: int, x: torch.Tensor
) -> Optional[torch.Tensor]:
    """Which keys each query sees, [B, 1, S, K]; None where causality says it all."""
    length = x.shape[1]
    if attention_mask is not None and attention_mask.dim() == 4:
        mask = attention_mask
        return mask if mask.dtype == torch.bool else mask >= 0
    is_full = attention_mask is None or bool(attention_mask.all())
    if is_full and (past == 0 or length == 1):
        return None
    keys = torch.arange(past + length, device=x.device)
    queries = keys[past:].unsqueeze(-1)
    mask = (keys <= queries)[None, None]  # [1, 1, S, K]
    if not is_full:
        # A token of the padding sees itself, so that no row is empty; nobody sees it.
        mask = mask & attention_mask.bool()[:, None, None] | (keys == queries)
    return mask


class RecurrentForCausalLM(RecurrentPreTrainedModel, GenerationMixin):
    """The whole model."""

    # Names for transformers 5, keys for 4.51.
    _tied_weights_keys = {"lm_head.weight": "transformer.wte.weight"}

    def __init__(self, config: RecurrentConfig):
        super().__init__(config)
        self.transformer = RecurrentModel(config)
        self.lm_head = nn.Linear(config.n_embd, config.padded_vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.transformer.wte

    def set_input_embeddings(self, value):
        self.transformer.wte = value

    def get_output_embeddings(self):
        return self.lm_head

    def set_output_embeddings(self, value):
        self.lm_head = value

    def resize_token_embeddings(self, *args, **kwargs):
        embedding = super().resize_token_embeddings(*args, **kwargs)
        self.config.padded_vocab_size = embedding.num_embeddings
        return embedding

    @classmethod
    def _supports_default_dynamic_cache(cls):
        # `forward` makes the cache, which has a place for every execution of a block.
        return False

    def forward(
        self,
        input_ids: Optional[torch.LongTensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.LongTensor] = None,
        past_key_values: Optional[DynamicCache] = None,
        inputs_embeds: Optional[torch.Tensor] = None,
        labels: Optional[torch.LongTensor] = None,
        use_cache: Optional[bool] = None,
        num_steps: Union[int, Sequence[int], None] = None,
        initial_state: Optional[torch.Tensor] = None,
        state_seed: Optional[int] = None,
        output_hidden_states: Optional[bool] = None,
        logits_to_keep: Union[int, torch.Tensor] = 0,
        num_items_in_batch: Union[int, torch.Tensor, None] = None,
        return_dict: Optional[bool] = None,
        cache: Optional[DynamicCache] = None,
        token_type_ids: Optional[torch.Tensor] = None,
        **kwargs,
    ) -> Union[RecurrentOutput, tuple]:
        """Logits, [B, S, V], and with `labels` the mean loss of every next token; labels are
        aligned to the tokens, and -100 does not count. `token_type_ids`, which some tokenizers
        give, mean nothing here."""
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        output = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values if cache is None else cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            num_steps=num_steps,
            initial_state=initial_state,
            state_seed=state_seed,
            output_hidden_states=output_hidden_states,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        output.logits = self.lm_head(output.logits[:, kept])
        if labels is not None:
            output.loss = next_token_loss(output.logits, labels, num_items_in_batch)
        return output.to_tuple() if return_dict is False else output


def next_token_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    num_items_in_batch: Union[int, torch.Tensor, None] = None,
) -> torch.Tensor:
    """Mean cross-entropy in float32 of each token after the one it is predicted from.

    num_items_in_batch: targets of all batches that one update is made of, whose mean is wanted.
    """
    targets = labels[:, 1:].to(logits.device)
    losses = F.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum"
    )
    if num_items_in_batch is None:
        num_items_in_batch = (targets != -100).sum().clamp(min=1)
    return losses / num_items_in_batch


# `save_pretrained` then writes this code beside the weights, and names it in the configuration.
RecurrentModel.register_for_auto_class("AutoModel")
RecurrentForCausalLM.register_for_auto_class("AutoModelForCausalLM")
