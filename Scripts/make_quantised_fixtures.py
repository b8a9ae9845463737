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

import importlib.util
import json
import os
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
import transformers
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

try:
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.entrypoints.convert.converters import FP8BlockDequantizer
    from compressed_tensors.quantization import QuantizationScheme
except ImportError:  # version 0.9: see OLD
    pass

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures/quantised")
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


def block_codes(weight, rows, columns, scale_type):
    """E4M3 codes of blocks, each scaled to its largest value, and the scales."""
    grid = torch.zeros(ceil(weight.shape[0], rows), ceil(weight.shape[1], columns))
    codes = torch.zeros(weight.shape, dtype=torch.float8_e4m3fn)
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            part = slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns)
            values = weight[part].float()
            grid[i, j] = values.abs().max() / FP8_MAX
            if scale_type == torch.uint8:
                grid[i, j] = 2 ** grid[i, j].log2().ceil()
            else:
                grid[i, j] = grid[i, j].to(scale_type)
            codes[part] = (values / grid[i, j]).clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn)
    if scale_type == torch.uint8:
        return codes, (grid.log2() + 127).to(torch.uint8)
    return codes, grid.to(scale_type)


def every_code(codes):
    """All E4M3 codes but the two NaNs in the places of the first weights."""
    raw = codes.view(torch.uint8)
    values = [code for code in range(256) if code & 0x7F != 0x7F][: raw.numel()]
    raw.view(-1)[: len(values)] = torch.tensor(values, dtype=torch.uint8)


def fp8(dtype, block, scale_type, ragged=False, static=False, **sizes):
    """DeepSeek's and Qwen's layout: `weight` beside `weight_scale_inv`."""
    config, tensors = tiny(dtype, **sizes)
    values = {}
    for i, name in enumerate(projections(tensors)):
        weight = tensors[name]
        rows, columns = block or weight.shape
        codes, scales = block_codes(weight, rows, columns, scale_type)
        if i == 0:
            every_code(codes)
        if block is None:
            scales = scales.reshape(())
        tensors[name], tensors[name + "_scale_inv"] = codes, scales
        if static:
            tensors[name.replace(".weight", ".activation_scale")] = torch.tensor(0.5)
        if ragged:
            decoder = FP8BlockDequantizer(weight_block_size=block, dtype=dtype)
            values[name] = decoder._create_dequantized_weight(codes, scales).contiguous()
        else:
            values[name] = Fp8Dequantize(None)._dequantize_one(codes, scales, output_dtype=dtype)
    config["quantization_config"] = dict(
        quant_method="fp8", fmt="e4m3", activation_scheme="static" if static else "dynamic",
        weight_block_size=block and list(block),
        **(dict(scale_fmt="ue8m0") if scale_type == torch.uint8 else {}), modules_to_not_convert=["lm_head"],
    )
    return config, tensors, values


