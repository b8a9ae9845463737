"""The processes that train one model: what they sum, and how an error of one ends all of them."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from train_errors import INTERNAL, INTERRUPTED, TrainError, known, packed, unpacked

ERROR = "ckpt/error"
NOTICE = 0.5  # seconds between two looks for an error of another process


def say(text: str) -> None:
    """A line of standard error, which other processes' lines do not divide."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Group:
    """All processes of a run: those that torchrun started, or this one alone."""

    def __init__(self, timeout: float):
        """`timeout`: seconds after which an exchange that does not end is an error."""
        has_gpus = torch.cuda.is_available()
        if has_gpus:
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        self.device = torch.device("cuda", torch.cuda.current_device()) if has_gpus else (
            torch.device("cpu"))
        limit = timedelta(seconds=timeout)
        if dist.is_torchelastic_launched() or "WORLD_SIZE" in os.environ:
            self.store, self.rank, self.size = next(dist.rendezvous("env://", timeout=limit))
        else:
            self.store, self.rank, self.size = dist.HashStore(), 0, 1
        # Each start of torchrun has keys of its own.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.store = dist.PrefixStore(f"attempt-{attempt}", self.store)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if has_gpus else "gloo", store=self.store, rank=self.rank,
            world_size=self.size, timeout=limit)
        self.local_size = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        self.is_closing = False
        self.watch = threading.Thread(target=self._watch, daemon=True)
        if self.size > 1:
            self.watch.start()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """`tensor` with the sum over all processes in place of its own values."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def wait(self) -> None:
        if self.size > 1:
            dist.barrier()

    def by_first(self, work: Callable[[], Any]) -> Any:
        """What `work` gives in the first process, in all of them; an error of it ends all."""
        result = [None]
        if self.is_first:
            result = [work()]
        if self.size > 1:
            dist.broadcast_object_list(result, src=0)
        return result[0]

    # MARK: Errors

    def fail(self, error: BaseException) -> int:
        """Tells all processes of an error, prints it unless another was first; the exit code."""
        mine = known(error)
        try:
            text = packed(mine, self.rank)
            is_told = self.size == 1 or self.store.compare_set(ERROR, "", text) == text.encode()
        except Exception:  # the store's process is gone
            is_told = False
        if self.size > 1 and not is_told:
            return self._others_error(mine).exit_code
        if mine.exit_code == INTERNAL:
            traceback.print_exception(error)
        place = f"process {self.rank}: " if self.size > 1 and mine.exit_code != INTERRUPTED else ""
        say(place + mine.line())
        return mine.exit_code

    def _others_error(self, mine: TrainError) -> TrainError:
        try:
            return unpacked(self.store.get(ERROR).decode())
        except Exception:
            say(f"process {self.rank}: {mine.line()}")
            return mine

    def _watch(self) -> None:
        """Ends this process when another has failed, also from within an exchange."""
        while not self.is_closing:
            time.sleep(NOTICE)
            try:
                if not self.store.check([ERROR]):
                    continue
                error = unpacked(self.store.get(ERROR).decode())
            except Exception:  # the store is gone: so is the run, and the next exchange says so
                return
            time.sleep(2 * NOTICE)  # the one that failed ends by itself, and says why
            if not self.is_closing:
                sys.stderr.flush()
                os._exit(error.exit_code)

    def close(self) -> None:
        self.is_closing = True
        if self.size > 1:
            self.watch.join()
        dist.destroy_process_group()
