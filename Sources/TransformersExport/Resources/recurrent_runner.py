"""Runs the blocks of a recurrent model."""

from typing import Optional

import torch
from torch import nn

from .recurrent_block import Context


class BlockRunner:
    """Runs blocks one after another, and counts."""

    def __init__(
        self, model: nn.Module, context: Context, states: Optional[list[torch.Tensor]]
    ):
        self.model, self.context, self.states = model, context, states
        self.executions = 0

    def run(self, blocks: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
        model = self.model
        for block in blocks:
            if model.gradient_checkpointing and model.training and torch.is_grad_enabled():
                x = model._gradient_checkpointing_func(
                    block.__call__, x, self.context, self.executions
                )
            else:
                x = block(x, self.context, self.executions)
            self.executions += 1
            if self.states is not None:
                self.states.append(x)
        return x