def compressed(dtype, format, weights, scale_type=None, activations=None, **sizes):
    """What the library itself compresses, with scales of the largest values."""
    config, tensors = tiny(dtype, **sizes)
    group = dict(targets=["Linear"], weights=weights, format=format, input_activations=activations)
    scheme = QuantizationScheme(**group)
    args, values = scheme.weights, {}
    compressor = BaseCompressor.get_value_from_registry(format)
    for name in projections(tensors):
        weight = tensors.pop(name).float()
        rows, columns = weight.shape
        block = dict(
            tensor=(rows, columns), channel=(1, columns), group=(1, args.group_size),
            block=args.block_structure,
        )[args.strategy]
        grid = ceil(rows, block[0]), ceil(columns, block[1])
        low, high = torch.zeros(grid), torch.zeros(grid)
        for i in range(grid[0]):
            for j in range(grid[1]):
                part = weight[
                    i * block[0] : (i + 1) * block[0], j * block[1] : (j + 1) * block[1]
                ]
                low[i, j], high[i, j] = part.min(), part.max()
        scale_type_ = scale_type or dtype
        if args.type == "float":
            scale = torch.maximum(high, -low) / FP8_MAX
        elif args.symmetric:
            scale = torch.maximum(high, -low) / (2 ** (args.num_bits - 1) - 0.5)
        else:
            scale = (high - low) / (2**args.num_bits - 1)
        scale = scale.to(scale_type_)
        zero = torch.zeros(grid, dtype=torch.int8)
        if not args.symmetric:
            least = -(2 ** (args.num_bits - 1))
            zero = (least - low / scale.float()).round().clamp(least, -least - 1).to(torch.int8)
        if args.strategy == "tensor":
            scale, zero = scale.reshape(1), zero.reshape(1)
        state = compressor.compress(
            dict(weight=weight.to(scale_type_), weight_scale=scale, weight_zero_point=zero), scheme
        )
        state.pop("weight_zero_point", None) if args.symmetric else None
        module = name.removesuffix("weight")
        tensors.update({module + key: value.contiguous() for key, value in state.items()})
        if activations and not activations.get("dynamic"):
            tensors[module + "input_scale"] = torch.tensor([0.5], dtype=scale_type_)
        values[name] = compressor.decompress(state, scheme)["weight"].contiguous()
        assert values[name].dtype == scale_type_
    config["quantization_config"] = dict(
        quant_method="compressed-tensors", format=format, quantization_status="compressed",
        config_groups=dict(group_0=json.loads(scheme.model_dump_json())), ignore=["lm_head"],
        kv_cache_scheme=None, global_compression_ratio=None,
    )
    return config, tensors, values


