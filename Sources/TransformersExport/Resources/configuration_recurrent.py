"""Configuration of a depth-recurrent decoder, for transformers 4.51 and newer.

Fields have the names of the published retrofits of arXiv 2511.07384, so that `ckpt` and their own
code read the same file. The names that transformers uses (`hidden_size` and so on) are aliases.
"""

from transformers import PretrainedConfig

# How each family's block differs: (norms after instead of before, query/key norm, biases).
# A query/key norm is "head", one scale for every head, or "full", over the whole projection.
# Biases are "qkv", "configured" (by attention_bias and mlp_bias), or "none".
FAMILIES = {
    "llama": (False, None, "configured"),
    "mistral": (False, None, "none"),
    "olmo2": (True, "full", "configured"),
    "qwen2": (False, None, "qkv"),
    "qwen3": (False, "head", "configured"),
}


class RecurrentConfig(PretrainedConfig):
    """A prelude that runs once, a core that runs `mean_recurrence` times unless a call says
    otherwise, and a coda that runs once; before every pass of the core the prelude's output is
    injected into the state, by a linear adapter or by addition."""

    model_type = "huginn_raven"
    attribute_map = {
        "hidden_size": "n_embd",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
        "rms_norm_eps": "norm_eps",
    }
    keys_to_ignore_at_inference = ["past_key_values", "cache"]

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
        norm_after_core=False,
        initial_state_mode="random",
        state_init="like-init",
        init_values=None,
        norm_eps=1e-5,
        attention_bias=False,
        mlp_bias=False,
        max_position_embeddings=2048,
        rope_theta=None,
        rope_scaling=None,
        rope_parameters=None,
        initializer_range=0.02,
        use_cache=True,
        tie_embeddings=None,
        tie_word_embeddings=None,
        **kwargs,
    ):
        layers = n_layers_in_prelude + n_layers_in_recurrent_block + n_layers_in_coda
        if source_model_type not in FAMILIES:
            raise ValueError(f"source_model_type {source_model_type!r} is none of {list(FAMILIES)}")
        if n_layers not in (None, layers):
            raise ValueError(f"n_layers is {n_layers}, but the three parts have {layers}")
        if injection_type not in ("linear", "add"):
            raise ValueError(f"injection_type {injection_type!r} is neither 'linear' nor 'add'")
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
        self.norm_after_core = norm_after_core
        self.initial_state_mode = initial_state_mode
        self.state_init = state_init
        self.init_values = init_values or {"std": 0.008703882797784892, "embed_scale": 1.0}
        self.norm_eps = norm_eps
        self.max_position_embeddings = max_position_embeddings
        self.initializer_range = initializer_range
        self.use_cache = use_cache
        if FAMILIES[source_model_type][2] == "configured":
            self.attention_bias = attention_bias
            self.mlp_bias = mlp_bias
        # One form of the rotary settings: transformers 5 writes it, 4.51 takes it as any field.
        rope = dict(rope_parameters or rope_scaling or {})
        rope.setdefault("rope_theta", 10000.0 if rope_theta is None else rope_theta)
        rope["rope_type"] = rope.pop("type", None) or rope.get("rope_type") or "default"
        self.rope_parameters = rope
        # Both names are saved, and equal: readers know one or the other.
        tied = next((x for x in (tie_word_embeddings, tie_embeddings) if x is not None), False)
        self.tie_embeddings = tied
        super().__init__(tie_word_embeddings=tied, **kwargs)


# `save_pretrained` then writes this code beside the configuration.
RecurrentConfig.register_for_auto_class()
