"""GPTQ and AWQ: integer codes packed into words of 32 bits."""

import importlib.util
import os

import torch

from .models import projections, tiny

WIDE = dict(hidden_size=64, intermediate_size=96, head_dim=16)


def library(package, path):
    """A module of an installed package, without what the package loads at its start."""
    root = importlib.util.find_spec(package).submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("_" + package, os.path.join(root, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
