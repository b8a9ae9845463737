"""What of a model is trained, as the recipe's mode says: all of it, its adapter, or low-rank factors."""

from torch import nn

from train_errors import UNSUPPORTED, RunError
from train_lowrank import adapt
from train_parameters import ADAPTERS, is_factor
from train_recipe import Recipe

NORMS = ("q_norm", "k_norm", "core_norm", "ln_f")
NAMES = {"transformer.wte.weight": "embedding", "lm_head.weight": "head"} | dict.fromkeys(
    ADAPTERS, "adapter")


def choose_trained(model: nn.Module, recipe: Recipe) -> None:
    """Takes the gradient from what is not trained, and puts in the factors that are."""
    mode, path = recipe["mode"], model.config.name_or_path
    if mode == "full":
        return
    model.requires_grad_(False)
    whole = ["adapter"] if mode == "adapter" else recipe["lora.whole"]
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_part(name) in whole)
    is_any = any(p.requires_grad for p in model.parameters())
    if mode == "adapter" and not is_any:
        raise RunError(f"{path}: the model has no adapter to train", "train.not_trainable",
                       UNSUPPORTED)
    if mode == "lora":
        matrices = recipe["lora.matrices"]
        adapt(model, recipe["lora.rank"], recipe["lora.alpha"], matrices)
        if matrices and not any(is_factor(name) for name, _ in model.named_parameters()):
            raise RunError(f"{path}: no block has a matrix that lora.matrices names "
                           f"({', '.join(matrices)})", "train.not_trainable", UNSUPPORTED)
        if not matrices and not is_any:
            raise RunError(f"{path}: no part of the model is trained", "train.not_trainable",
                           UNSUPPORTED)


def _part(name: str) -> str | None:
    """The name in `lora.whole` of the part that a parameter belongs to; None of the others."""
    if name in NAMES:
        return NAMES[name]
    module = name.split(".")[-2]
    return "norms" if module in NORMS or module.startswith("norm_") else None
