"""Seeds and intervals: how sure a measured difference is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean with the two ends of its confidence interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def base_seed() -> int:
    """The number in the environment variable ``MMBOOK_SEED`` (default 0), which moves every seed.

    Raises:
        ValueError: the variable is not an integer of at least 0.
    """
    text = os.environ.get("MMBOOK_SEED", "0")
    if not text.strip().isdecimal():
        raise ValueError(f"MMBOOK_SEED={text!r} is not an integer of at least 0; unset it or give it a number")
    return int(text)


def seeds(count: int = 5) -> list[int]:
    """``count`` different seeds, the same ones on every machine for the same ``MMBOOK_SEED``."""
    drawn = np.random.SeedSequence(base_seed()).generate_state(count, dtype=np.uint32)
    return [int(s) for s in drawn >> 1]  # 31 bits: accepted by every library


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student's t interval of the mean, for a handful of values such as one per seed.

    Args:
        values: at least two independent values (paired differences, usually).
        confidence: coverage wanted, 0 to 1.

    Raises:
        ValueError: fewer than two values, or values that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"an interval needs at least two values, got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"an interval needs finite values, got {array.tolist()}")
    half = stats.t.ppf(0.5 + confidence / 2, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array))
    return Interval(float(array.mean()), float(array.mean() - half), float(array.mean() + half))


def bootstrap_interval(
    a: Sequence[float],
    b: Sequence[float],
    statistic: Callable[[np.ndarray], np.ndarray] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Paired percentile bootstrap of ``statistic(a) - statistic(b)`` over test items.

    The items are resampled together, so that an item that is easy for both arms cancels out
    (Efron and Tibshirani 1993, chapters 6 and 13). Meant for about 50 items or more.

    Args:
        a, b: one score per test item for each arm (1 right, 0 wrong for accuracy), in the same order.
        statistic: maps scores (resamples, items) to (resamples,); the mean over items by default.

    Raises:
        ValueError: the arms have different lengths or fewer than two items.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1 or len(left) < 2:
        raise ValueError(f"paired arms need the same items, at least two: got shapes {left.shape} and {right.shape}")
    measure = statistic or (lambda scores: scores.mean(axis=-1))
    rows = np.random.default_rng(seed).integers(0, len(left), size=(resamples, len(left)))
    differences = measure(left[rows]) - measure(right[rows])
    low, high = np.quantile(differences, [0.5 - confidence / 2, 0.5 + confidence / 2])
    observed = measure(left[None])[0] - measure(right[None])[0]
    return Interval(float(observed), float(low), float(high))
