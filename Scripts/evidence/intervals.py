"""Accuracy and loss with intervals: a bootstrap over seeds, and over questions within them."""

import numpy as np

DRAWS = 2000
LEVEL = 0.95


def interval(samples: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mean(values: np.ndarray, seed: int = 0) -> dict:
    """The mean of `values[seed, question]`, with its interval.

    Seeds are drawn with replacement, and questions too, the same ones for every seed.
    """
    random = np.random.default_rng(seed)
    runs, questions = values.shape
    means = np.empty(DRAWS)
    for i in range(DRAWS):
        rows = random.integers(runs, size=runs)
        columns = random.integers(questions, size=questions)
        means[i] = values[rows][:, columns].mean()
    low, high = interval(means)
    return {"mean": float(values.mean()), "low": low, "high": high}


def difference(a: np.ndarray, b: np.ndarray, seed: int = 0) -> dict:
    """The mean of `a` less that of `b`, on the same questions; the seeds of each are drawn apart."""
    random = np.random.default_rng(seed)
    questions = a.shape[1]
    means = np.empty(DRAWS)
    for i in range(DRAWS):
        columns = random.integers(questions, size=questions)
        left = a[random.integers(len(a), size=len(a))][:, columns]
        right = b[random.integers(len(b), size=len(b))][:, columns]
        means[i] = left.mean() - right.mean()
    low, high = interval(means)
    return {"mean": float(a.mean() - b.mean()), "low": low, "high": high}
