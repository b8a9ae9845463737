"""Checks of a call's arguments: what is misspelt, or no whole number, is an error."""

import operator
from collections.abc import Sequence
from typing import Optional, Union

import torch

# Arguments that callers of transformers' models give, and that mean nothing here.
WITHOUT_MEANING = {"cache_position", "token_type_ids"}
# What collators say of packed documents beside `position_ids`, which say it all.
OF_PACKING = {"cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx"}


def whole(number) -> int:
    """A number of passes; a fraction, or something that is no number, is an error."""
    try:
        if isinstance(number, bool):
            raise TypeError
        return operator.index(number)
    except TypeError:
        raise ValueError(f"num_steps has {number!r}, which is not a whole number") from None


def split_steps(
    config, num_steps: Union[int, Sequence[int], torch.Tensor, None], padded_steps
) -> tuple[int, int]:
    """Passes without gradient, and with, that are run."""
    if padded_steps is not None:
        if not isinstance(num_steps, torch.Tensor) or num_steps.shape != (2,):
            raise ValueError("padded_steps goes with num_steps as a tensor of two whole numbers")
        num_steps = padded_steps
    elif isinstance(num_steps, torch.Tensor):
        raise ValueError("num_steps as a tensor goes with padded_steps, the passes that are run")
    if num_steps is None:
        num_steps = config.mean_recurrence
    if isinstance(num_steps, (tuple, list)):
        if len(num_steps) != 2:
            raise ValueError(f"num_steps is {num_steps}, not a number or a pair of numbers")
        without, steps = (whole(x) for x in num_steps)
    else:
        total = whole(num_steps)
        steps = min(total, max(1, config.mean_backprop_depth))
        without = total - steps
    if without < 0 or steps < 0 or without + steps < 1:
        raise ValueError(f"num_steps is {num_steps}; the core must run at least once")
    return without, steps


def skipped_steps(num_steps, padded_steps) -> Sequence[Optional[torch.Tensor]]:
    """Of the passes that are always run, those that leave the state as it is: without gradient, and
    with; None where all count."""
    if padded_steps is None:
        return (None, None)
    skipped = torch.tensor(padded_steps, device=num_steps.device) - num_steps
    is_right = (skipped >= 0).all() & (num_steps >= 0).all() & (num_steps.sum() >= 1)
    problem = f"num_steps counts from 0 to padded_steps, {tuple(padded_steps)}, and one at least"
    if torch.compiler.is_compiling():
        torch._assert_async(is_right, problem)
    elif not bool(is_right):
        raise ValueError(f"{problem}; it is {num_steps.tolist()}")
    return skipped


def refuse_strangers(arguments: dict, position_ids: Optional[torch.Tensor]):
    """Refuses arguments that nothing here reads, such as those with a misspelt name."""
    strangers = set(arguments) - WITHOUT_MEANING - OF_PACKING
    if strangers:
        raise TypeError(f"forward got unexpected arguments: {', '.join(sorted(strangers))}")
    packing = [name for name in OF_PACKING if arguments.get(name) is not None]
    if packing and position_ids is None:
        raise ValueError(f"{', '.join(sorted(packing))}: packed documents need position_ids")
