"""A tiny GPT-OSS, whose experts are MXFP4 blocks."""

import json

import torch
import transformers
from transformers.integrations.mxfp4 import convert_moe_packed_tensors


def mxfp4():
    """A tiny GPT-OSS: its experts as blocks and scales, which transformers decodes and transposes."""
    torch.manual_seed(5)
    config = transformers.GptOssConfig(
        vocab_size=48, hidden_size=64, intermediate_size=32, num_hidden_layers=1, head_dim=16,
        num_attention_heads=4, num_key_value_heads=2, num_local_experts=3, num_experts_per_tok=2,
        max_position_embeddings=64, initial_context_length=64, bos_token_id=1, eos_token_id=2,
        pad_token_id=0,
    )
    model = transformers.GptOssForCausalLM(config).to(torch.bfloat16)
    tensors = {name: tensor for name, tensor in model.state_dict().items()}
    values = {}
    for name in [n for n in tensors if n.endswith("experts.gate_up_proj") or n.endswith("experts.down_proj")]:
        experts, inputs, outputs = tensors.pop(name).shape
        blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8)
        scales = torch.randint(110, 130, (experts, outputs, inputs // 32), dtype=torch.uint8)
        scales.view(-1)[:3] = torch.tensor([0, 1, 250])
        tensors[name + "_blocks"], tensors[name + "_scales"] = blocks, scales
        values[name] = convert_moe_packed_tensors(blocks, scales)
    stated = json.loads(config.to_json_string(use_diff=False))
    stated.update(architectures=["GptOssForCausalLM"], dtype="bfloat16")
    stated["quantization_config"] = dict(
        quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn", "lm_head"])
    return stated, tensors, values
