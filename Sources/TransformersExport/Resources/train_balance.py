"""The loss that keeps experts' loads even (Fedus et al. 2021, section 2.2)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from train_parameters import blocks_of


class Balance:
    """E · Σₑ fₑ · pₑ over all rows of all runs of blocks with experts in a call.

    fₑ is the share of rows that chose expert e, pₑ its mean probability. Passes without gradient count
    too, as constants. Only p has a gradient.
    """

    def __init__(self, body: nn.Module):
        self.coefficient, self.count, self.chosen = 0.0, 0, 0
        # Sums over the rows of the call that is under way, [E] each; none between calls.
        self.choices = self.probabilities = self.constants = None
        routers = []
        for block in blocks_of(body):
            spec = body.config.block_specs["distinct"][block.place]["mlp"].get("experts")
            if spec is None:
                continue
            routers.append((spec["count"], block.mlp.gate))
            if spec["balance"] and not self.count:
                self.coefficient, self.count = spec["balance"], spec["count"]
                self.chosen = spec["chosen"]
        for count, router in routers:
            if count == self.count:
                router.register_forward_hook(self._add)

    @contextmanager
    def counting(self, device: torch.device) -> Iterator[None]:
        """Around a call of the model and its loss; what the backward pass computes again counts no more."""
        if self.count:
            self.choices, self.probabilities, self.constants = torch.zeros(
                3, self.count, dtype=torch.float64, device=device)
        try:
            yield
        finally:
            self.choices = self.probabilities = self.constants = None

    @property
    def loss(self) -> Tensor:
        """Of the call that is under way, with its coefficient."""
        rows = self.choices.sum() / self.chosen
        sums = self.choices * (self.probabilities + self.constants)
        return self.coefficient * self.count * sums.sum() / rows**2

    def _add(self, router: nn.Module, _, logits: Tensor) -> None:
        # What is computed again must be the same, whether it is counted or not.
        shares = logits.softmax(-1, dtype=torch.float32)
        sums = shares.sum(0, dtype=torch.float64)
        if self.probabilities is None:
            return
        places = shares.detach().topk(self.chosen, dim=-1).indices.flatten()
        ones = torch.ones_like(places, dtype=torch.float64)
        # Sums, and no list, whose length would have compiled blocks made anew.
        self.choices = self.choices.index_add(0, places, ones)
        # A sum that is made without gradient has none of its parts'.
        if torch.is_grad_enabled():
            self.probabilities = self.probabilities + sums
        else:
            self.constants = self.constants + sums
