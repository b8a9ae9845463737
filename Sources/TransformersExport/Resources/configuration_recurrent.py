"""Configuration of a depth-recurrent decoder, for transformers 4.51 and newer.

Fields have the names of the published retrofits of arXiv 2511.07384, so that `ckpt` and their own
code read the same file. The names that transformers uses (`hidden_size` and so on) are aliases.

What each block computes is data, `block_specs`: `distinct` has every spec once; `prelude`, `core`
and `coda` name a place there for each of their blocks; `model` is what is computed outside the
blocks. `ckpt export` writes it. The fields of the source model's own configuration stay beside it
for `ckpt`, which refuses a folder where the two differ; nothing here computes with them.
"""

import math

from transformers import PretrainedConfig, __version__

from .recurrent_layers import ExecutedLayers

GROUPS = ("prelude", "core", "coda")
# The members that a spec has, by the object they stand in.
MEMBERS = {
    "model": {"embedding_multiplier", "final_norm", "logits_divisor", "logit_softcap"},
    "block": {"attention", "mlp", "norms", "residual_multiplier"},
    "attention": {"window", "rotary", "scale", "softcap", "norm", "qkv_bias", "output_bias"},
    "mlp": {"activation", "bias"},
}
# The numbers of each kind of rotary embedding, beside theta and dimensions.
ROTARY = {
    "default": set(),
    "linear": {"factor"},
    "dynamic": {"factor", "original_context"},
    "llama3": {"factor", "low", "high", "original_context"},
    "yarn": {"factor", "original_context", "beta_fast", "beta_slow", "truncate", "magnitude"},
    "longrope": {"short", "long", "original_context", "magnitude"},
}
# How several workers share a matrix: each takes some rows, or some columns, and all meet the whole
# result, because rows of different parts lie in one matrix. Transformers 5 renamed the two.
ROWS, COLUMNS = (
    ("colwise_gather_output", "rowwise_split_input")
    if int(__version__.split(".")[0]) >= 5
    else ("colwise_rep", "rowwise_rep")
)
INJECTIONS = ("linear", "add", "diagonal", "gated")
ACTIVATIONS = ("silu", "gelu", "gelu_tanh")
PLACES = ("attention_input", "attention_output", "mlp_input", "mlp_output")


