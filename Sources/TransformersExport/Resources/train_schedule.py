"""How depth and learning rate go over a run, and how often the core runs in each micro-batch."""

import math
from dataclasses import dataclass

from train_random import RandomStream

SIGMA = 0.5
RECURRENCE_STREAM = 0x7265637572000000  # "recur"
STATE_STREAM = 0x7374617465000000  # "state"

Extent = int | float


def steps_of(extent: Extent, total: int) -> int:
    """A stretch of a run in steps: an int counts them, a float is a share, rounded up."""
    return min(extent if isinstance(extent, int) else math.ceil(extent * total), total)


@dataclass
class Curriculum:
    """A depth that grows over a ramp: `ceil(start + (end - start) * f(t / ramp))`, at least 1."""

    shape: str  # constant, linear, or 1-sqrt
    start: int
    end: int
    ramp: Extent

    def value(self, step: int, total: int) -> int:
        ramp = steps_of(self.ramp, total)
        if self.shape == "constant" or step >= ramp:
            return max(1, self.end)
        p = step / ramp
        f = p if self.shape == "linear" else 1 - math.sqrt(1 - p)
        return max(1, math.ceil(self.start + (self.end - self.start) * f))


@dataclass
class LearningRateSchedule:
    """The factor on every learning rate; never below `floor`."""

    shape: str  # constant, wsd, cosine, or linear
    warmup: Extent
    cooldown: Extent  # of wsd alone
    floor: float

    def factor(self, step: int, total: int) -> float:
        warmup = steps_of(self.warmup, total)
        if step < warmup:
            return self._raised(step / warmup)
        decay = {"constant": 0, "wsd": min(steps_of(self.cooldown, total), total - warmup)}.get(
            self.shape, total - warmup)
        into = step - (total - decay)
        if self.shape == "constant" or into < 0:
            return 1.0
        if into >= decay:
            return self.floor
        progress = into / decay
        if self.shape == "linear":
            return self._raised(1 - progress)
        return self._raised(0.5 * (1 + math.cos(math.pi * progress)))

    def _raised(self, factor: float) -> float:
        return factor * (1 - self.floor) + self.floor


@dataclass
class RecurrenceSampler:
    """Draws (n, k) for each micro-batch: n passes through the core without gradient, then k with.

    With scheduled mean m: rate ~ LogNormal(ln m - s**2 / 2, s = 0.5), T ~ Poisson(rate) + 1, the
    last min(depth, m) of them with gradient. A draw depends on the seed and on the micro-batch's
    number in the run alone: not on the process that works on it, nor on what ran before.
    """

    mean: Curriculum
    backprop_depth: Curriculum
    fixed: int  # 0 draws
    seed: int

    def mean_at(self, step: int, total: int) -> int:
        return self.fixed or self.mean.value(step, total)

    def draw(self, micro_batch: int, step: int, total: int) -> tuple[int, int]:
        depth = self.backprop_depth.value(step, total)
        if self.fixed:
            return max(self.fixed - depth, 0), min(depth, self.fixed)
        mean = self.mean.value(step, total)
        random = RandomStream(self.seed, RECURRENCE_STREAM + micro_batch)
        rate = mean * math.exp(SIGMA * random.normal(0) - SIGMA * SIGMA / 2)
        passes = _poisson(rate, random) + 1
        depth = min(depth, mean)
        return max(passes - depth, 0), min(depth, passes)

    def state_seed(self, micro_batch: int) -> int:
        """Seed of the random state that the micro-batch starts from."""
        return RandomStream(self.seed, STATE_STREAM)[micro_batch]


def _poisson(rate: float, random: RandomStream) -> int:
    """Arrivals within `rate`; the first waiting time comes from index 1 of `random`."""
    count = 0
    time = -math.log(1 - random.uniform(1))
    while time <= rate:
        count += 1
        time -= math.log(1 - random.uniform(count + 1))
    return count
