"""Muon, AdamW and AdamW*, each with the formulas and the order of `ckpt train`."""

import math
from dataclasses import dataclass

import torch

from train_parallel import Group, full, like_shard, local
from train_parameters import TrainedTensor
from train_recipe import Recipe

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan et al., 2024
NEWTON_SCHULZ_STEPS = 5
LEAST_NORM = 1e-7


@dataclass
class Slot:
    """A tensor with its moments, which lie where its shard lies."""

    tensor: TrainedTensor
    first: torch.Tensor  # or Muon's momentum
    second: torch.Tensor | None  # None under Muon

    @property
    def parameter(self) -> torch.nn.Parameter:
        return self.tensor.parameter

    @property
    def values(self) -> torch.Tensor:
        return local(self.parameter)

    @property
    def gradient(self) -> torch.Tensor:
        """Zeros where nothing has flowed."""
        gradient = self.parameter.grad
        return torch.zeros_like(self.values) if gradient is None else local(gradient)


class Optimizer:
    """Updates parameters from their gradients; works on whole parameters and on shards of them.

    Muon gathers a matrix to orthogonalise it, and every process does so; all else is elementwise.
    """

    def __init__(self, recipe: Recipe, tensors: list[TrainedTensor], group: Group):
        self.group = group
        self.kind = recipe["optimizer.kind"]
        self.muon = recipe.part("optimizer.muon")
        self.adam = recipe.part("optimizer.adam")
        self.precision = torch.bfloat16 if recipe["precision"] == "bf16" else torch.float32
        self.step_count = 0
        self.slots = []
        for tensor in tensors:
            is_muon = self.kind == "muon" and tensor.is_body_matrix
            first = torch.zeros_like(local(tensor.parameter.data))
            self.slots.append(Slot(tensor, first, None if is_muon else first.clone()))
        self.is_sharded = any(slot.values is not slot.parameter for slot in self.slots)

    @torch.no_grad()
    def norm(self) -> float:
        """Euclidean norm of all gradients together."""
        return math.sqrt(self._sum(sum(_square_sum(slot.gradient) for slot in self.slots)))

    @torch.no_grad()
    def step(self, gradient_scale: float, rate: float) -> None:
        """One update; `gradient_scale` is on all gradients, `rate` on the learning rates."""
        self.step_count += 1
        for slot in self.slots:
            gradient = slot.gradient * gradient_scale
            if slot.second is None:
                self._muon(slot, gradient, rate)
            elif self.kind == "adamw-atan2":
                self._adam_atan2(slot, gradient, rate)
            else:
                self._adamw(slot, gradient, rate)

    def _sum(self, value: torch.Tensor) -> float:
        """Of a sum over what lies here, that over all shards."""
        return (self.group.sum(value) if self.is_sharded else value).item()

    # MARK: Adam

    def _adamw(self, slot: Slot, gradient: torch.Tensor, rate: float) -> None:
        beta1, beta2 = self.adam["beta1"], self.adam["beta2"]
        learning_rate = self.adam["learning_rate"] * rate
        slot.first.lerp_(gradient, 1 - beta1)
        slot.second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        divisor = self._corrected_root(slot).add_(self.adam["epsilon"])
        slot.values.mul_(1 - learning_rate * self.adam["weight_decay"])
        slot.values.addcdiv_(slot.first, divisor, value=-self._corrected(learning_rate))

    def _adam_atan2(self, slot: Slot, gradient: torch.Tensor, rate: float) -> None:
        """The update is an angle, and smaller where gradients exceed their moments.

        Moments start at the first gradient. The decay does not depend on the learning rate's peak.
        """
        is_first = self.step_count == 1
        beta1, beta2 = (0.0 if is_first else self.adam[beta] for beta in ("beta1", "beta2"))
        square = gradient * gradient
        slot.first.lerp_(gradient, 1 - beta1)
        slot.second.lerp_(square, 1 - beta2).clamp_(min=self.adam["epsilon"] ** 2)
        ratio = self._sum((square / slot.second).sum(dtype=torch.float64)) / slot.parameter.numel()
        size = self._corrected(self.adam["learning_rate"] * rate) / max(1, math.sqrt(ratio))
        slot.values.mul_(1 - rate * self.adam["weight_decay"])
        slot.values.sub_(torch.atan2(slot.first, self._corrected_root(slot)), alpha=size)

    def _corrected(self, learning_rate: float) -> float:
        """For a first moment that started at zero."""
        return learning_rate / (1 - self.adam["beta1"] ** self.step_count)

    def _corrected_root(self, slot: Slot) -> torch.Tensor:
        """Of the second moment, likewise."""
        return slot.second.sqrt().div_(math.sqrt(1 - self.adam["beta2"] ** self.step_count))

    # MARK: Muon

    def _muon(self, slot: Slot, gradient: torch.Tensor, rate: float) -> None:
        momentum, parameter = self.muon["momentum"], slot.parameter
        slot.first.lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(slot.first, momentum if self.muon["nesterov"] else 1)
        update = orthogonalised(full(direction, like=parameter), self.precision)
        rows, columns = update.shape
        learning_rate = self.muon["learning_rate"] * rate
        slot.values.mul_(1 - learning_rate * self.muon["weight_decay"])
        slot.values.sub_(
            like_shard(update, like=parameter),
            alpha=learning_rate * math.sqrt(max(1, rows / columns)))


def orthogonalised(matrix: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
    """`matrix` with its singular values brought near 1, by a quintic Newton-Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.mT if is_tall else matrix) / max(math.sqrt(_square_sum(matrix)), LEAST_NORM)
    x = x.to(precision)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x.mT if is_tall else x).float()


def _square_sum(values: torch.Tensor) -> torch.Tensor:
    return values.double().square().sum()
