"""A model's parameters in the order of execution, and what each is to the optimizer."""

from dataclasses import dataclass

import torch

from train_errors import UNSUPPORTED, RunError

GROUPS = ("prelude", "core_block", "coda")
# Of the injection: a model has those of one kind, or none.
ADAPTERS = ("transformer.adapter.weight", "transformer.decay.weight", "transformer.gate.down.weight",
            "transformer.gate.up.weight")
FACTORS = "factors"  # the module that holds those of a matrix, beside it


@dataclass
class TrainedTensor:
    """A parameter, which may be a shard of one."""

    name: str
    parameter: torch.nn.Parameter
    is_body_matrix: bool  # of a block, or the adapter: Muon takes it
    share: float = 1.0  # of its products, what one token makes
    is_later: bool = False  # in `ckpt` it is more rows of what the one before begins
    joins: bool = False  # to Muon too


def is_factor(name: str) -> bool:
    """Whether a parameter is a low-rank factor of another."""
    return f".{FACTORS}." in name


def blocks_of(body: torch.nn.Module) -> list[torch.nn.Module]:
    """Of the parts that there are, in the order of execution."""
    return [*body.prelude, *body.core_block, *body.coda]


def parameters_of(block: torch.nn.Module) -> list[tuple[str, dict]]:
    """Names in a block, in the order that `ckpt` keeps them in, with what there is to say of them."""
    def norm(place: str) -> list[str]:
        return [f"{block.norms[place]}.weight"] if place in block.norms else []

    plain = [
        *norm("attention_input"), "attn.Wqkv.weight", "attn.Wqkv.bias", "attn.q_norm.weight",
        "attn.k_norm.weight", "attn.proj.weight", "attn.proj.bias", *norm("attention_output"),
        *norm("mlp_input"), "mlp.fc.weight", "mlp.fc.bias", "mlp.proj.weight", "mlp.proj.bias",
        "mlp.gate.weight"]
    experts = []
    count = len(getattr(block.mlp, "experts", ()))
    for matrices in (("gate_proj", "up_proj"), ("down_proj",)):
        for expert in range(count):
            for i, matrix in enumerate(matrices):
                experts.append((f"mlp.experts.{expert}.{matrix}.weight", {
                    "share": block.mlp.chosen / count, "is_later": expert + i > 0, "joins": i > 0}))
    return [(name, {}) for name in plain] + experts + [(name, {}) for name in norm("mlp_output")]


def tensors_of(model: torch.nn.Module) -> list[TrainedTensor]:
    """All parameters of a model but factors, in the order of execution, the head last."""
    parameters = {name: p for name, p in model.named_parameters() if not is_factor(name)}
    names = [("transformer.wte.weight", {})]
    for group in GROUPS:
        for index, block in enumerate(getattr(model.transformer, group)):
            names += [(f"transformer.{group}.{index}.{name}", facts)
                      for name, facts in parameters_of(block)]
    names += [(name, {}) for name in (*ADAPTERS, "transformer.core_norm.weight",
                                      "transformer.ln_f.weight", "lm_head.weight")]
    outside = (names[0][0], names[-1][0])
    tensors = []
    for name, facts in names:
        parameter = parameters.pop(name, None)
        if parameter is not None:
            is_body_matrix = name not in outside and parameter.dim() == 2
            tensors.append(TrainedTensor(name, parameter, is_body_matrix, **facts))
    if parameters:
        raise RunError(f"parameters that this script does not train: {', '.join(parameters)}",
                       "train.not_trainable", UNSUPPORTED)
    return tensors
