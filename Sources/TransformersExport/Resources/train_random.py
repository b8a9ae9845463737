"""Random numbers by position: SplitMix64 read at a counter, as `ckpt` draws them.

A number depends on seed, stream and index alone.
"""

from statistics import NormalDist

import numpy as np

MASK = (1 << 64) - 1
STEP = 0x9E3779B97F4A7C15


class RandomStream:
    """An endless sequence of random numbers, any of which can be had alone."""

    def __init__(self, seed: int, stream: int = 0):
        self.key = _mix(seed + _mix(stream + STEP))

    def __getitem__(self, index: int) -> int:
        """64 random bits."""
        return _mix(self.key + (index + 1) * STEP)

    def uniform(self, index: int) -> float:
        """In [0, 1), a multiple of 2**-53."""
        return (self[index] >> 11) * 2.0**-53

    def normal(self, index: int) -> float:
        """Mean 0, deviation 1."""
        return NormalDist().inv_cdf(((self[index] >> 11) + 0.5) * 2.0**-53)

    def symmetric(self, start: int, count: int) -> np.ndarray:
        """In [-1, 1), multiples of 2**-23, of the indices from `start` on: [count], float64."""
        first = (self.key + (start + 1) * STEP) & MASK
        z = np.arange(count, dtype=np.uint64) * np.uint64(STEP) + np.uint64(first)
        return (_mix(z) >> np.uint64(40)) * 2.0**-23 - 1


class Permutation:
    """A random order of 0..<count in which the place of any element is computed alone.

    Four Feistel rounds over the next even number of bits, repeated until the result is below count.
    """

    def __init__(self, count: int, seed: int, stream: int):
        self.count = count
        self.half = (max(count - 1, 1).bit_length() + 1) // 2
        self.random = RandomStream(seed, stream)

    def __getitem__(self, index: int) -> int:
        mask, value = (1 << self.half) - 1, index
        while True:
            left, right = value >> self.half, value & mask
            for turn in range(4):
                left, right = right, left ^ (self.random[right << 2 | turn] & mask)
            value = left << self.half | right
            if value < self.count:
                return value


def _mix(z: int | np.ndarray) -> int | np.ndarray:
    """SplitMix64's output function (Steele, Lea, Flood 2014)."""
    z = z & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)
