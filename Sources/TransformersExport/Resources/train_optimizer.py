"""Muon, AdamW and AdamW*, each with the formulas and the order of `ckpt train`."""

import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim.adamw import adamw

from train_muon import Dealer
from train_parallel import Layout, local
from train_parameters import TrainedTensor
from train_recipe import Recipe


@dataclass
class Slot:
    """A tensor with its moments, which lie where its shard lies."""

    tensor: TrainedTensor
    first: Tensor  # or Muon's momentum
    second: Tensor | None  # None under Muon

    @property
    def parameter(self) -> torch.nn.Parameter:
        return self.tensor.parameter

    @property
    def values(self) -> Tensor:
        return local(self.parameter.detach())

    @property
    def gradient(self) -> Tensor:
        """Zeros where nothing has flowed."""
        gradient = self.parameter.grad
        return torch.zeros_like(self.values) if gradient is None else local(gradient)


class Optimizer:
    """Updates parameters from their gradients; works on whole parameters and on shards of them.

    All is elementwise, over many tensors at once, but for Muon's orthogonalisation.
    """

    def __init__(self, recipe: Recipe, tensors: list[TrainedTensor], layout: Layout):
        self.layout = layout
        self.kind = recipe["optimizer.kind"]
        self.muon = recipe.part("optimizer.muon")
        self.adam = recipe.part("optimizer.adam")
        self.step_count = 0
        self.slots = []
        for tensor in tensors:
            is_muon = self.kind == "muon" and tensor.is_body_matrix
            first = torch.zeros_like(local(tensor.parameter.detach()))
            self.slots.append(Slot(tensor, first, None if is_muon else first.clone()))
        self.matrices = [slot for slot in self.slots if slot.second is None]
        # Of tensors with few rows, some processes hold nothing.
        self.others = [slot for slot in self.slots if slot.second is not None]
        precision = torch.bfloat16 if recipe["precision"] == "bf16" else torch.float32
        self.dealer = Dealer(
            [slot.parameter.shape for slot in self.matrices],
            [slot.tensor.joins for slot in self.matrices], layout, precision)

    def clear(self) -> None:
        for slot in self.slots:
            slot.parameter.grad = None

    @torch.no_grad()
    def square_sum(self) -> Tensor:
        """Of all gradients, the part that this process adds to the sum over all."""
        gradients = [slot.gradient for slot in self.slots if slot.first.numel()]
        if not self.layout.counts or not gradients:
            return torch.zeros((), dtype=torch.float64, device=self.layout.group.device)
        norms = torch._foreach_norm(gradients, dtype=torch.float64)
        return torch.stack(norms).square().sum()

    @torch.no_grad()
    def step(self, gradient_scale: float, rate: float) -> None:
        """One update; `gradient_scale` is on all gradients, `rate` on the learning rates."""
        self.step_count += 1
        gradients = [slot.gradient for slot in self.slots]
        if gradient_scale != 1:
            torch._foreach_mul_(gradients, gradient_scale)
        by_slot = dict(zip(map(id, self.slots), gradients))
        if self.matrices:
            self._muon([by_slot[id(slot)] for slot in self.matrices], rate)
        if self.others:
            update = self._adam_atan2 if self.kind == "adamw-atan2" else self._adamw
            update([by_slot[id(slot)] for slot in self.others], rate)

    # MARK: Adam

    def _adamw(self, gradients: list[Tensor], rate: float) -> None:
        """Torch's own, in one pass over memory."""
        here = [(slot, g) for slot, g in zip(self.others, gradients) if g.numel()]
        if not here:
            return
        slots, gradients = zip(*here)
        before = torch.tensor(float(self.step_count - 1), device=gradients[0].device)
        adamw(
            [slot.values for slot in slots], list(gradients), [slot.first for slot in slots],
            [slot.second for slot in slots], [], [before.clone() for _ in slots], fused=True,
            amsgrad=False, beta1=self.adam["beta1"], beta2=self.adam["beta2"],
            lr=self.adam["learning_rate"] * rate, weight_decay=self.adam["weight_decay"],
            eps=self.adam["epsilon"], maximize=False)

    def _adam_atan2(self, gradients: list[Tensor], rate: float) -> None:
        """The update is an angle, and smaller where gradients exceed their moments.

        Moments start at the first gradient. The decay does not depend on the learning rate's peak.
        """
        is_first = self.step_count == 1
        beta1, beta2 = (0.0 if is_first else self.adam[beta] for beta in ("beta1", "beta2"))
        values, firsts, seconds = zip(*((s.values, s.first, s.second) for s in self.others))
        squares = torch._foreach_mul(gradients, gradients)
        torch._foreach_lerp_(firsts, gradients, 1 - beta1)
        torch._foreach_lerp_(seconds, squares, 1 - beta2)
        torch._foreach_clamp_min_(seconds, self.adam["epsilon"] ** 2)
        torch._foreach_div_(squares, seconds)
        sizes = self._angle_sizes(squares, rate)
        roots = torch._foreach_sqrt(seconds)
        torch._foreach_div_(roots, math.sqrt(1 - self.adam["beta2"] ** self.step_count))
        torch._foreach_mul_(values, 1 - rate * self.adam["weight_decay"])
        angles = [torch.atan2(first, root) for first, root in zip(firsts, roots)]
        torch._foreach_mul_(angles, sizes)
        torch._foreach_sub_(values, angles)

    def _angle_sizes(self, ratios: tuple[Tensor, ...], rate: float) -> tuple[Tensor, ...]:
        """The learning rate of each tensor, by the mean of its `ratios` over all of its shards."""
        sums = torch.stack([ratio.sum(dtype=torch.float64) for ratio in ratios])
        if self.layout.is_sharded:
            dist.all_reduce(sums, group=self.layout.shard_group)
        counts = [float(slot.parameter.numel()) for slot in self.others]
        means = sums / torch.tensor(counts, dtype=torch.float64).to(sums.device)
        corrected = self.adam["learning_rate"] * rate / (1 - self.adam["beta1"] ** self.step_count)
        return (corrected / means.sqrt().clamp(min=1)).float().unbind()

    # MARK: Muon

    def _muon(self, gradients: list[Tensor], rate: float) -> None:
        momentum = self.muon["momentum"]
        firsts = [slot.first for slot in self.matrices]
        values = [slot.values for slot in self.matrices]
        torch._foreach_lerp_(firsts, gradients, 1 - momentum)
        directions = (torch._foreach_lerp(gradients, firsts, momentum) if self.muon["nesterov"]
                      else firsts)
        updates = [update.float() for update in self.dealer(list(directions))]
        learning_rate = self.muon["learning_rate"] * rate
        factors = [learning_rate * math.sqrt(max(1, ratio)) for ratio in self.dealer.ratios]
        torch._foreach_mul_(values, 1 - learning_rate * self.muon["weight_decay"])
        torch._foreach_sub_(values, torch._foreach_mul(updates, factors))
