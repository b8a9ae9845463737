"""Writes fixtures/families: tiny random models of every family with the numbers that transformers
computes of them, and the defaults of each family's configuration class.

Run as `.venv/bin/python Scripts/make_family_fixtures.py [NAME ...]`, with the packages of
Scripts/requirements.txt. The recurrent numbers are transformers' own too: its decoder layers run in
the order prelude, core r times, coda, with the injection put before each pass of the core.
"""

import dataclasses
import json
import os
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors.torch import save_file
from torch import nn

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures/families")
TOKENS, VOCABULARY = 24, 48
PRELUDE, CORE, CODA, RECURRENCE, BACKPROP = [0, 1], [3, 4], [5], 3, 2

TINY = dict(
    vocab_size=VOCABULARY,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=6,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
    rope_theta=10000.0,
)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=10000.0)
FACTORS = [1.0, 1.3, 2.5, 4.0]


def long_rope(pairs, **more):
    return dict(
        rope_type="longrope",
        short_factor=FACTORS[:pairs],
        long_factor=[2 * x for x in FACTORS[:pairs]],
        rope_theta=10000.0,
        **more,
    )


# Name, family's class without its ending, what differs from TINY and from the class's defaults.
MODELS = [
    ("llama-linear", "Llama", dict(rope_parameters=dict(rope_type="linear", factor=2.5, rope_theta=10000.0), head_dim=8, attention_bias=True, mlp_bias=True)),
    ("llama-dynamic", "Llama", dict(rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=10000.0), max_position_embeddings=16)),
    ("llama-yarn", "Llama", dict(rope_parameters=dict(**YARN, beta_fast=8.0, beta_slow=0.5), hidden_act="gelu")),
    ("llama-longrope", "Llama", dict(rope_parameters=long_rope(2, factor=4.0, original_max_position_embeddings=16))),
    ("mistral-window", "Mistral", dict(sliding_window=5, head_dim=8)),
    ("mistral-full", "Mistral", dict(sliding_window=None, rope_parameters=LLAMA3)),
    ("mistral-yarn", "Mistral", dict(sliding_window=23, rope_parameters=dict(**YARN, attention_factor=1.5, truncate=False))),
    ("ministral-mixed", "Ministral", dict(head_dim=4, sliding_window=6, layer_types=["full_attention", "sliding_attention"] * 3)),
    ("ministral-window", "Ministral", dict(head_dim=4, sliding_window=3)),
    ("ministral-wide", "Ministral", dict(head_dim=4, sliding_window=30, rope_parameters=YARN)),
    ("qwen2-window", "Qwen2", dict(use_sliding_window=True, sliding_window=5, max_window_layers=2)),
    ("qwen2-types", "Qwen2", dict(use_sliding_window=True, sliding_window=7, layer_types=["full_attention"] * 2 + ["sliding_attention", "full_attention"] * 2)),
    ("qwen2-yarn", "Qwen2", dict(rope_parameters=YARN, tie_word_embeddings=True)),
    ("qwen3-window", "Qwen3", dict(use_sliding_window=True, sliding_window=4, max_window_layers=3, head_dim=12)),
    ("qwen3-yarn", "Qwen3", dict(rope_parameters=YARN, head_dim=8, attention_bias=True)),
    ("qwen3-dynamic", "Qwen3", dict(rope_parameters=dict(rope_type="dynamic", factor=2.0, rope_theta=1e6), max_position_embeddings=20, head_dim=8)),
    ("olmo2-bias", "Olmo2", dict(attention_bias=True, tie_word_embeddings=True)),
    ("olmo3-default", "Olmo3", dict(sliding_window=5)),
    ("olmo3-yarn", "Olmo3", dict(sliding_window=7, rope_parameters=dict(full_attention=dict(**{**YARN, "rope_theta": 500000.0}), sliding_attention=dict(rope_type="default", rope_theta=500000.0)))),
    ("olmo3-types", "Olmo3", dict(sliding_window=4, layer_types=["full_attention", "sliding_attention"] * 3, attention_bias=True)),
    ("smollm3-default", "SmolLM3", dict()),
    ("smollm3-list", "SmolLM3", dict(no_rope_layers=[1, 0, 1, 0, 0, 1], tie_word_embeddings=False, attention_bias=True, mlp_bias=True)),
    ("smollm3-window", "SmolLM3", dict(use_sliding_window=True, sliding_window=5, no_rope_layer_interval=2, rope_parameters=YARN)),
    ("gemma-default", "Gemma", dict(head_dim=8)),
    ("gemma2-default", "Gemma2", dict(head_dim=8, sliding_window=5)),
    ("gemma2-nocap", "Gemma2", dict(head_dim=4, sliding_window=9, query_pre_attn_scalar=6, attn_logit_softcapping=None, final_logit_softcapping=None, attention_bias=True)),
    ("gemma2-types", "Gemma2", dict(head_dim=8, sliding_window=3, layer_types=["full_attention"] * 3 + ["sliding_attention"] * 3, attn_logit_softcapping=2.0, final_logit_softcapping=3.0, tie_word_embeddings=False)),
    ("gemma2-heads", "Gemma2", dict(head_dim=8, sliding_window=5, query_pre_attn_scalar=8)),
    ("gemma3-heads", "Gemma3Text", dict(head_dim=8, sliding_window=5, query_pre_attn_scalar=8)),
    ("gemma3-scaled", "Gemma3Text", dict(head_dim=8, sliding_window=6, query_pre_attn_scalar=8, final_logit_softcapping=5.0, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=2e4)))),
    ("gemma3-default", "Gemma3Text", dict(head_dim=8, sliding_window=5)),
    ("gemma3-linear", "Gemma3Text", dict(head_dim=8, sliding_window=6, query_pre_attn_scalar=10, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4)))),
    ("gemma3-types", "Gemma3Text", dict(head_dim=6, sliding_window=4, layer_types=["sliding_attention", "full_attention"] * 3, final_logit_softcapping=5.0, attention_bias=True)),
    ("granite-factors", "Granite", dict(embedding_multiplier=12.0, residual_multiplier=0.22, attention_multiplier=0.3, logits_scaling=8.0)),
    ("granite-bias", "Granite", dict(residual_multiplier=0.5, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    ("granite-plain", "Granite", dict(rope_parameters=LLAMA3)),
    ("granitehybrid-rope", "GraniteMoeHybrid", dict(num_local_experts=0, shared_intermediate_size=24, layer_types=["attention"] * 6, mamba_n_heads=4, position_embedding_type="rope", embedding_multiplier=3.0, residual_multiplier=0.3, attention_multiplier=0.4, logits_scaling=2.0)),
    ("granitehybrid-nope", "GraniteMoeHybrid", dict(num_local_experts=0, shared_intermediate_size=20, layer_types=["attention"] * 6, mamba_n_heads=4, tie_word_embeddings=True)),
    ("granitehybrid-bias", "GraniteMoeHybrid", dict(num_local_experts=0, shared_intermediate_size=24, layer_types=["attention"] * 6, mamba_n_heads=4, position_embedding_type="rope", attention_bias=True)),
    ("phi3-default", "Phi3", dict()),
    ("phi3-longrope", "Phi3", dict(hidden_size=32, rope_parameters=long_rope(3, partial_rotary_factor=0.75), original_max_position_embeddings=16, sliding_window=9)),
    ("phi3-short", "Phi3", dict(hidden_size=32, rope_parameters=long_rope(4), original_max_position_embeddings=32, tie_word_embeddings=True)),
    ("qwen3moe-default", "Qwen3Moe", dict(head_dim=8, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=8)),
    ("qwen3moe-mixed", "Qwen3Moe", dict(head_dim=4, num_experts=5, num_experts_per_tok=3, moe_intermediate_size=12, norm_topk_prob=True, mlp_only_layers=[0, 4], tie_word_embeddings=True, router_aux_loss_coef=0.5)),
    ("qwen3moe-step", "Qwen3Moe", dict(head_dim=4, num_experts=8, num_experts_per_tok=4, moe_intermediate_size=9, norm_topk_prob=True, decoder_sparse_step=2, mlp_only_layers=[1], use_sliding_window=True, sliding_window=5, attention_bias=True)),
    ("qwen3moe-normalised", "Qwen3Moe", dict(head_dim=8, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=8, norm_topk_prob=True)),
    ("qwen3moe-packed", "Qwen3Moe", dict(head_dim=4, num_experts=4, num_experts_per_tok=1, moe_intermediate_size=10, norm_topk_prob=True, router_aux_loss_coef=0.2, hidden_act="gelu")),
    ("olmoe-default", "Olmoe", dict(num_experts=8, num_experts_per_tok=3, intermediate_size=8)),
    ("olmoe-normalised", "Olmoe", dict(num_experts=5, num_experts_per_tok=2, intermediate_size=11, norm_topk_prob=True, attention_bias=True, rope_parameters=YARN, router_aux_loss_coef=0.3)),
    ("olmoe-packed", "Olmoe", dict(num_experts=4, num_experts_per_tok=4, intermediate_size=12, tie_word_embeddings=True)),
    ("mixtral-default", "Mixtral", dict(num_local_experts=8, num_experts_per_tok=2, intermediate_size=8)),
    ("mixtral-window", "Mixtral", dict(num_local_experts=4, num_experts_per_tok=3, intermediate_size=12, sliding_window=5, head_dim=8, router_aux_loss_coef=0.4)),
    ("mixtral-packed", "Mixtral", dict(num_local_experts=5, num_experts_per_tok=1, intermediate_size=9, rope_parameters=LLAMA3, tie_word_embeddings=True, router_aux_loss_coef=0.0)),
]


class Execution(nn.Module):
    """A run of a decoder layer, with something done to its input, and its output kept."""

    def __init__(self, layer, before=None, after=None):
        super().__init__()
        # Not registered: a layer that runs several times has one set of weights.
        object.__setattr__(self, "layer", layer)
        self.before, self.after = before, after

    def forward(self, hidden, *args, **kwargs):
        if self.before is not None:
            hidden = self.before(hidden)
        out = self.layer(hidden, *args, **kwargs)
        if self.after is not None:
            (self.after)(out[0] if isinstance(out, tuple) else out)
        return out


def randomise(model, generator):
    """Weights that make every part matter: norms that are not one, biases that are not zero."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim == 1:
                p.copy_(0.2 * noise + (1 if name.endswith("weight") and not offset(model) else 0))
            else:
                p.copy_(noise * (0.5 if "embed" in name else 0.25))


def offset(model):
    """Whether the family stores norms less one."""
    return model.config.model_type.startswith("gemma")


def routers(model):
    """The modules that choose among experts."""
    return [m for m in model.modules() if type(m).__name__.endswith("TopKRouter")]


def balance(model, executed):
    """The loss that transformers adds for `executed`, the routers' results of a pass."""
    count = model.num_experts
    module = sys.modules[type(model).__module__]
    return module.load_balancing_loss_func(tuple(executed), count, model.num_experts_per_tok)


def recurrent(model, ids, labels, adapter, state):
    """Loss, latent and logits of the recurrent form, and the loss that balances experts; gradients of
    both are left in the parameters. All executions of a router count, those of passes without a
    gradient too, as constants."""
    inner = model.model
    layers = inner.layers
    memory, executed = {}, []
    hooks = [
        m.register_forward_hook(lambda module, args, out: executed.append(out[0]))
        for m in routers(model)
    ]

    def keep(hidden):
        memory["embedded"] = hidden
        memory["state"] = state

    def start(first):
        def inject(hidden):
            s = memory["state"] if first else hidden
            return torch.cat([s, memory["embedded"]], -1) @ adapter.T

        return inject

    def pass_of(step):
        def leave(hidden):
            memory["state"] = hidden

        runs = []
        for i, index in enumerate(CORE):
            runs.append(
                (
                    index,
                    Execution(
                        layers[index],
                        start(step == 0) if i == 0 else None,
                        leave if i == len(CORE) - 1 else None,
                    ),
                )
            )
        return runs

    runs = [(i, Execution(layers[i], None, keep if i == PRELUDE[-1] else None)) for i in PRELUDE]
    for step in range(RECURRENCE):
        part = pass_of(step)
        if step == RECURRENCE - BACKPROP:
            # Passes before this one leave no trace.
            first = part[0][1]
            inject = first.before

            def detached(hidden, inject=inject, step=step):
                memory["state"] = memory["state"].detach()
                s = memory["state"] if step == 0 else hidden.detach()
                return torch.cat([s, memory["embedded"]], -1) @ adapter.T

            first.before = detached
        runs += part
    coda = [(i, Execution(layers[i])) for i in CODA]
    coda[0][1].before = lambda hidden: memory.setdefault("latent", hidden) * 1
    runs += coda
    inner.layers = nn.ModuleList(run for _, run in runs)
    saved = model.config.num_hidden_layers
    model.config.num_hidden_layers = len(runs)
    lists = {}
    for key in ("layer_types", "no_rope_layers"):
        if getattr(model.config, key, None) is not None:
            lists[key] = getattr(model.config, key)
            setattr(model.config, key, [lists[key][i] for i, _ in runs])
    try:
        logits = model(ids, use_cache=False).logits
    finally:
        for hook in hooks:
            hook.remove()
        inner.layers, model.config.num_hidden_layers = layers, saved
        for key, value in lists.items():
            setattr(model.config, key, value)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    uneven = None
    if executed:
        # What leaves no trace has no gradient through its router either.
        first = sum(bool(routers(layers[i])) for i in PRELUDE)
        core = sum(bool(routers(layers[i])) for i in CORE)
        for i in range(first, first + (RECURRENCE - BACKPROP) * core):
            executed[i] = executed[i].detach()
        uneven = balance(model, executed)
        (loss + model.router_aux_loss_coef * uneven).backward()
        uneven = uneven.detach()
    else:
        loss.backward()
    return loss.detach(), memory["latent"].detach(), logits.detach(), uneven


def stored_names(name, family, parameter, value):
    """The tensors that a parameter is in the fixture's file: packed experts are one for each."""
    if "experts." not in parameter or name.endswith("-packed"):
        if family == "Mixtral" and not name.endswith("-packed"):
            parameter = parameter.replace(".mlp.", ".block_sparse_moe.")
        return [(parameter, value)]
    layer = parameter.split(".mlp.")[0]
    names = ("gate_proj", "up_proj", "down_proj")
    if family == "Mixtral":
        layer, names = layer + ".block_sparse_moe.experts.", ("w1", "w3", "w2")
    else:
        layer += ".mlp.experts."
    parts = []
    for expert, matrix in enumerate(value):
        if parameter.endswith("gate_up_proj"):
            gate, up = matrix.chunk(2)
            parts += [(f"{layer}{expert}.{names[0]}.weight", gate), (f"{layer}{expert}.{names[1]}.weight", up)]
        else:
            parts.append((f"{layer}{expert}.{names[2]}.weight", matrix))
    return parts


def make(name, family, change):
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    config = getattr(transformers, family + "Config")(**{**TINY, **change})
    config._attn_implementation = "eager"
    if any(key in change for key in ("num_experts", "num_local_experts")):
        config._experts_implementation = "eager"
    class_name = family.removesuffix("Text") + "ForCausalLM"
    model = getattr(transformers, class_name)(config).eval().float()
    randomise(model, generator)
    model.tie_weights()
    folder = os.path.join(ROOT, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(os.path.join(folder, "model"))
    if name.endswith("-packed"):
        # As transformers 5 holds the experts: one tensor for all of a layer's.
        tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
        if config.tie_word_embeddings:
            tensors.pop("lm_head.weight")
        save_file(tensors, os.path.join(folder, "model/model.safetensors"), {"format": "pt"})
    extra = os.path.join(folder, "model/generation_config.json")
    if os.path.exists(extra):
        os.remove(extra)
    ids = torch.randint(3, VOCABULARY, (1, TOKENS), generator=generator)
    labels = torch.cat([ids[:, 1:], torch.full((1, 1), -100)], 1)
    labels[0, 3] = -100
    width = config.hidden_size
    adapter = nn.Parameter(torch.randn(width, 2 * width, generator=generator) * 0.25)
    state = torch.randn(1, TOKENS, width, generator=generator) * 0.3
    with torch.no_grad():
        out = model(ids, use_cache=False, output_hidden_states=True)
    numbers = {
        "input_ids": ids,
        "labels": labels,
        "initial_state": state,
        "adapter": adapter.detach().clone(),
        "logits": out.logits,
        "hidden": torch.cat(out.hidden_states),
    }
    loss, latent, logits, uneven = recurrent(model, ids, labels, adapter, state)
    numbers |= {"recurrent.loss": loss[None], "recurrent.latent": latent, "recurrent.logits": logits}
    if uneven is not None:
        numbers["recurrent.balance"] = uneven[None]
    numbers["grad.adapter"] = adapter.grad
    tied = config.tie_word_embeddings
    used = PRELUDE + CORE + CODA
    for parameter, p in model.named_parameters():
        parts = parameter.split(".")
        if "layers" in parts and int(parts[parts.index("layers") + 1]) not in used:
            continue
        if p.grad is not None:
            for stored, grad in stored_names(name, family, parameter, p.grad):
                numbers["grad." + stored] = grad
    save_file(
        {k: v.float().contiguous() if v.is_floating_point() else v for k, v in numbers.items()},
        os.path.join(folder, "numbers.safetensors"),
    )
    print(name, float(loss), "tied" if tied else "")


def defaults():
    """What every class takes for a field that a file leaves out, before it computes others of it."""
    table = {}
    for family in sorted({family for _, family, _ in MODELS}):
        kind = getattr(transformers, family + "Config")
        table[kind.model_type] = {
            field.name: field.default
            for field in dataclasses.fields(kind)
            if isinstance(field.default, (bool, int, float, str, type(None)))
        }
        bases = kind.default_theta
        if isinstance(bases, dict):
            bases, local = bases["global"], bases["local"]
            table[kind.model_type]["rope_local_base_freq"] = local
        table[kind.model_type]["rope_theta"] = bases
    with open(os.path.join(ROOT, "defaults.json"), "w") as file:
        json.dump(table, file, indent=1, sort_keys=True)
        file.write("\n")


if __name__ == "__main__":
    os.makedirs(ROOT, exist_ok=True)
    wanted = sys.argv[1:]
    for name, family, change in MODELS:
        if not wanted or name in wanted:
            make(name, family, change)
    defaults()
