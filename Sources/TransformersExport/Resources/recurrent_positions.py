"""Where tokens stand, how that turns queries and keys, and which keys a query sees.

Letters in shape comments: B batch, S tokens of a call, K tokens with those in the cache, d values
of a head that are turned.
"""

from typing import Optional

import torch

from .recurrent_frequencies import FIXED, plain


def positions_of(
    position_ids: Optional[torch.Tensor],
    attention_mask: Optional[torch.Tensor],
    past,
    x: torch.Tensor,
) -> torch.Tensor:
    """The place of every token in its sequence, [B, S]; padding on the left does not count."""
    batch, length = x.shape[:2]
    if position_ids is not None:
        if position_ids.dim() != 2 or position_ids.shape[-1] != length:
            raise ValueError(
                f"position_ids is {list(position_ids.shape)}, not [{batch} or 1, {length}]"
            )
        return position_ids.expand(batch, length)
    if attention_mask is not None and attention_mask.dim() == 2:
        counted = attention_mask.long().cumsum(-1) - 1
        return counted.clamp(min=0)[:, -length:]
    return (torch.arange(length, device=x.device) + past).expand(batch, length)


# Rotary embedding


def rotations(config, positions: torch.Tensor) -> list:
    """Cosines and sines by the place of a block's spec in `block_specs.distinct`, or None."""
    rotaries = [spec["attention"]["rotary"] for spec in config.block_specs["distinct"]]
    return [None if rotary is None else rotation(rotary, positions) for rotary in rotaries]


def rotation(rotary: dict, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of one rotary embedding at `positions`, [B, 1, S, d] each: cosines twice, and
    sines after their negatives."""
    # A row's frequencies depend on that row alone, so that padding and neighbours change nothing.
    length = positions.amax(-1, keepdim=True) + 1  # [B, 1]
    frequencies = _frequencies(rotary, length)  # [B or 1, d / 2]
    angles = positions.unsqueeze(-1).float() * frequencies.unsqueeze(1)
    magnitude = rotary.get("magnitude", 1.0)
    cosines, sines = angles.cos() * magnitude, angles.sin() * magnitude
    tables = torch.cat([cosines, cosines], dim=-1), torch.cat([-sines, sines], dim=-1)
    return tuple(table.unsqueeze(1) for table in tables)


def _frequencies(rotary: dict, length: torch.Tensor) -> torch.Tensor:
    """Radians a position of each pair, [B or 1, d / 2]."""
    kind, device = rotary["type"], length.device
    if kind == "longrope":
        is_long = length > rotary["original_context"]
        short, long = (
            torch.tensor([f / x for f, x in zip(plain(rotary), rotary[key])], device=device)
            for key in ("short", "long")
        )
        return torch.where(is_long, long, short)
    if kind == "dynamic":
        return _dynamic(rotary, length)
    return torch.tensor([FIXED[kind](rotary)], dtype=torch.float32, device=device)


def _dynamic(rotary: dict, length: torch.Tensor) -> torch.Tensor:
    """The base grows with the sequence beyond the original context."""
    size, factor, original = rotary["dimensions"], rotary["factor"], rotary["original_context"]
    kind = torch.float32 if length.device.type == "mps" else torch.float64
    stretch = factor * length.to(kind) / original - (factor - 1)
    base = rotary["theta"] * stretch.clamp(min=1) ** (size / (size - 2))
    pairs = torch.arange(0, size, 2, dtype=kind, device=length.device)
    grown = base ** (-pairs / size)
    still = torch.tensor(plain(rotary), dtype=kind, device=length.device)
    return torch.where(length > original, grown, still).float()


def rotated(
    x: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor
) -> torch.Tensor:
    """Turns pairs i and i + d / 2 of the first d values of every head. x: [B, heads, S, size]."""
    width = cosines.shape[-1]
    turned, rest = (x, None) if width == x.shape[-1] else (x[..., :width], x[..., width:])
    a, b = turned.chunk(2, dim=-1)
    turned = turned * cosines + torch.cat([b, a], dim=-1) * sines
    return turned if rest is None else torch.cat([turned, rest], dim=-1)


# Visibility


def documents_of(
    position_ids: torch.Tensor, attention_mask: Optional[torch.Tensor]
) -> torch.Tensor:
    """A number for each document of a packed row, [B, S]: a new one begins where positions do not go
    on by one. Tokens of the padding begin none."""
    before, here = position_ids[:, :-1], position_ids[:, 1:]
    begins = here != before + 1
    if attention_mask is not None:
        real = attention_mask.bool()
        begins = real[:, 1:] & torch.where(real[:, :-1], begins, here == 0)
    return torch.nn.functional.pad(begins.long().cumsum(-1), (1, 0))


def visibility(
    attention_mask: Optional[torch.Tensor],
    documents: Optional[torch.Tensor],
    past,
    keys: int,
    window: Optional[int],
    x: torch.Tensor,
    is_flex: bool,
) -> Optional[torch.Tensor]:
    """Which of `keys` keys each query sees, [B or 1, 1, S, K]; None where causality says it all.

    A token of the padding sees itself, so that no row is empty; nobody else sees it. Flex attention
    takes a term of its scores instead.
    """
    length = x.shape[1]
    if attention_mask is not None and attention_mask.dim() == 4:
        if window is not None:
            raise ValueError("a mask of four dimensions does not say what a window of a block sees")
        mask = attention_mask
        return mask if mask.dtype == torch.bool else mask >= 0
    if attention_mask is None and documents is None and isinstance(past, int) and not is_flex:
        is_within = window is None or past + length <= window
        if is_within and keys == past + length and (past == 0 or length == 1):
            return None
    key = torch.arange(keys, device=x.device)
    query = (torch.arange(length, device=x.device) + past).unsqueeze(-1)
    mask = (key <= query)[None, None]
    if window is not None:
        mask = mask & (key > query - window)
    if documents is not None:
        mask = mask & (documents[:, None, :, None] == documents[:, None, None, :])
    if attention_mask is not None:
        seen = attention_mask.bool()
        seen = torch.nn.functional.pad(seen, (0, keys - seen.shape[-1]))
        mask = mask & seen[:, None, None] | (key == query)
    if is_flex:
        zeros = torch.zeros(mask.shape, dtype=x.dtype, device=x.device)
        return zeros.masked_fill(~mask, float("-inf")).expand(x.shape[0], -1, -1, -1)
    return mask


def has_documents(position_ids: torch.Tensor, mask: Optional[torch.Tensor]) -> torch.Tensor:
    """Whether tokens that are no padding are of more than one document in some row, one value."""
    numbers = documents_of(position_ids, mask)
    real = torch.ones_like(numbers, dtype=torch.bool) if mask is None else mask.bool()
    largest = numbers.masked_fill(~real, 0).amax(-1)
    smallest = numbers.masked_fill(~real, numbers.shape[-1]).amin(-1)
    return (largest > smallest).any()
