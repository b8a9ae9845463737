"""Tiny models whose weights are to become codes."""

import json

import torch
import transformers

TYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
FP8_MAX = 448.0


def tiny(dtype, **sizes):
    """A random Qwen3: its configuration as a dictionary, and its tensors."""
    torch.manual_seed(len(sizes) + 7)
    config = transformers.Qwen3Config(
        **dict(
            dict(
                vocab_size=48, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0,
            ),
            **sizes,
        )
    )
    model = transformers.Qwen3ForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    tensors = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    stated = json.loads(config.to_json_string(use_diff=False))
    stated = {k: v for k, v in stated.items() if v is not None}
    stated.update(architectures=["Qwen3ForCausalLM"], dtype=TYPES[dtype])
    return stated, tensors


def projections(tensors):
    return [name for name in tensors if name.endswith("_proj.weight")]


def ceil(a, b):
    return -(-a // b)
