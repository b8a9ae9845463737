"""How a model is spread over processes: whole copies (DDP), shards (FSDP2), copies of shards (HSDP)."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.nn.parallel import DistributedDataParallel

from train_errors import USAGE, RunError
from train_group import Group


@dataclass
class Layout:
    """Who holds what."""

    kind: str  # ddp, fsdp or hsdp
    group: Group
    mesh: object = None  # None where every process holds all

    @staticmethod
    def of(kind: str, shards: int, group: Group) -> "Layout":
        """`shards`: processes that hold a copy together under HSDP; 0 for those of a machine."""
        if kind == "ddp":
            return Layout(kind, group)
        if kind == "fsdp":
            return Layout(kind, group, init_device_mesh(
                group.device.type, (group.size,), mesh_dim_names=("shard",)))
        shards = shards or group.local_size
        if group.size % shards:
            raise RunError(f"{group.size} processes cannot be divided into groups of {shards}; "
                           "choose --shard so that they can", "train.uneven_shares", USAGE)
        return Layout(kind, group, init_device_mesh(
            group.device.type, (group.size // shards, shards),
            mesh_dim_names=("replicate", "shard")))

    @property
    def is_sharded(self) -> bool:
        return self.mesh is not None

    @property
    def shard_group(self) -> dist.ProcessGroup | None:
        """The processes that hold one copy together."""
        return self.mesh.get_group("shard") if self.is_sharded else None

    @property
    def counts(self) -> bool:
        """Whether this process adds to sums over parameters: of each shard one copy does."""
        if not self.is_sharded:
            return self.group.is_first
        return self.kind == "fsdp" or self.mesh.get_local_rank("replicate") == 0

    def spread(self, objective: nn.Module, body: nn.Module, is_bf16: bool) -> nn.Module:
        """The module to be called in place of `objective`, whose parameters may become shards.

        Blocks that run once are units of their own. The core and its adapter belong to the
        outermost unit, which is gathered once a micro-batch: every process does the same transfers,
        however many passes through the core it draws. What is frozen may lie in a unit with what is
        trained: FSDP2 shards each parameter by itself, and reduces those that have gradients. (FSDP1 made
        one flat parameter of a unit, with a gradient for all of it: pytorch/pytorch#91167.)
        """
        if self.kind == "ddp":
            return objective
        half = torch.bfloat16 if is_bf16 else None
        # Activations between blocks stay float32, so inputs are not cast.
        policy = MixedPrecisionPolicy(
            param_dtype=half, reduce_dtype=torch.float32, cast_forward_inputs=False)
        for block in [*body.prelude, *body.coda]:
            fully_shard(block, mesh=self.mesh, mp_policy=policy)
        return fully_shard(objective, mesh=self.mesh, mp_policy=policy)

    def copied(self, objective: nn.Module) -> nn.Module:
        """Under DDP, once the weights are there, the module that exchanges gradients."""
        if self.kind != "ddp" or self.group.size == 1:
            return objective
        return DistributedDataParallel(objective, gradient_as_bucket_view=True)


def reduces_gradients(module: nn.Module, reduces: bool) -> None:
    """Whether the next backward pass exchanges gradients, or only adds them up here."""
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(reduces)
        module.set_is_last_backward(reduces)
    elif isinstance(module, DistributedDataParallel):
        module.require_backward_grad_sync = reduces


def local(tensor: Tensor) -> Tensor:
    """What this process holds of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def rows_here(tensor: Tensor) -> slice:
    """The rows of the whole tensor that this process holds."""
    if not isinstance(tensor, DTensor):
        return slice(0, tensor.shape[0])
    shape, offset = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements)
    return slice(offset[0], offset[0] + shape[0]) if shape[0] else slice(0, 0)


def spread_like(values: Tensor, like: Tensor) -> Tensor:
    """`values`, which are here what this process holds, as a tensor spread as `like` is."""
    if not isinstance(like, DTensor):
        return values
    return DTensor.from_local(values, like.device_mesh, like.placements, run_check=False,
                              shape=like.shape, stride=like.stride())


def full(values: Tensor, like: Tensor) -> Tensor:
    """The whole of a tensor whose `values` here are spread as the parameter `like`."""
    spread = spread_like(values, like)
    return spread.full_tensor() if isinstance(spread, DTensor) else spread