class RecurrentConfig(ExecutedLayers, PretrainedConfig):
    """A prelude that runs once, a core that runs `mean_recurrence` times unless a call says
    otherwise, and a coda that runs once; before every pass of the core the prelude's output is
    injected into the state: by a linear adapter, by addition, or by addition to a state whose
    channels decay. Or the state starts there, and a gate of rank `gate_rank` follows each pass."""

    model_type = "huginn_raven"
    attribute_map = {
        "hidden_size": "n_embd",
        "num_attention_heads": "n_heads",
        "rms_norm_eps": "norm_eps",
    }
    keys_to_ignore_at_inference = ["past_key_values", "cache"]
    base_model_tp_plan = {
        f"{group}.*.{part}": style
        for group in ("prelude", "core_block", "coda")
        for part, style in {
            "attn.Wqkv": ROWS,
            "attn.proj": COLUMNS,
            "mlp.fc": ROWS,
            "mlp.proj": COLUMNS,
        }.items()
    }

    def __init__(
        self,
        source_model_type="llama",
        vocab_size=32000,
        padded_vocab_size=None,
        n_embd=2048,
        n_heads=32,
        num_key_value_heads=None,
        head_dim=None,
        intermediate_size=5632,
        n_layers=None,
        n_layers_in_prelude=4,
        n_layers_in_recurrent_block=8,
        n_layers_in_coda=4,
        mean_recurrence=32,
        mean_backprop_depth=8,
        injection_type="linear",
        gate_rank=None,
        norm_after_core=False,
        initial_state_mode="random",
        state_init="like-init",
        init_values=None,
        norm_eps=1e-5,
        max_position_embeddings=2048,
        block_specs=None,
        initializer_range=0.02,
        use_cache=True,
        tie_embeddings=None,
        tie_word_embeddings=None,
        **kwargs,
    ):
        layers = n_layers_in_prelude + n_layers_in_recurrent_block + n_layers_in_coda
        if n_layers not in (None, layers):
            raise ValueError(f"n_layers is {n_layers}, but the three parts have {layers}")
        if injection_type not in INJECTIONS:
            raise ValueError(f"injection_type {injection_type!r} is not one of {', '.join(INJECTIONS)}")
        if injection_type == "gated" and not isinstance(gate_rank, int):
            raise ValueError(f"injection_type is 'gated', but gate_rank is {gate_rank!r}")
        self.source_model_type = source_model_type
        self.vocab_size = vocab_size
        # Rows of the embedding, which may be more than there are tokens.
        self.padded_vocab_size = padded_vocab_size or vocab_size
        self.n_embd = n_embd
        self.n_heads = n_heads
        self.num_key_value_heads = num_key_value_heads or n_heads
        self.head_dim = head_dim or n_embd // n_heads
        self.intermediate_size = intermediate_size
        self.n_layers = layers
        self.n_layers_in_prelude = n_layers_in_prelude
        self.n_layers_in_recurrent_block = n_layers_in_recurrent_block
        self.n_layers_in_coda = n_layers_in_coda
        self.mean_recurrence = mean_recurrence
        self.mean_backprop_depth = mean_backprop_depth
        self.injection_type = injection_type
        self.gate_rank = gate_rank
        self.norm_after_core = norm_after_core
        self.initial_state_mode = initial_state_mode
        self.state_init = state_init
        self.init_values = init_values or {"std": 0.008703882797784892, "embed_scale": 1.0}
        self.norm_eps = norm_eps
        self.max_position_embeddings = max_position_embeddings
        self.initializer_range = initializer_range
        self.use_cache = use_cache
        self.block_specs = self.plain_specs() if block_specs is None else block_specs
        self.check_specs()
        # Both names are saved, and equal: readers know one or the other.
        tied = next((x for x in (tie_word_embeddings, tie_embeddings) if x is not None), False)
        self.tie_embeddings = tied
        rope = {key: kwargs.pop(key, None) for key in ("rope_parameters", "rope_scaling")}
        super().__init__(tie_word_embeddings=tied, **kwargs)
        self.keep_rope(rope["rope_parameters"] or rope["rope_scaling"], kwargs.get("rope_theta"))

    def keep_rope(self, stated, theta):
        """The source's rotary settings in one form, for `ckpt`: nothing here computes with them.
        Transformers 5 writes that form, and 4.51 takes it as any field."""
        known = self.rotary_types()
        nested = {k: v for k, v in (stated or {}).items() if isinstance(v, dict)}
        rope = nested or dict(stated or {})
        if not nested and known:
            rope["rope_type"] = rope.pop("type", None) or rope.get("rope_type") or "default"
            if theta is not None:
                rope.setdefault("rope_theta", theta)
        for part in nested.values() or [rope]:
            kind = {"su": "longrope"}.get(part.get("rope_type"), part.get("rope_type", "default"))
            if known and kind not in known:
                raise ValueError(
                    f"the rotary settings are of the type {kind!r}, but those in block_specs, which are "
                    f"what is computed, of {sorted(known)}"
                )
        if rope:
            self.rope_parameters = rope

    def rotary_types(self):
        """The kinds of rotary embedding among the specs."""
        rotaries = [spec["attention"]["rotary"] for spec in self.block_specs["distinct"]]
        return {rotary["type"] for rotary in rotaries if rotary is not None}

    def plain_specs(self):
        """The specs of a model that is made without any: norms before, SiLU, no scaling."""
        norm = {"offset": 0.0, "epsilon": self.norm_eps}
        block = {
            "attention": {
                "window": None,
                "rotary": {"type": "default", "theta": 10000.0, "dimensions": self.head_dim},
                "scale": 1 / math.sqrt(self.head_dim),
                "softcap": None,
                "norm": None,
                "qkv_bias": False,
                "output_bias": False,
            },
            "mlp": {"activation": "silu", "bias": False},
            "norms": [{"place": place, **norm} for place in ("attention_input", "mlp_input")],
            "residual_multiplier": 1.0,
        }
        counts = (
            self.n_layers_in_prelude,
            self.n_layers_in_recurrent_block,
            self.n_layers_in_coda,
        )
        return {
            "distinct": [block],
            "model": {
                "embedding_multiplier": 1.0,
                "final_norm": norm,
                "logits_divisor": 1.0,
                "logit_softcap": None,
            },
            **{group: [0] * count for group, count in zip(GROUPS, counts)},
        }

    def specs_of(self, group):
        """The spec of each block of `group`, a name of `GROUPS`."""
        return [self.block_specs["distinct"][place] for place in self.block_specs[group]]

    def check_specs(self):
        """Refuses a spec that the modelling code would compute otherwise than it says."""
        specs = self.block_specs
        require_members("block_specs", specs, {"distinct", "model", *GROUPS})
        require_members("block_specs.model", specs["model"], MEMBERS["model"])
        require_offset("block_specs.model", specs["model"]["final_norm"])
        counts = dict(
            zip(
                GROUPS,
                (self.n_layers_in_prelude, self.n_layers_in_recurrent_block, self.n_layers_in_coda),
            )
        )
        for group, count in counts.items():
            places = specs[group]
            if len(places) != count or not all(0 <= x < len(specs["distinct"]) for x in places):
                raise ValueError(
                    f"block_specs.{group} is {places}, not {count} places among the "
                    f"{len(specs['distinct'])} of block_specs.distinct"
                )
        for index, spec in enumerate(specs["distinct"]):
            check_block(f"block_specs.distinct.{index}", spec)


