"""Writes small random models, whose heads are as wide as engines want them, for the tests of engines.

    Scripts/make_engine_models.py FOLDER

FOLDER/llama, FOLDER/qwen, FOLDER/gemma and FOLDER/experts get six layers each and the tokenizer of the shipped
model. The last is a Qwen3-MoE, whose fourth layer has one MLP and the others four, of which a token takes two.
FOLDER/llama-KIND is the first one with scaled positions, for each of SCALED.
Weights are drawn by NumPy, so that any environment can make them; they are large enough for the
likeliest token to stand apart.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[1]
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
HIDDEN, MIDDLE, HEADS, KEYS, WIDTH, LAYERS, TOKENS = 128, 192, 4, 2, 64, 6, 384
EXPERTS, EXPERT_MIDDLE, PLAIN_LAYER = 4, 96, 3

COMMON = dict(
    vocab_size=TOKENS,
    hidden_size=HIDDEN,
    intermediate_size=MIDDLE,
    num_hidden_layers=LAYERS,
    num_attention_heads=HEADS,
    num_key_value_heads=KEYS,
    head_dim=WIDTH,
    max_position_embeddings=512,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
    bos_token_id=0,
    eos_token_id=1,
    torch_dtype="float32",
)
MODELS = {
    "llama": COMMON | dict(
        model_type="llama", architectures=["LlamaForCausalLM"], tie_word_embeddings=True),
    "qwen": COMMON | dict(
        model_type="qwen3", architectures=["Qwen3ForCausalLM"], tie_word_embeddings=False),
    "gemma": COMMON | dict(
        model_type="gemma2", architectures=["Gemma2ForCausalLM"], tie_word_embeddings=True,
        hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=96, sliding_window=16,
        attn_logit_softcapping=20.0, final_logit_softcapping=15.0),
    "experts": COMMON | dict(
        model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"], tie_word_embeddings=False,
        num_experts=EXPERTS, num_experts_per_tok=2, moe_intermediate_size=EXPERT_MIDDLE,
        norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[PLAIN_LAYER]),
}
# Kinds of `rope_scaling`; 32 or 64 tokens is where most of them change.
PAIRS = range(WIDTH // 2)
SCALED = {
    "llama3": dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=64),
    "yarn": dict(factor=4.0, original_max_position_embeddings=64),
    "longrope": dict(factor=4.0, original_max_position_embeddings=32,
                     short_factor=[1 + i / 32 for i in PAIRS], long_factor=[1 + i / 8 for i in PAIRS]),
    "dynamic": dict(factor=4.0),
}
MODELS |= {
    f"llama-{kind}": MODELS["llama"] | dict(rope_scaling=dict(rope_type=kind) | numbers)
    for kind, numbers in SCALED.items()
}
NORMS = ["input_layernorm", "post_attention_layernorm"]
MORE_NORMS = {"gemma": ["pre_feedforward_layernorm", "post_feedforward_layernorm"]}


def mlp(name, layer):
    """Names, rows and columns of the matrices of a layer's MLP, or of all of its MLPs."""
    if name != "experts" or layer == PLAIN_LAYER:
        places, width = ["mlp"], MIDDLE
    else:
        yield "mlp.gate", EXPERTS, HIDDEN
        places, width = [f"mlp.experts.{number}" for number in range(EXPERTS)], EXPERT_MIDDLE
    for place in places:
        yield f"{place}.gate_proj", width, HIDDEN
        yield f"{place}.up_proj", width, HIDDEN
        yield f"{place}.down_proj", HIDDEN, width


def shapes(name, config):
    """Names and shapes of a model's tensors."""
    yield "model.embed_tokens.weight", (TOKENS, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (TOKENS, HIDDEN)
    for layer in range(LAYERS):
        for norm in NORMS + MORE_NORMS.get(name, []):
            yield f"model.layers.{layer}.{norm}.weight", (HIDDEN,)
        if name in ("qwen", "experts"):
            for norm in ("q_norm", "k_norm"):
                yield f"model.layers.{layer}.self_attn.{norm}.weight", (WIDTH,)
        for part, rows, columns in [
            ("self_attn.q_proj", HEADS * WIDTH, HIDDEN),
            ("self_attn.k_proj", KEYS * WIDTH, HIDDEN),
            ("self_attn.v_proj", KEYS * WIDTH, HIDDEN),
            ("self_attn.o_proj", HIDDEN, HEADS * WIDTH),
            *mlp(name, layer),
        ]:
            yield f"model.layers.{layer}.{part}.weight", (rows, columns)


def write(folder, name, config):
    random = numpy.random.default_rng(1)
    tensors = {}
    for key, shape in shapes(name, config):
        drawn = random.standard_normal(shape).astype(numpy.float32)
        if len(shape) == 1:
            drawn = (0 if name == "gemma" else 1) + 0.1 * drawn
        else:
            drawn = drawn * shape[1] ** -0.5
        tensors[key] = drawn
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for file in TOKENIZER:
        shutil.copy(ROOT / "fixtures/tiny-arithmetic" / file, folder)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for name, config in MODELS.items():
        write(Path(sys.argv[1]) / name, name, config)


if __name__ == "__main__":
    main()
