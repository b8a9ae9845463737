#!/usr/bin/env python3
"""Independent readings of GGUF files, by the PyPI packages gguf, transformers and numpy.

  check_gguf.py digest FILE NAME...      SHA-256 of a tensor as float32 in Hugging Face row order,
                                         for each Hugging Face name: what the tests of the real
                                         model expect
  check_gguf.py compare FILE FOLDER      load FILE, and the Hugging Face folder it was converted
                                         from, with transformers; print the largest differences of
                                         configuration, tensors and logits
"""

import hashlib
import sys

import numpy as np


def tensors(path: str) -> tuple[dict, dict]:
    from gguf import GGUFReader

    reader = GGUFReader(path)
    return {t.name: t for t in reader.tensors}, reader.fields


def gguf_name(name: str) -> str:
    from gguf.constants import MODEL_ARCH
    from gguf.tensor_mapping import get_tensor_name_map

    stem, suffix = name.rsplit(".", 1)
    return get_tensor_name_map(MODEL_ARCH.LLAMA, 256).get_name(stem) + "." + suffix


def hugging_face(path: str, name: str) -> np.ndarray:
    from gguf.quants import dequantize

    table, fields = tensors(path)
    tensor = table[gguf_name(name)]
    values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    arch = fields["general.architecture"].contents()
    heads = {"q_proj": "head_count", "k_proj": "head_count_kv"}
    for part, key in heads.items():
        if part in name and arch == "llama":
            count = fields[f"{arch}.attention.{key}"].contents()
            half = values.shape[0] // count // 2
            shape = values.shape
            values = values.reshape(count, half, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
    return values


def digest(path: str, names: list[str]) -> None:
    for name in names:
        values = np.ascontiguousarray(hugging_face(path, name), "<f4")
        print(hashlib.sha256(values.tobytes()).hexdigest(), name, list(values.shape))


def compare(path: str, folder: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    b = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    read = load_gguf_checkpoint(path, return_tensors=True, model_to_load=b)
    config = dict(read["config"])
    a = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(config.pop("model_type"), **config), dtype=torch.float32)
    result = a.load_state_dict(read["tensors"], strict=False)
    print("missing:", result.missing_keys, "unexpected:", result.unexpected_keys)
    a.tie_weights()
    a.eval()
    for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                "num_key_value_heads", "vocab_size", "rms_norm_eps", "max_position_embeddings"):
        x, y = getattr(a.config, key), getattr(b.config, key)
        print(f"{key}: {x}" + ("" if x == y else f"  DIFFERS: {y}"))
    left, right = a.state_dict(), b.state_dict()
    print("names equal:", sorted(left) == sorted(right))
    worst = max(((left[k] - right[k]).abs().max().item(), k) for k in right)
    print("largest difference of a weight:", *worst)
    ids = torch.arange(1, 1 + min(16, b.config.vocab_size - 1))[None]
    with torch.no_grad():
        print("largest difference of a logit:", (a(ids).logits - b(ids).logits).abs().max().item())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["digest", path, *names]:
            digest(path, names)
        case ["compare", path, folder]:
            compare(path, folder)
        case _:
            sys.exit(__doc__)
