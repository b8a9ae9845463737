"""What stands in the adapter's place in models without one."""

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