def reordered(dtype):
    """Columns that say their group themselves, which compressed-tensors decoded up to version 0.9."""
    from compressed_tensors.compressors.quantized_compressors import pack_quantized
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    config, tensors = tiny(dtype)
    values = {}
    for name in projections(tensors):
        rows, columns = tensors.pop(name).shape
        codes = torch.randint(-8, 8, (rows, columns), dtype=torch.int8)
        scale = (0.02 + 0.05 * torch.rand(rows, columns // 16)).to(dtype)
        index = (torch.arange(columns) // 16)[torch.randperm(columns)].to(torch.int32)
        module = name.removesuffix("weight")
        tensors[module + "weight_packed"] = pack_quantized.pack_to_int32(codes, 4)
        tensors[module + "weight_scale"] = scale
        tensors[module + "weight_g_idx"] = index
        tensors[module + "weight_shape"] = torch.tensor([rows, columns])
        values[name] = dequantize(x_q=codes, scale=scale, g_idx=index)
        assert values[name].dtype == dtype
    weights = dict(int4(), symmetric=True, dynamic=False, actorder="group")
    config["quantization_config"] = dict(
        quant_method="compressed-tensors", format="pack-quantized", ignore=["lm_head"],
        quantization_status="compressed",
        config_groups=dict(group_0=dict(targets=["Linear"], weights=weights)),
    )
    return config, tensors, values


def compressed_mxfp4():
    """compressed-tensors' layout of MXFP4, whose weights need not be transposed."""
    weights = dict(
        num_bits=4, type="float", strategy="group", group_size=32, scale_dtype="torch.uint8")
    config, tensors = tiny(torch.bfloat16)
    format = "mxfp4-pack-quantized"
    scheme = QuantizationScheme(targets=["Linear"], weights=weights, format=format)
    compressor, values = BaseCompressor.get_value_from_registry(format), {}
    for name in projections(tensors):
        rows, columns = tensors.pop(name).shape
        state = dict(
            weight_packed=torch.randint(0, 256, (rows, columns // 2), dtype=torch.uint8),
            weight_scale=torch.randint(118, 126, (rows, columns // 32), dtype=torch.uint8),
        )
        state["weight_scale"].view(-1)[:3] = torch.tensor([0, 1, 127])
        module = name.removesuffix("weight")
        tensors.update({module + key: value for key, value in state.items()})
        values[name] = compressor.decompress(state, scheme)["weight"].contiguous()
    config["quantization_config"] = dict(
        quant_method="compressed-tensors", format=format, quantization_status="compressed",
        config_groups=dict(group_0=json.loads(scheme.model_dump_json())), ignore=["lm_head"],
    )
    return config, tensors, values


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


def library(package, path):
    """A module of an installed package, without what the package loads at its start."""
    root = importlib.util.find_spec(package).submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("_" + package, os.path.join(root, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WIDE = dict(hidden_size=64, intermediate_size=96, head_dim=16)


def gptq(bits, group_size, v2=False, order=False, dtype=torch.float16):
    """AutoGPTQ packs, and its linear layer unpacks: a product with the identity is the weight."""
    layer = library("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py").QuantLinear
    config, tensors = tiny(dtype, **WIDE)
    values = {}
    for name in projections(tensors):
        weight = tensors.pop(name).float()
        rows, columns = weight.shape
        size = columns if group_size == -1 else group_size
        groups = columns // size
        index = torch.arange(columns) // size
        index = index[torch.randperm(columns)] if order else index
        # A grid of float16 numbers, on which the weight is put.
        scales = (0.02 + 0.05 * torch.rand(rows, groups)).to(dtype)
        zeros = torch.randint(1, 2**bits, (rows, groups)).float()
        codes = torch.randint(0, 2**bits, (rows, columns)).float()
        linear = torch.nn.Linear(columns, rows, bias=False)
        linear.weight.data = (codes - zeros[:, index]) * scales.float()[:, index]
        packed = layer(bits, group_size, columns, rows, bias=False, weight_dtype=dtype)
        packed.pack(linear, scales.float(), zeros.clone(), index.to(torch.int32))
        packed.scales = packed.scales.to(dtype)
        with torch.no_grad():
            values[name] = packed(torch.eye(columns, dtype=dtype)).t().contiguous()
        assert torch.equal(
            values[name], (((codes - zeros[:, index]) * scales.float()[:, index]).to(dtype)))
        stored = dict(packed.state_dict())
        if v2:
            # The same zero points as they are, without the one that is taken away before packing.
            shift = zeros.t().to(torch.int64)
            words = torch.zeros(groups, rows * bits // 32, dtype=torch.int64)
            for row in range(rows):
                bit = row * bits
                words[:, bit // 32] |= shift[:, row] << (bit % 32) & 0xFFFFFFFF
                if bit % 32 + bits > 32:
                    words[:, bit // 32 + 1] |= shift[:, row] >> (32 - bit % 32)
            stored["qzeros"] = words.to(torch.uint32).view(torch.int32)
        module = name.removesuffix("weight")
        tensors.update({module + key: value.contiguous() for key, value in stored.items()})
    config["quantization_config"] = dict(
        quant_method="gptq", bits=bits, group_size=group_size, desc_act=order, sym=False,
        checkpoint_format="gptq_v2" if v2 else "gptq", damp_percent=0.01, true_sequential=True,
    )
    return config, tensors, values


def awq(group_size):
    """Random words, which AutoAWQ's reference unpacks."""
    decode = library("awq", "utils/packing_utils.py").dequantize_gemm
    config, tensors = tiny(torch.float16, **WIDE)
    values = {}
    for name in projections(tensors):
        rows, columns = tensors.pop(name).shape
        size = columns if group_size == -1 else group_size
        words = lambda *shape: torch.randint(-(2**31), 2**31, shape, dtype=torch.int32)
        codes, zeros = words(columns, rows // 8), words(columns // size, rows // 8)
        scales = (0.005 + 0.01 * torch.rand(columns // size, rows)).to(torch.float16)
        module = name.removesuffix("weight")
        tensors[module + "qweight"], tensors[module + "qzeros"] = codes, zeros
        tensors[module + "scales"] = scales
        values[name] = decode(codes, zeros, scales, 4, size).t().contiguous()
    config["quantization_config"] = dict(
        quant_method="awq", bits=4, group_size=group_size, zero_point=True, version="gemm",
        modules_to_not_convert=["lm_head"], backend="autoawq",
    )
    return config, tensors, values


def int4(**more):
    return dict(dict(num_bits=4, type="int", strategy="group", group_size=16), **more)


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
