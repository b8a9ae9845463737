"""DeepSeek's and Qwen's FP8: codes, and scales of blocks or of the whole matrix beside them."""

import torch
from transformers.integrations.finegrained_fp8 import Fp8Dequantize

from .models import FP8_MAX, ceil, projections, tiny

try:
    from compressed_tensors.entrypoints.convert.converters import FP8BlockDequantizer
except ImportError:  # version 0.9: see OLD in make_quantised_fixtures.py
    pass


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
