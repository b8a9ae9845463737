"""compressed-tensors' own layouts."""

import json

import torch

from .models import FP8_MAX, ceil, projections, tiny

try:
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationScheme
except ImportError:  # version 0.9: see OLD in make_quantised_fixtures.py
    pass


def int4(**more):
    return dict(dict(num_bits=4, type="int", strategy="group", group_size=16), **more)


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
