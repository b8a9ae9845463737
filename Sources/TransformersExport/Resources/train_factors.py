"""The folder `factors/` of a run in mode lora: its factors alone, as PEFT reads them.

Names are those of the model's own tensors. Factors of parts of one matrix, such as query, key and value,
become one pair whose rank is the sum of theirs, B being 0 outside their own rows; rank and alpha of such a
pair are given by name, so that their quotient stays.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from train_lowrank import Adapted
from train_parallel import full, local
from train_parameters import TrainedTensor
from train_recipe import Recipe

PREFIX = "base_model.model."


def write_factors(
    folder: Path | None, recipe: Recipe, adapted: list[Adapted], whole: list[TrainedTensor]
) -> None:
    """Gathers factors, and what is trained whole, a tensor at a time; `folder` is None on all processes
    but the first, which fills it."""
    tensors = {}
    for tensor in whole:
        values = full(local(tensor.parameter.detach()), like=tensor.parameter)
        tensors[PREFIX + tensor.name] = values.cpu() if folder else None
    for matrix in adapted:
        module = PREFIX + matrix.name.removesuffix(".weight")
        pair = _pair(matrix)
        if folder:
            tensors[f"{module}.lora_A.weight"], tensors[f"{module}.lora_B.weight"] = pair
    if folder:
        text = json.dumps(_config(recipe, adapted, whole), indent=2, ensure_ascii=False)
        (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _pair(matrix: Adapted) -> tuple[Tensor, Tensor]:
    """A and B of a whole matrix."""
    parts = matrix.wholes()
    a = torch.cat([a for _, a, _ in parts])
    b = a.new_zeros(matrix.height, len(a))
    column = 0
    for rows, _, part in parts:
        b[rows, column:column + part.shape[1]] = part
        column += part.shape[1]
    return a, b


def _config(recipe: Recipe, adapted: list[Adapted], whole: list[TrainedTensor]) -> dict:
    rank, alpha = recipe["lora.rank"], recipe["lora.alpha"]
    counts = {matrix.name.removesuffix(".weight"): len(matrix.parts) for matrix in adapted}
    stacked = {name: count for name, count in counts.items() if count > 1}
    return {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "r": rank, "lora_alpha": alpha, "lora_dropout": 0.0,
        "target_modules": list(counts), "target_parameters": [],
        "rank_pattern": {name: count * rank for name, count in stacked.items()},
        "alpha_pattern": {name: count * alpha for name, count in stacked.items()},
        "modules_to_save": [t.name.removesuffix(".weight") for t in whole] or None,
    }
