"""Low-rank factors of the blocks' matrices (LoRA, Hu et al. 2021): W + alpha / rank · B · A.

A [rank, in] starts with the numbers that `ckpt train` draws, B [out, rank] at 0. The products with W and with
its factors are made apart, so that none is made for a gradient of W, which has none.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train_parallel import full, local, rows_here
from train_parameters import FACTORS, TrainedTensor, blocks_of
from train_random import RandomStream

START_STREAM = 0x6C6F7772616E6B00  # "lowrank"
# A part of a matrix by rows: its name in `lora.matrices`, its number in the seed of A, its rows.
Part = tuple[str, int, int]


class Factors(nn.Module):
    """A and B of some rows of a matrix."""

    def __init__(self, like: Tensor, rows: int, rank: int, scale: float, stream: int):
        """`like`: the matrix. `stream`: of the numbers that A starts with."""
        super().__init__()
        self.A = nn.Parameter(like.new_empty(rank, like.shape[1]))
        self.B = nn.Parameter(like.new_empty(rows, rank))
        self.scale, self.stream = scale, stream

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.A), self.B) * self.scale

    @torch.no_grad()
    def start(self, seed: int) -> None:
        """Fills what this process holds: A uniformly within ±1/√in, B with 0."""
        a, columns, here = local(self.A), self.A.shape[1], rows_here(self.A)
        values = RandomStream(seed, self.stream).symmetric(here.start * columns, a.numel())
        a.copy_(torch.from_numpy(values / math.sqrt(columns)).view(a.shape))
        local(self.B).zero_()


class AdaptedLinear(nn.Linear):
    """A linear layer with factors of its matrix, or of some parts of it."""

    def __init__(self, linear: nn.Linear, parts: list[Part], factors: dict[str, Factors]):
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight = linear.weight
        self.register_parameter("bias", linear.bias)
        self.roles, self.heights = [p[0] for p in parts], [p[2] for p in parts]
        setattr(self, FACTORS, nn.ModuleDict(factors))

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        if len(self.roles) == 1:
            return y + self.factors[self.roles[0]](x)
        return torch.cat([
            part + self.factors[role](x) if role in self.factors else part
            for role, part in zip(self.roles, y.split(self.heights, -1))], -1)

    @property
    def places(self) -> list[tuple[str, slice]]:
        """The parts that are adapted, and the rows of each, in their order."""
        starts = [sum(self.heights[:i]) for i in range(len(self.heights))]
        return [(role, slice(start, start + height))
                for role, start, height in zip(self.roles, starts, self.heights)
                if role in self.factors]


@dataclass
class Adapted:
    """A matrix with factors: their parameters as they lie between steps. The modules have other ones where
    FSDP has gathered them, in bfloat16 perhaps."""

    name: str
    height: int
    scale: float
    parts: list[tuple[slice, TrainedTensor, TrainedTensor]]  # rows, A, B

    def wholes(self) -> list[tuple[slice, Tensor, Tensor]]:
        """Rows, A and B of each part, gathered; every process takes part."""
        return [(rows, *(full(local(t.parameter.detach()), like=t.parameter).cpu() for t in pair))
                for rows, *pair in self.parts]

    def merge(self, weight: Tensor | None) -> None:
        """Adds the products of the factors to the whole matrix; every process takes part, and those that
        do not have it give None."""
        for rows, a, b in self.wholes():
            if weight is not None:
                weight[rows].addmm_(b, a, alpha=self.scale)


def adapt(model: nn.Module, rank: int, alpha: float, matrices: list[str]) -> None:
    """Puts factors beside the matrices of these names, in every block and every expert."""
    for number, block in enumerate(blocks_of(model.transformer)):
        for module, name, expert, parts in _matrices_of(block):
            linear = getattr(module, name)
            factors = {
                role: Factors(linear.weight, rows, rank, alpha / rank,
                              START_STREAM + (expert << 40 | number << 8 | place))
                for role, place, rows in parts if role in matrices}
            if factors:
                setattr(module, name, AdaptedLinear(linear, parts, factors))


def _matrices_of(block: nn.Module) -> Iterator[tuple[nn.Module, str, int, list[Part]]]:
    """Of a block: the module of each matrix, its name there, the expert's number, and its parts."""
    attention, mlp = block.attn, block.mlp
    yield attention, "Wqkv", 0, [
        ("query", 1, attention.queries), ("key", 2, attention.keys), ("value", 3, attention.keys)]
    yield attention, "proj", 0, [("output", 11, attention.proj.out_features)]
    experts = getattr(mlp, "experts", None)
    if experts is None:
        half = mlp.fc.out_features // 2
        yield mlp, "fc", 0, [("gate", 13, half), ("up", 14, half)]
        yield mlp, "proj", 0, [("down", 18, mlp.proj.out_features)]
        return
    for number, expert in enumerate(experts):
        for role, place in (("gate", 20), ("up", 21), ("down", 22)):
            name = f"{role}_proj"
            yield expert, name, number, [(role, place, getattr(expert, name).out_features)]


def adapted_of(model: nn.Module, tensors: list[TrainedTensor]) -> list[Adapted]:
    """The matrices with factors, in the order of `tensors`.

    To the optimizer, A and B of each part are by themselves, and under Adam: Muon's update has as large a
    share in every direction, which a factor that starts at 0 does not want.
    """
    modules, found = dict(model.named_modules()), []
    for tensor in tensors:
        path, _, kind = tensor.name.rpartition(".")
        layer = modules[path]
        if isinstance(layer, AdaptedLinear) and kind == "weight":
            parts = [(rows, *(
                TrainedTensor(f"{path}.{FACTORS}.{role}.{side}", parameter, False, tensor.share)
                for side, parameter in layer.factors[role].named_parameters()))
                for role, rows in layer.places]
            found.append(Adapted(
                tensor.name, layer.out_features, layer.factors[layer.places[0][0]].scale, parts))
    return found


def start(model: nn.Module, seed: int) -> None:
    """Fills all factors of a model."""
    for module in model.modules():
        if isinstance(module, Factors):
            module.start(seed)
