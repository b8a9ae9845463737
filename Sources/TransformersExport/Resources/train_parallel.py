"""The group of processes that train one model, and how the model is spread over it."""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.nn.parallel import DistributedDataParallel


class Group:
    """All processes of a run: those that torchrun started, or this one alone."""

    def __init__(self):
        has_gpus = torch.cuda.is_available()
        if has_gpus:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        self.device = torch.device("cuda", torch.cuda.current_device()) if has_gpus else (
            torch.device("cpu"))
        backend = "cpu:gloo,cuda:nccl" if has_gpus else "gloo"
        if dist.is_torchelastic_launched() or "WORLD_SIZE" in os.environ:
            dist.init_process_group(backend)
        else:
            dist.init_process_group(backend, rank=0, world_size=1, store=dist.HashStore())
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor` with the sum over all processes in place of its own values."""
        dist.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        dist.barrier()

    def close(self) -> None:
        dist.destroy_process_group()


def spread(model: nn.Module, how: str, group: Group) -> nn.Module:
    """The model to be called in place of `model`, whose parameters may become shards.

    Under FSDP, blocks that run once are units of their own. The core and its adapter belong to the
    outermost unit, which is gathered once a micro-batch: every process does the same transfers,
    however many passes through the core it draws.
    """
    if how == "ddp":
        return DistributedDataParallel(model)
    mesh = init_device_mesh(group.device.type, (group.size,))
    body = model.transformer
    for block in [*body.prelude, *body.coda]:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def local(tensor: Tensor) -> Tensor:
    """What this process holds of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def full(values: Tensor, like: Tensor) -> Tensor:
    """The whole of a tensor whose `values` here are spread as the parameter `like`."""
    if not isinstance(like, DTensor):
        return values
    return DTensor.from_local(
        values, like.device_mesh, like.placements, run_check=False, shape=like.shape,
        stride=like.stride()).full_tensor()


def like_shard(values: Tensor, like: Tensor) -> Tensor:
    """What this process keeps of whole `values` that are spread as the parameter `like`."""
    if not isinstance(like, DTensor):
        return values
    whole = DTensor.from_local(values, like.device_mesh, [Replicate()], run_check=False)
    return whole.redistribute(placements=like.placements).to_local()
