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


def mean_interval(
    values: Sequence[float] | np.ndarray, confidence: float = 0.95, *, test_to_train: float = 0.0
) -> Interval:
    """Student's t interval of the mean, for a handful of values such as one per seed.

    Values from splits of one pool are not independent: the training sets overlap, and the plain interval is too
    narrow. With ``test_to_train`` the variance of the mean is ``s^2 (1 / n + n_test / n_train)``.

    Source: Nadeau and Bengio 2003, "Inference for the Generalization Error", section 3 (equation 9).

    Args:
        values: at least two values (paired differences, usually).
        confidence: coverage wanted, 0 to 1.
        test_to_train: test items per training item, where each value comes from another random split of one pool;
            0 where the data are drawn anew for each value.

    Raises:
        ValueError: fewer than two values, values that are not finite, or a ratio below 0.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"an interval needs at least two values, got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"an interval needs finite values, got {array.tolist()}")
    if test_to_train < 0:
        raise ValueError(f"test_to_train={test_to_train} must be at least 0")
    mean, scale = array.mean(), array.std(ddof=1) * np.sqrt(1 / len(array) + test_to_train)
    low, high = stats.t.interval(confidence, len(array) - 1, mean, scale) if scale else (mean, mean)
    return Interval(float(mean), float(low), float(high))


def bootstrap_interval(
    a: Sequence[float],
    b: Sequence[float],
    statistic: Callable[..., np.ndarray] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Paired percentile bootstrap of ``statistic(a) - statistic(b)`` over test items.

    The items are resampled together, so that an item that is easy for both arms cancels out
    (Efron and Tibshirani 1993, chapters 6 and 13). Meant for about 50 items or more.

    Args:
        a, b: one score per test item for each arm (1 right, 0 wrong for accuracy), in the same order.
        statistic: ``statistic(scores, axis=-1)`` over items; the mean by default.

    Raises:
        ValueError: the arms have different lengths or fewer than two items.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1 or len(left) < 2:
        raise ValueError(f"paired arms need the same items, at least two: got shapes {left.shape} and {right.shape}")
    measure = statistic or np.mean

    def difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return measure(x, axis=axis) - measure(y, axis=axis)

    observed = float(difference(left, right))
    if np.array_equal(left, right):
        return Interval(observed, observed, observed)
    rng = np.random.default_rng(seed)
    drawn = stats.bootstrap(
        (left, right),
        difference,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=rng,
    )
    return Interval(observed, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))
