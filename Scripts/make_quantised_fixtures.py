#!/usr/bin/env python3
"""Writes fixtures/quantised/: tiny models whose weights are stored as codes, and what the libraries'
own decoders make of them.

  NAME/                   config.json and model.safetensors, as the method stores them
  NAME.values.safetensors the decoded weights, in the type that the decoder gives
  NAME.trace.safetensors  input_ids, and the logits of transformers with the decoded weights, which
                          it decodes by itself, to the same values, where it can

Run as `.venv/bin/python Scripts/make_quantised_fixtures.py [NAME ...]`, with the packages of
Scripts/requirements.txt and, without those that they depend on, autoawq 0.2.9 and auto-gptq 0.7.1;
transformers 5.24.0 made what is there. The names of OLD need an old version of a library, in a folder
before the others: `PYTHONPATH=FOLDER`.

Decoders: transformers' Fp8Dequantize and convert_moe_packed_tensors; compressed-tensors' decompressors
and, where blocks are ragged, which transformers refuses, its FP8BlockDequantizer; AutoGPTQ's
QuantLinear; AutoAWQ's dequantize_gemm.
"""

import json
import os
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
import transformers
from quantised.compressed import compressed, compressed_mxfp4, int4, reordered
from quantised.fp8 import fp8
from quantised.mxfp4 import mxfp4
from quantised.words import awq, gptq
from safetensors.torch import save_file

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures/quantised")

# Folders that transformers does not decode: its model is given the decoded weights.
BUILT = {"fp8-ragged", "ct-int4-order", "awq", "awq-columns", "ct-mxfp4"}
# Made only where they are named: they need another version of compressed-tensors, 0.9.4.
OLD = {"ct-int4-order": lambda: reordered(torch.float16)}

MODELS = {
    # transformers decodes these as it loads them.
    "fp8-block": lambda: fp8(torch.bfloat16, (16, 16), torch.bfloat16, num_hidden_layers=4),
    "fp8-block-f32": lambda: fp8(torch.float32, (16, 32), torch.float32, static=True),
    "fp8-tensor": lambda: fp8(torch.bfloat16, None, torch.float32),
    "fp8-exponents": lambda: fp8(torch.float16, (32, 16), torch.uint8),
    # Blocks of which the last rows and columns are smaller.
    "fp8-ragged": lambda: fp8(
        torch.bfloat16, (24, 24), torch.float32, ragged=True, intermediate_size=56
    ),
    "ct-fp8-channel": lambda: compressed(
        torch.bfloat16, "float-quantized",
        dict(num_bits=8, type="float", strategy="channel"),
        activations=dict(num_bits=8, type="float", strategy="token", dynamic=True),
    ),
    "ct-fp8-tensor": lambda: compressed(
        torch.float32, "float-quantized",
        dict(num_bits=8, type="float", strategy="tensor"),
        activations=dict(num_bits=8, type="float", strategy="tensor", dynamic=False),
    ),
    "ct-fp8-block": lambda: compressed(
        torch.bfloat16, "float-quantized",
        dict(num_bits=8, type="float", strategy="block", block_structure=[16, 16]),
        intermediate_size=56,
    ),
    "ct-int8": lambda: compressed(
        torch.float16, "int-quantized", dict(num_bits=8, type="int", strategy="channel"),
        activations=dict(num_bits=8, type="int", strategy="token", dynamic=True),
    ),
    "ct-int8-zeros": lambda: compressed(
        torch.float32, "int-quantized",
        dict(num_bits=8, type="int", strategy="group", group_size=16, symmetric=False),
    ),
    "ct-int4": lambda: compressed(
        torch.bfloat16, "pack-quantized", int4(), num_hidden_layers=4
    ),
    "ct-int4-zeros": lambda: compressed(
        torch.float16, "pack-quantized", int4(symmetric=False, group_size=8)
    ),
    "ct-int4-channel": lambda: compressed(
        torch.float32, "pack-quantized",
        dict(num_bits=4, type="int", strategy="channel", symmetric=False),
        intermediate_size=44,
    ),
    "ct-int8-packed": lambda: compressed(
        torch.bfloat16, "pack-quantized",
        dict(num_bits=8, type="int", strategy="tensor"),
    ),
    "ct-int2": lambda: compressed(
        torch.float32, "pack-quantized",
        dict(num_bits=2, type="int", strategy="group", group_size=8, symmetric=False),
    ),
    "ct-mxfp4": compressed_mxfp4,
    "mxfp4": mxfp4,
    "gptq-int4": lambda: gptq(4, 32),
    "gptq-int4-order": lambda: gptq(4, 32, order=True),
    "gptq-int3": lambda: gptq(3, 32),
    "gptq-int2-v2": lambda: gptq(2, 16, v2=True),
    "gptq-int3-v2": lambda: gptq(3, 32, v2=True, order=True),
    "gptq-int8": lambda: gptq(8, -1),
    "awq": lambda: awq(32),
    "awq-columns": lambda: awq(-1),
}


def settings(method):
    """What makes transformers decode as it loads; nothing where it does not know the variant."""
    if method["quant_method"] == "compressed-tensors":
        return transformers.CompressedTensorsConfig(dequantize=True)
    if method["quant_method"] == "mxfp4":
        return transformers.Mxfp4Config(dequantize=True)
    return transformers.FineGrainedFP8Config(
        dequantize=True, weight_block_size=method["weight_block_size"])


def trace(name, folder, config, tensors, values):
    """Logits of transformers: it decodes by itself, to the same values, where it can."""
    ids = torch.randint(0, config["vocab_size"], (2, 20), generator=torch.Generator().manual_seed(3))
    if name in BUILT or name.startswith("gptq"):
        plain = {k: v for k, v in config.items() if k != "quantization_config"}
        model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**plain))
        decoded = {k: v.float() for k, v in {**tensors, **values}.items() if k in model.state_dict()}
        model.load_state_dict(decoded, strict=True)
    else:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=settings(config["quantization_config"]), dtype="auto")
        state = model.state_dict()
        for key, value in values.items():
            assert torch.equal(state[key], value), (folder, key)
    model = model.float().eval()
    with torch.no_grad():
        return dict(input_ids=ids, logits=model(ids, use_cache=False).logits.float())


def main():
    for name in sys.argv[1:] or MODELS:
        config, tensors, values = (MODELS | OLD)[name]()
        folder = os.path.join(ROOT, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        save_file(tensors, folder + "/model.safetensors", metadata={"format": "pt"})
        with open(folder + "/config.json", "w") as file:
            json.dump(config, file, indent=1, sort_keys=True)
            file.write("\n")
        save_file(values, folder + ".values.safetensors")
        traced = trace(name, folder, config, tensors, values)
        if name != "mxfp4":  # of a family that is not run
            save_file(traced, folder + ".trace.safetensors")
        print(name, sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder)))


if __name__ == "__main__":
    main()
