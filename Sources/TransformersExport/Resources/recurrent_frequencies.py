"""Frequencies of rotary embeddings, radians a position of each pair; pure Python, for every library."""

import math


def plain(rotary: dict) -> list[float]:
    """θ^(-2i / d)."""
    size, theta = rotary["dimensions"], rotary["theta"]
    return [theta ** (-2 * i / size) for i in range(size // 2)]


def linear(rotary: dict) -> list[float]:
    """All slowed by one factor."""
    return [f / rotary["factor"] for f in plain(rotary)]


def llama3(rotary: dict) -> list[float]:
    """Slow pairs are stretched, fast ones stay, and those between are interpolated."""
    low, high, factor = rotary["low"], rotary["high"], rotary["factor"]

    def scaled(f):
        turns = rotary["original_context"] * f / (2 * math.pi)
        share = min(max((turns - low) / (high - low), 0), 1)
        return (1 - share) * f / factor + share * f

    return [scaled(f) for f in plain(rotary)]


def yarn(rotary: dict) -> list[float]:
    """Pairs that turn seldom within the original context are slowed (Peng et al. 2023)."""
    size, theta, factor = rotary["dimensions"], rotary["theta"], rotary["factor"]

    def pair(turns):
        turned = rotary["original_context"] / (turns * 2 * math.pi)
        return size * math.log(turned) / (2 * math.log(theta))

    fast, slow = pair(rotary["beta_fast"]), pair(rotary["beta_slow"])
    if rotary["truncate"]:
        fast, slow = math.floor(fast), math.ceil(slow)
    low, high = max(fast, 0), min(slow, size - 1)
    high += 0.001 if low == high else 0
    shares = [min(max((i - low) / (high - low), 0), 1) for i in range(size // 2)]
    return [f / factor * x + f * (1 - x) for f, x in zip(plain(rotary), shares)]


# Those that do not depend on the length of the sequence.
FIXED = {"default": plain, "linear": linear, "llama3": llama3, "yarn": yarn}


def frequencies(rotary: dict, length: int) -> list[float]:
    """Of any kind, for a sequence of `length` tokens."""
    if rotary["type"] == "longrope":
        factors = rotary["long" if length > rotary["original_context"] else "short"]
        return [f / x for f, x in zip(plain(rotary), factors)]
    if rotary["type"] == "dynamic":
        size, factor = rotary["dimensions"], rotary["factor"]
        stretch = max(1, factor * length / rotary["original_context"] - (factor - 1))
        return plain(rotary | {"theta": rotary["theta"] * stretch ** (size / (size - 2))})
    return FIXED[rotary["type"]](rotary)