def check_block(path, spec):
    """Refuses members that a block's spec lacks, or has too many, and values that are not known."""
    require_members(path, spec, MEMBERS["block"])
    require_members(f"{path}.attention", spec["attention"], MEMBERS["attention"])
    experts = spec["mlp"].get("experts")
    more = set() if experts is None else {"experts"}
    require_members(f"{path}.mlp", spec["mlp"], MEMBERS["mlp"] | more)
    if experts is not None:
        check_experts(f"{path}.mlp.experts", spec["mlp"])
    if spec["mlp"]["activation"] not in ACTIVATIONS:
        raise ValueError(
            f"{path}.mlp.activation is {spec['mlp']['activation']!r}, none of {ACTIVATIONS}"
        )
    for norm in [*spec["norms"], spec["attention"]["norm"] or {"offset": 0}]:
        require_offset(path, norm)
    places = [norm["place"] for norm in spec["norms"]]
    if len(set(places)) != len(places) or not set(places) <= set(PLACES):
        raise ValueError(f"{path}.norms stand at {places}, not at some of {PLACES} once each")
    rotary = spec["attention"]["rotary"]
    if rotary is not None:
        if rotary.get("type") not in ROTARY:
            raise ValueError(
                f"{path}.attention.rotary.type is {rotary.get('type')!r}, none of {list(ROTARY)}"
            )
        wanted = {"type", "theta", "dimensions"} | ROTARY[rotary["type"]]
        require_members(f"{path}.attention.rotary", rotary, wanted)
    extent = (spec["attention"]["norm"] or {"extent": "head"}).get("extent")
    if extent not in ("head", "all"):
        raise ValueError(f"{path}.attention.norm.extent is {extent!r}, neither 'head' nor 'all'")


def check_experts(path, spec):
    """The same of several MLPs; none of them has biases."""
    if not isinstance(spec["experts"], dict) or spec["bias"]:
        raise ValueError(f"{path} is {spec['experts']!r}, and bias is {spec['bias']!r}")
    require_members(path, spec["experts"], {"count", "chosen", "width", "normalised", "balance"})
    if not 1 <= spec["experts"]["chosen"] <= spec["experts"]["count"]:
        raise ValueError(f"{path}.chosen is {spec['experts']['chosen']}, more than there are")


def require_offset(path, norm):
    """A norm's weight is taken as it is, or with one added."""
    if norm.get("offset") not in (0, 1):
        raise ValueError(f"{path} has a norm with the offset {norm.get('offset')}, neither 0 nor 1")


def require_members(path, found, wanted):
    """Refuses an object that has other members than `wanted`."""
    if set(found) != wanted:
        missing, more = sorted(wanted - set(found)), sorted(set(found) - wanted)
        raise ValueError(f"{path} lacks the members {missing} and has {more} besides")


# `save_pretrained` then writes this code beside the configuration.
RecurrentConfig.register_for_auto_class()
