#!/usr/bin/env python3
"""Writes fixtures/gguf/names.json: what the PyPI packages gguf and transformers call things.

  names      for each architecture: Hugging Face tensor names and the GGUF names they map to
  factors    rotary factors of Llama 3.2 1B (theta 500000, head 64, factor 32, context 8192)
"""

import json
import pathlib

from gguf.constants import MODEL_ARCH, MODEL_ARCH_NAMES
from gguf.tensor_mapping import get_tensor_name_map
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

PATH = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "gguf" / "names.json"
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]
BEFORE = ["input_layernorm", "post_attention_layernorm"]
AFTER = ["post_attention_layernorm", "post_feedforward_layernorm"]
HEAD_NORMS = ["self_attn.q_norm", "self_attn.k_norm"]


def module_names(arch: str) -> list[str]:
    names = ["model.embed_tokens", "model.norm", "lm_head"]
    parts = [f"self_attn.{p}" for p in ATTENTION] + [f"mlp.{p}" for p in MLP]
    parts += AFTER if arch == "olmo2" else BEFORE
    parts += HEAD_NORMS if arch in ("olmo2", "qwen3") else []
    return names + [f"model.layers.{layer}.{p}" for layer in (0, 11) for p in parts]


def main() -> None:
    names = {}
    for arch in ("llama", "qwen2", "qwen3", "olmo2"):
        kind = next(k for k in MODEL_ARCH if MODEL_ARCH_NAMES[k] == arch)
        mapping = get_tensor_name_map(kind, 12)
        names[arch] = {
            f"{n}.{suffix}": mapping.get_name(n) + "." + suffix
            for n in module_names(arch)
            for suffix in (["weight", "bias"] if "_proj" in n else ["weight"])
        }
    rope = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192, "rope_theta": 500000.0}
    config = LlamaConfig(hidden_size=2048, num_attention_heads=32, head_dim=64,
                         max_position_embeddings=131072, rope_parameters=rope)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, device="cpu")
    exponent = [2 * i / 64 for i in range(32)]
    factors = [float(500000.0**-e / s) for e, s in zip(exponent, scaled.double())]
    PATH.write_text(json.dumps({"names": names, "factors": factors}, indent=1) + "\n")


main()
