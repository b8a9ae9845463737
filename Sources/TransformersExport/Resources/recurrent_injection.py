"""How the prelude's output comes to the core: an adapter, or what stands in its place."""

import torch
from torch import nn


class RecurrentDecay(nn.Module):
    """sigmoid(weight) · x: the share of each channel that stays."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.weight.float()).to(x.dtype) * x


class RecurrentGate(nn.Module):
    """x + tanh(up(down(n))) · (x - before), with n the change x - before over its root mean square."""

    def __init__(self, width: int, rank: int, epsilon: float):
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=False)
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        change = x - before
        wide = change.float()
        normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return x + torch.tanh(self.up(self.down(normed.to(x.dtype)))) * change


def add_injection(model: nn.Module, config):
    """Gives the model the modules of its kind of injection; addition has none."""
    width = config.n_embd
    if config.injection_type == "linear":
        model.adapter = nn.Linear(2 * width, width, bias=False)
    elif config.injection_type == "diagonal":
        model.decay = RecurrentDecay(width)
    elif config.injection_type == "gated":
        epsilon = config.block_specs["model"]["final_norm"]["epsilon"]
        model.gate = RecurrentGate(width, config.gate_rank, epsilon)


def injected(model: nn.Module, state: torch.Tensor, embedded: torch.Tensor) -> torch.Tensor:
    """The core's input."""
    kind = model.config.injection_type
    if kind == "linear":
        return model.adapter(torch.cat([state, embedded], dim=-1))
    if kind == "gated":
        # Passes without gradient cut the prelude off. Processes that share a model and draw other depths
        # must yet reduce the same gradients, so that it has one of zero.
        return state + 0 * embedded if model.training else state
    return (model.decay(state) if kind == "diagonal" else state) + embedded
