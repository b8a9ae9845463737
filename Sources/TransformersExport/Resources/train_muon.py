"""Muon's orthogonalisation, dealt out: each matrix is whole on one process, once, for a moment."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from train_parallel import Layout

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan et al., 2024
NEWTON_SCHULZ_STEPS = 5
LEAST_NORM = 1e-7
# A product with a symmetric result is made in so many strips, from this extent on.
STRIPS = 4
LEAST_STRIPS = 512


class Dealer:
    """Orthogonalises matrices that lie in shards, or whole, on the processes of a group."""

    def __init__(
        self, shapes: list[torch.Size], joins: list[bool], layout: Layout, precision: torch.dtype,
    ):
        """`joins`: whether a matrix is more rows of the one before it, so that both are one."""
        self.shapes, self.precision = shapes, precision
        self.wholes = []
        for index, is_joined in enumerate(joins):
            if is_joined:
                self.wholes[-1].append(index)
            else:
                self.wholes.append([index])
        self.is_sharded, self.group = layout.is_sharded, layout.shard_group
        self.size = dist.get_world_size(self.group)
        self.rank = dist.get_rank(self.group)
        self.owned = [[i for whole in owned for i in self.wholes[whole]]
                      for owned in _dealt(self.whole_shapes, self.size)]
        self.mine = self.owned[self.rank]

    @property
    def whole_shapes(self) -> list[tuple[int, int]]:
        return [(sum(self.shapes[i][0] for i in whole), self.shapes[whole[0]][1])
                for whole in self.wholes]

    @property
    def ratios(self) -> list[float]:
        """Rows over columns of what each matrix is part of."""
        return [rows / columns for whole, (rows, columns) in zip(self.wholes, self.whole_shapes)
                for _ in whole]

    def __call__(self, parts: list[Tensor]) -> list[Tensor]:
        """Of matrices whose `parts` here lie as their parameters do, those parts made orthogonal."""
        if self.size == 1:
            return self._orthogonalised(parts, range(len(parts)))
        return self._of_shards(parts) if self.is_sharded else self._of_copies(parts)

    def _of_copies(self, matrices: list[Tensor]) -> list[Tensor]:
        """Every process does its own, and all gather the results."""
        results = self._orthogonalised([matrices[i] for i in self.mine], self.mine)
        counts = [sum(self.shapes[i].numel() for i in owned) for owned in self.owned]
        sent = matrices[0].new_zeros(max(counts), dtype=self.precision)
        torch.cat([x.flatten() for x in results] or [sent[:0]], out=sent[:counts[self.rank]])
        all = sent.new_empty(self.size * len(sent))
        dist.all_gather_into_tensor(all, sent, group=self.group)
        updates = list(matrices)
        for row, owned in zip(all.view(self.size, -1), self.owned):
            start = 0
            for i in owned:
                count = self.shapes[i].numel()
                updates[i] = row[start:start + count].view(self.shapes[i])
                start += count
        return updates

    def _of_shards(self, shards: list[Tensor]) -> list[Tensor]:
        """Shards go to the owners of their matrices, and those of the results come back."""
        places = [[self._rows(i, rank) for i in self.mine] for rank in range(self.size)]
        sent = [[shards[i] for i in owned] for owned in self.owned]
        shapes = [[(rows.stop - rows.start, self.shapes[i][1]) for i, rows in zip(self.mine, place)]
                  for place in places]
        received = self._exchanged(sent, shapes, shards[0])
        wholes = [torch.cat(pieces) for pieces in zip(*received)]
        results = self._orthogonalised(wholes, self.mine)
        back = [[x[rows] for x, rows in zip(results, place)] for place in places]
        shapes = [[shards[i].shape for i in owned] for owned in self.owned]
        updates, like = list(shards), shards[0].to(self.precision)
        for owned, pieces in zip(self.owned, self._exchanged(back, shapes, like)):
            for i, piece in zip(owned, pieces):
                updates[i] = piece
        return updates

    def _orthogonalised(self, matrices: list[Tensor], indices: Sequence[int]) -> list[Tensor]:
        """The matrices of these `indices`, those that are one as one."""
        place = {index: i for i, index in enumerate(indices)}
        wholes = [[place[i] for i in whole] for whole in self.wholes if whole[0] in place]
        joined = orthogonalised(
            [matrices[whole[0]] if len(whole) == 1 else torch.cat([matrices[i] for i in whole])
             for whole in wholes], self.precision)
        results = list(matrices)
        for whole, result in zip(wholes, joined):
            for i, part in zip(whole, result.split([len(matrices[i]) for i in whole])):
                results[i] = part
        return results

    def _rows(self, index: int, rank: int) -> slice:
        """What FSDP2 gives a process of a matrix."""
        rows = self.shapes[index][0]
        share = -(-rows // self.size)
        return slice(min(rank * share, rows), min((rank + 1) * share, rows))

    def _exchanged(
        self, sent: list[list[Tensor]], shapes: list[list[tuple]], like: Tensor
    ) -> list[list[Tensor]]:
        """Sends a list of tensors to each process; gives those of the `shapes` that each sent."""
        flat = [x.reshape(-1) for pieces in sent for x in pieces]
        source = torch.cat(flat or [like.new_empty(0)]).to(like)
        counts = [[rows * columns for rows, columns in pieces] for pieces in shapes]
        target = source.new_empty(sum(map(sum, counts)))
        dist.all_to_all_single(
            target, source, [sum(of_one) for of_one in counts],
            [sum(x.numel() for x in pieces) for pieces in sent], group=self.group)
        received, start = [], 0
        for of_one, pieces in zip(counts, shapes):
            received.append([])
            for count, shape in zip(of_one, pieces):
                received[-1].append(target[start:start + count].view(shape))
                start += count
        return received


def _dealt(shapes: list[tuple[int, int]], hands: int) -> list[list[int]]:
    """Which matrices each process orthogonalises: the next costly one goes to who has least."""
    def cost(index: int) -> int:
        return min(shapes[index]) ** 2 * max(shapes[index])

    owned, load = [[] for _ in range(hands)], [0] * hands
    for index in sorted(range(len(shapes)), key=cost, reverse=True):
        hand = load.index(min(load))
        owned[hand].append(index)
        load[hand] += cost(index)
    return [sorted(indices) for indices in owned]


def orthogonalised(matrices: list[Tensor], precision: torch.dtype) -> list[Tensor]:
    """Matrices with their singular values brought near 1, by a quintic Newton-Schulz iteration;
    those of one shape in one go."""
    results, by_shape = list(matrices), {}
    for index, matrix in enumerate(matrices):
        by_shape.setdefault(matrix.shape, []).append(index)
    for shape, indices in by_shape.items():
        is_tall = shape[0] > shape[1]
        x = torch.stack([matrices[i].mT if is_tall else matrices[i] for i in indices])
        norms = torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, dtype=torch.float64)
        x = _newton_schulz((x / norms.clamp(min=LEAST_NORM).float()).to(precision))
        for i, result in zip(indices, x):
            results[i] = result.mT if is_tall else result
    return results


def _newton_schulz(x: Tensor) -> Tensor:
    """x: [count, rows, columns], no more rows than columns, of norm 1 each."""
    a, b, c = NEWTON_SCHULZ
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = _symmetric(x, x.mT)
        mixed = _symmetric(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, mixed, x, beta=a)
    return x


def _symmetric(
    x: Tensor, y: Tensor, added: Tensor | None = None, *, beta: float = 0, alpha: float = 1
) -> Tensor:
    """beta * added + alpha * x @ y, [count, n, n], which is known to be symmetric: in strips of rows,
    each up to the diagonal, which is five eighths of the work; whole where that is not worth it."""
    edge = x.shape[-2]
    added = x.new_zeros(()).expand(*x.shape[:-1], edge) if added is None else added
    if edge < LEAST_STRIPS:
        return torch.baddbmm(added, x, y, beta=beta, alpha=alpha)
    result = x.new_empty(*x.shape[:-1], edge)
    height = -(-edge // STRIPS)
    for first in range(0, edge, height):
        last = min(first + height, edge)
        strip = torch.baddbmm(
            added[:, first:last, :last], x[:, first:last], y[..., :last], beta=beta, alpha=alpha)
        result[:, first:last, :last] = strip
        result[:, :first, first:last] = strip[..., :first].mT
    return result
