"""The start of the recurrent state: numbers that `ckpt` draws too."""

from typing import Optional

import torch


def _signed(value: int) -> int:
    """The 64-bit integer with the bits of `value`, as torch has them."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


STEP, FIRST, SECOND = (
    _signed(0x9E3779B97F4A7C15),
    _signed(0xBF58476D1CE4E5B9),
    _signed(0x94D049BB133111EB),
)
# Mass of a normal distribution's tail beyond three standard deviations.
TAIL = 0.0013498980316300945


def _mixed(z: torch.Tensor) -> torch.Tensor:
    """SplitMix64's output function (Steele, Lea, Flood 2014) of int64 tensors, which wrap."""

    def shifted(z, bits):
        return (z >> bits) & ((1 << (64 - bits)) - 1)

    z = (z ^ shifted(z, 30)) * FIRST
    z = (z ^ shifted(z, 27)) * SECOND
    return z ^ shifted(z, 31)


def _drawn(
    positions: torch.Tensor, width: int, deviation: float, seed: torch.Tensor, by_row: bool
) -> torch.Tensor:
    """Normal numbers truncated at three standard deviations, [B, S, width], float32.

    The numbers are those of SplitMix64 at a counter: seeded by `seed`, and `by_row` by the row of the
    batch too, and read at position · width + channel.

    positions: [B, S], int64. seed: int64, without dimensions.
    """
    wanted = positions.device
    if wanted.type == "mps":
        # It has no float64, in which alone the numbers are those of `ckpt`.
        positions, seed = positions.cpu(), seed.cpu()
    device = positions.device
    rows = torch.arange(positions.shape[0] if by_row else 1, device=device).unsqueeze(1)
    keys = _mixed(_mixed(rows + STEP) + seed.to(device))  # [B or 1, 1]
    channels = torch.arange(1, width + 1, device=device)
    counters = positions.unsqueeze(-1) * width + channels  # [B, S, width]
    bits = (_mixed(keys.unsqueeze(-1) + counters * STEP) >> 11) & ((1 << 53) - 1)
    share = (bits.double() + 0.5) * 2.0**-53
    state = torch.special.ndtri(TAIL + share * (1 - 2 * TAIL)) * deviation
    return state.float().to(wanted)


def _operator():
    """`_drawn` as one operator that compilers leave alone: integers that wrap overflow in theirs.

    Every folder brings this file, and the operator is made once a process.
    """
    name = "ckpt_recurrent::drawn_state"
    if not hasattr(torch.ops.ckpt_recurrent, "drawn_state"):
        made = torch.library.custom_op(name, _drawn, mutates_args=())
        made.register_fake(
            lambda positions, width, deviation, seed, by_row: positions.new_empty(
                (*positions.shape, width), dtype=torch.float32
            )
        )
    return torch.ops.ckpt_recurrent.drawn_state


drawn_state = _operator()


def seed_of(state_seed, training: bool) -> torch.Tensor:
    """The seed of a call: as given, modulo 2^64; else 0 in evaluation, and in training a new one."""
    if state_seed is not None and torch.compiler.is_compiling():
        # A number that changes from call to call is a symbol there, of 64 bits.
        return torch.full((), state_seed, dtype=torch.int64)
    if state_seed is not None:
        return torch.tensor(_signed(int(state_seed)))
    if training:
        return torch.randint(1 << 62, ())
    return torch.zeros((), dtype=torch.int64)


def start(
    config,
    embedded: torch.Tensor,
    positions: torch.Tensor,
    initial_state: Optional[torch.Tensor],
    state_seed: Optional[int],
    training: bool,
) -> torch.Tensor:
    """The state before the first pass, [B, S, h].

    What is drawn follows from a token's position alone, so that batches, padding and packing change
    nothing; where a model is trained, rows differ.
    """
    if initial_state is not None:
        if initial_state.shape != embedded.shape:
            raise ValueError(
                f"initial_state is {list(initial_state.shape)}, not {list(embedded.shape)}"
            )
        return initial_state.to(embedded)
    if config.initial_state_mode == "embed-init":
        return embedded
    deviation = 0 if config.state_init == "zero" else config.init_values["std"]
    if deviation == 0:
        return torch.zeros_like(embedded)
    seed = seed_of(state_seed, training)
    by_row = training and torch.is_grad_enabled()
    return drawn_state(positions, config.n_embd, deviation, seed, by_row).to(embedded.dtype)
