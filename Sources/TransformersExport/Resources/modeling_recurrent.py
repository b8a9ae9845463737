"""A depth-recurrent decoder for transformers 4.51 and newer.

    e = prelude(embedding(tokens));  s = start
    r times:  u = adapter([s ; e])  (or s + e, or decay · s + e, or s);  s = core(u)  (or a gate's)
    logits = head(norm(coda(s)))

What the blocks compute is data in the configuration. Beside what every causal language model of
transformers takes, `forward` and `generate` take

- `num_steps`: passes r through the core; or a pair (n, k), n without gradient and then k with. A
  number alone is, where gradients are recorded, n + k with k at most the configuration's
  `mean_backprop_depth`. The configuration's `mean_recurrence` when it is not given. A cache belongs
  to one number of passes.
- `padded_steps`: a pair (N, K) of passes that are always run, with `num_steps` a tensor [n, k] of
  those that count: compiled, drawn depths then need one graph. `forward` alone takes it.
- `state_seed`: seed of a start that is drawn. The value at a token depends on the seed, its position
  and the channel alone, so a sequence that is decoded with a cache, padded, packed or in any batch
  meets the same state; in training it depends on the row of the batch too. `ckpt` draws the same
  numbers. When it is not given: 0 in evaluation, and in training a new one from torch's generator
  at every call.
- `initial_state`: the start itself, [B, S, hidden]; `forward` alone takes it.

Letters in shape comments: B batch, S tokens of a call, K tokens with those in the cache, h hidden,
V rows of the embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Optional, Union

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from .configuration_recurrent import GROUPS, RecurrentConfig
from .recurrent_arguments import refuse_strangers, skipped_steps, split_steps
from .recurrent_block import Context, RecurrentBlock, RecurrentNorm, RecurrentOffsetNorm, made_norm
from .recurrent_cache import key_count, prepared_cache, seen_length
from .recurrent_engine import engine_context, executions_of

# Transformers 4.51 copies the files that this one names, and goes no further.
from .recurrent_experts import RecurrentExperts  # noqa: F401
from .recurrent_flex import visible_blocks
from .recurrent_frequencies import FIXED  # noqa: F401
from .recurrent_injection import RecurrentDecay, add_injection, injected
from .recurrent_layers import ExecutedLayers  # noqa: F401
from .recurrent_peft import tell_peft
from .recurrent_positions import documents_of, has_documents, positions_of, rotations, visibility
from .recurrent_runner import BlockRunner
from .recurrent_state import start

# Transformers renamed the field of its outputs, and the argument, that hold the cache.
OUTPUTS = {field.name for field in fields(CausalLMOutputWithPast)}
CACHE = "cache" if "cache" in OUTPUTS else "past_key_values"


@dataclass
class RecurrentModelOutput(BaseModelOutputWithPast):
    """What the model without its head gives; `latent` is the state that enters the coda, [B, S, h];
    `hidden_states` are the embedding's output and that of every executed block, the last after the
    final norm."""

    latent: Optional[torch.Tensor] = None


@dataclass
class RecurrentOutput(CausalLMOutputWithPast):
    """The same with logits, and a loss where there were labels."""

    latent: Optional[torch.Tensor] = None


class RecurrentPreTrainedModel(PreTrainedModel):
    """How transformers makes, loads and saves the models below."""

    config_class = RecurrentConfig
    base_model_prefix = "transformer"
    supports_gradient_checkpointing = True
    _no_split_modules = ["RecurrentBlock"]
    _skip_keys_device_placement = ["past_key_values", "cache"]
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _supports_cache_class = True
    _can_compile_fullgraph = True

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, RecurrentNorm):
            nn.init.ones_(module.weight)
        elif isinstance(module, (RecurrentOffsetNorm, RecurrentDecay)):
            nn.init.zeros_(module.weight)


class RecurrentModel(RecurrentPreTrainedModel):
    """Embedding, prelude, core, coda and final norm: everything but the head."""

    def __init__(self, config: RecurrentConfig):
        super().__init__(config)
        specs, width = config.block_specs, config.n_embd
        first = dict(zip(GROUPS, (0, len(specs["prelude"]), len(specs["prelude"] + specs["core"]))))

        def blocks(group):
            return nn.ModuleList(
                RecurrentBlock(config, place, first[group] + index)
                for index, place in enumerate(specs[group])
            )

        self.wte = nn.Embedding(config.padded_vocab_size, width)
        self.prelude = blocks("prelude")
        add_injection(self, config)
        self.core_block = blocks("core")
        norm = specs["model"]["final_norm"]
        if config.norm_after_core:
            self.core_norm = RecurrentNorm(width, norm["epsilon"])
        self.coda = blocks("coda")
        self.ln_f = made_norm(width, norm)
        self.executions = executions_of(config)
        tell_peft(config.model_type)
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
        past_key_values=None,
        inputs_embeds: Optional[torch.Tensor] = None,
        use_cache: Optional[bool] = None,
        num_steps: Union[int, Sequence[int], torch.Tensor, None] = None,
        padded_steps: Optional[Sequence[int]] = None,
        initial_state: Optional[torch.Tensor] = None,
        state_seed: Optional[int] = None,
        output_hidden_states: Optional[bool] = None,
        output_attentions: Optional[bool] = None,
        return_dict: Optional[bool] = None,
        cache=None,
        **kwargs,
    ) -> Union[RecurrentModelOutput, tuple]:
        """The final norm's output, [B, S, h], and what else was asked for."""
        if self.executions is None:
            refuse_strangers(kwargs, position_ids)
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give input_ids or inputs_embeds, not both")
        x = self.wte(input_ids) if inputs_embeds is None else inputs_embeds
        multiplier = self.config.block_specs["model"]["embedding_multiplier"]
        if multiplier != 1:
            x = x * torch.tensor(multiplier, dtype=x.dtype, device=x.device)
        steps = split_steps(self.config, num_steps, padded_steps)
        skipped = skipped_steps(num_steps, padded_steps)
        if padded_steps is not None:
            if use_cache or cache is not None or past_key_values is not None:
                raise ValueError("a cache keeps every pass that is run: padded_steps goes without one")
            use_cache = False
        cache = past_key_values if cache is None else cache
        attentions = [] if self.wanted(output_attentions, "output_attentions") else None
        if self.executions is None:
            cache = self.prepared_cache(cache, use_cache, sum(steps), position_ids, attention_mask)
            context, positions = self.context(x, attention_mask, position_ids, cache, attentions)
        else:
            context, positions = engine_context(self, x, sum(steps), position_ids, kwargs)
        states = [x] if self.wanted(output_hidden_states, "output_hidden_states") else None
        runner = BlockRunner(self, context, states)
        embedded = runner.run(self.prelude, x)
        latent = start(self.config, embedded, positions, initial_state, state_seed, self.training)
        with torch.no_grad():
            for step in range(steps[0]):
                latent = self.recur(runner, latent, embedded, step, skipped[0])
        if not torch.compiler.is_compiling() and torch.is_autocast_enabled(x.device.type):
            # Weights that autocast converted without gradient must not serve the steps with.
            torch.clear_autocast_cache()
        for step in range(steps[1]):
            latent = self.recur(runner, latent, embedded, step, skipped[1])
        normed = self.ln_f(runner.run(self.coda, latent))
        if states is not None:
            states[-1] = normed
        output = RecurrentModelOutput(
            last_hidden_state=normed,
            hidden_states=None if states is None else tuple(states),
            attentions=None if attentions is None else tuple(attentions),
            latent=latent,
            **{CACHE: cache},
        )
        return output.to_tuple() if return_dict is False else output

    def wanted(self, argument: Optional[bool], field: str) -> bool:
        """Whether an output is asked for, by the call or else by the configuration."""
        is_wanted = bool(getattr(self.config, field, False)) if argument is None else bool(argument)
        if is_wanted and field == "output_attentions":
            if self.config._attn_implementation not in (None, "eager"):
                raise ValueError("output_attentions needs attn_implementation='eager'")
        return is_wanted

    def context(self, x, attention_mask, position_ids, cache, attentions):
        """What the blocks share, and the position of each token, [B, S]."""
        past = seen_length(cache)
        length = x.shape[1]
        if attention_mask is not None and attention_mask.dim() == 2 and isinstance(past, int):
            if attention_mask.shape[1] != past + length:
                raise ValueError(
                    f"attention_mask is for {attention_mask.shape[1]} tokens; {past} in the cache and "
                    f"{length} of this call are {past + length}"
                )
            if not torch.compiler.is_compiling() and bool(attention_mask.all()):
                attention_mask = None
        positions = positions_of(position_ids, attention_mask, past, x)
        documents = None
        if position_ids is not None and cache is None:
            mask = attention_mask
            documents = documents_of(positions, mask if mask is None or mask.dim() == 2 else None)
            # In training nobody waits for the device, and one kind of mask serves all batches.
            is_free = torch.compiler.is_compiling() or self.training
            if not is_free and not bool(documents.any()):
                documents = None
        keys = key_count(cache, past, length)
        is_flex = self.config._attn_implementation == "flex_attention"
        is_flat = attention_mask is None or attention_mask.dim() == 2
        in_blocks = is_flex and is_flat and cache is None and not torch.compiler.is_compiling()
        masks = {
            window: visible_blocks(attention_mask, documents, window, x)
            if in_blocks
            else visibility(attention_mask, documents, past, keys, window, x, is_flex)
            for window in self.config.windows()
        }
        return Context(rotations(self.config, positions), masks, cache, attentions), positions

    def recur(
        self,
        runner: BlockRunner,
        latent: torch.Tensor,
        embedded: torch.Tensor,
        step: int,
        skipped: Optional[torch.Tensor],
    ) -> torch.Tensor:
        """One pass of the core, the prelude's output injected before it; of the passes that are
        always run the first `skipped` leave the state as it is."""
        x = runner.run(self.core_block, injected(self, latent, embedded))
        if self.config.norm_after_core:
            x = self.core_norm(x)
        if self.config.injection_type == "gated":
            x = self.gate(x, latent)
        return x if skipped is None else torch.where(skipped > step, latent, x)

    def prepared_cache(self, cache, use_cache, passes: int, position_ids, attention_mask):
        """A cache with a place for every execution of a block; None without."""
        config = self.config
        is_asked = use_cache or cache is not None
        if use_cache is None:
            use_cache = config.use_cache and not self.training
        if cache is None and not use_cache:
            return None
        if self.gradient_checkpointing and self.training:
            return None
        if position_ids is not None and position_ids.shape[-1] > 1:
            # A cache does not keep documents apart.
            is_two = attention_mask is not None and attention_mask.dim() == 2
            mask = attention_mask[:, -position_ids.shape[-1] :] if is_two else None
            is_packed = has_documents(position_ids, mask)
            problem = "position_ids begin anew within a row: packed documents need use_cache=False"
            if torch.compiler.is_compiling():
                if not is_asked:
                    return None
                torch._assert_async(~is_packed, problem)
            elif bool(is_packed):
                if is_asked:
                    raise ValueError(problem)
                return None
        core = len(self.core_block) * passes
        return prepared_cache(cache, len(self.prelude) + core + len(self.coda), passes)


