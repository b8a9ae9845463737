"""Several MLPs, of which every token goes through a few.

Letters in shape comments: T tokens of a call, h hidden, E experts, k experts of a token.
"""

from collections.abc import Callable

import torch
from torch import nn

from .configuration_recurrent import RecurrentConfig


class RecurrentExpert(nn.Module):
    """down(activation(gate) · up)."""

    def __init__(self, hidden: int, width: int, activation: Callable):
        super().__init__()
        self.activation = activation
        self.gate_proj = nn.Linear(hidden, width, bias=False)
        self.up_proj = nn.Linear(hidden, width, bias=False)
        self.down_proj = nn.Linear(width, hidden, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.activation(self.gate_proj(x)) * self.up_proj(x))


class RecurrentExpertList(nn.ModuleList):
    """The MLPs of a block. Engines put one of their own in its place, which is called the same way."""

    def forward(
        self, rows: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Sums of what the chosen experts give, [T, h]. rows: [T, h]. chosen, weights: [T, k]."""
        weights = weights.to(rows.dtype)
        result = torch.zeros_like(rows)
        for number, expert in enumerate(self):
            row, place = (chosen == number).nonzero(as_tuple=True)
            part = expert(rows[row]) * weights[row, place, None]
            result = result.index_add(0, row, part)
        return result


class RecurrentExperts(nn.Module):
    """The k largest of softmax(router) are the weights of what their experts give; where the spec
    says so, they are divided by their sum."""

    def __init__(self, config: RecurrentConfig, spec: dict, activation: Callable):
        super().__init__()
        spec = spec["mlp"]["experts"]
        self.chosen, self.is_normalised = spec["chosen"], spec["normalised"]
        self.gate = nn.Linear(config.n_embd, spec["count"], bias=False)
        self.experts = RecurrentExpertList(
            RecurrentExpert(config.n_embd, spec["width"], activation) for _ in range(spec["count"])
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.flatten(0, -2)  # [T, h]
        shares = self.gate(rows).softmax(-1, dtype=torch.float32)  # [T, E]
        weights, chosen = shares.topk(self.chosen, dim=-1)  # [T, k]
        if self.is_normalised:
            weights = weights / weights.sum(-1, keepdim=True)
        return self.experts(rows, chosen, weights).view_as(x)