class RecurrentForCausalLM(RecurrentPreTrainedModel, GenerationMixin):
    """The whole model."""

    # Names for transformers 5, keys for 4.51.
    _tied_weights_keys = {"lm_head.weight": "transformer.wte.weight"}
    # `forward` divides by the `num_items_in_batch` that a trainer gives.
    accepts_loss_kwargs = True

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

    @staticmethod
    def create_masks_for_generate(attention_mask=None, **kwargs):
        """The mask as it is: `forward` knows the windows of its blocks."""
        return attention_mask

    def forward(
        self,
        input_ids: Optional[torch.LongTensor] = None,
        attention_mask: Optional[torch.Tensor] = None,
        position_ids: Optional[torch.LongTensor] = None,
        past_key_values=None,
        inputs_embeds: Optional[torch.Tensor] = None,
        labels: Optional[torch.LongTensor] = None,
        use_cache: Optional[bool] = None,
        num_steps: Union[int, Sequence[int], torch.Tensor, None] = None,
        padded_steps: Optional[Sequence[int]] = None,
        initial_state: Optional[torch.Tensor] = None,
        state_seed: Optional[int] = None,
        output_hidden_states: Optional[bool] = None,
        output_attentions: Optional[bool] = None,
        logits_to_keep: Union[int, torch.Tensor] = 0,
        num_items_in_batch: Union[int, torch.Tensor, None] = None,
        shift_labels: Optional[torch.LongTensor] = None,
        token_type_ids: Optional[torch.Tensor] = None,
        return_dict: Optional[bool] = None,
        cache=None,
        **kwargs,
    ) -> Union[RecurrentOutput, tuple]:
        """Logits, [B, S, V], and with `labels` the mean loss of every next token; labels are
        aligned to the tokens (`shift_labels`: to the logits that predict them), and -100 does not
        count. `token_type_ids`, which some tokenizers give, mean nothing here."""
        output = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values if cache is None else cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            num_steps=num_steps,
            padded_steps=padded_steps,
            initial_state=initial_state,
            state_seed=state_seed,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.finished(self.lm_head(output.last_hidden_state[:, kept]))
        loss = None
        if labels is not None or shift_labels is not None:
            loss = self.loss_function(
                logits=logits,
                labels=labels,
                vocab_size=logits.shape[-1],
                num_items_in_batch=num_items_in_batch,
                **({} if shift_labels is None else {"shift_labels": shift_labels}),
            )
        result = RecurrentOutput(
            loss=loss,
            logits=logits,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
            latent=output.latent,
            **{CACHE: getattr(output, CACHE)},
        )
        return result.to_tuple() if return_dict is False else result

    def finished(self, logits: torch.Tensor) -> torch.Tensor:
        """The head's results, divided and capped as the model says."""
        model = self.config.block_specs["model"]
        if model["logits_divisor"] != 1:
            logits = logits / model["logits_divisor"]
        cap = model["logit_softcap"]
        return logits if cap is None else cap * torch.tanh(logits / cap)


# `save_pretrained` then writes this code beside the weights, and names it in the configuration.
RecurrentModel.register_for_auto_class("AutoModel")
RecurrentForCausalLM.register_for_auto_class("AutoModelForCausalLM")
