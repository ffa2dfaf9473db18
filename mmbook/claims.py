"""Claims: sentences of the book in the form of tests.

A claim prints one row, leaves its record in the cell's output (where the build collects it) and
raises ``ClaimError`` with the numbers when it does not hold.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch

from mmbook.statistics import Interval, bootstrap_interval, mean_interval

MIME = "application/vnd.mmbook.claim+json"
Kind = Literal["difference", "equivalence", "exact", "order"]


class ClaimError(AssertionError):
    """A sentence of the book is not true of this run."""


@dataclass(frozen=True)
class Claim:
    """What was claimed and what was found; ``seeds`` counts the values behind the interval."""

    statement: str
    kind: Kind
    effect: float | None
    low: float | None
    high: float | None
    at_least: float | None
    seeds: int
    holds: bool

    def row(self) -> str:
        """One line of plain text."""
        return f"{'holds' if self.holds else 'FAILS'}: {self.statement} | {self.numbers()}"

    def numbers(self) -> str:
        """Effect, interval and what was asked of them."""
        if self.kind == "exact":
            return f"largest difference {self.effect:.2g}, allowed {self.at_least:.2g}"
        asked = f"within ±{self.at_least:.3g}" if self.kind == "equivalence" else f"at least {self.at_least:.3g}"
        unit = "values" if self.kind != "order" else "values each, smallest step"
        return (
            f"{self.effect:+.3f}, 95% interval [{self.low:+.3f}, {self.high:+.3f}], {self.seeds} {unit}, asked: {asked}"
        )


def claim(statement: str, differences: Sequence[float], *, at_least: float) -> Claim:
    """The mean paired difference is at least ``at_least``.

    Holds when the lower end of the 95 % Student's t interval is at least ``at_least``.

    Args:
        statement: the sentence, as the page says it.
        differences: one value per seed, this arm minus the other on the same split and seed.
        at_least: the margin, in the unit of the differences; what the effect *is*, not what a run gave.

    Raises:
        ClaimError: it does not hold. ValueError: fewer than three values.
    """
    return _difference(statement, _interval(differences), at_least, len(differences))


def claim_items(statement: str, a: Sequence[float], b: Sequence[float], *, at_least: float) -> Claim:
    """Like ``claim``, over test items: one score per item and arm, paired bootstrap."""
    return _difference(statement, bootstrap_interval(a, b), at_least, len(a))


def claim_equivalence(statement: str, differences: Sequence[float], *, within: float) -> Claim:
    """There is no difference larger than ``within``: the whole 95 % interval lies in ±``within``."""
    found = _interval(differences)
    holds = -within <= found.low and found.high <= within
    return _settle(Claim(statement, "equivalence", found.mean, found.low, found.high, within, len(differences), holds))


def claim_exact(statement: str, left: Any, right: Any, *, tolerance: float = 0.0) -> Claim:
    """Two computations give the same numbers, up to ``tolerance`` (largest absolute difference).

    Raises:
        ClaimError: they differ by more, are not finite, or have different shapes.
    """
    a, b = (np.asarray(v.detach() if isinstance(v, torch.Tensor) else v, dtype=np.float64) for v in (left, right))
    if a.shape != b.shape:
        raise ClaimError(f"FAILS: {statement} | shapes {a.shape} and {b.shape}")
    largest = float(np.abs(a - b).max(initial=0.0))
    return _settle(Claim(statement, "exact", largest, None, None, tolerance, 1, largest <= tolerance))


def claim_order(statement: str, arms: Mapping[str, Sequence[float]], *, at_least: float = 0.0) -> Claim:
    """Each arm is better than the one before it, by ``at_least``, pair by pair over seeds.

    Args:
        arms: name -> one value per seed, in rising order; the smallest step is what gets reported.
    """
    steps = [_interval(np.subtract(high, low)) for (_, low), (_, high) in pairwise(arms.items())]
    if not steps:
        raise ValueError("an ordering needs at least two arms")
    worst = min(steps, key=lambda s: s.low)
    count = len(next(iter(arms.values())))
    holds = worst.low >= at_least
    return _settle(Claim(statement, "order", worst.mean, worst.low, worst.high, at_least, count, holds))


def _interval(differences: Sequence[float]) -> Interval:
    if len(differences) < 3:
        raise ValueError(f"a claim needs at least 3 paired values, got {len(differences)}")
    return mean_interval(differences)


def _difference(statement: str, found: Interval, at_least: float, count: int) -> Claim:
    holds = found.low >= at_least
    return _settle(Claim(statement, "difference", found.mean, found.low, found.high, at_least, count, holds))


def _settle(made: Claim) -> Claim:
    if not made.statement.strip():
        raise ValueError("a claim needs a statement")
    _publish(made)
    if not made.holds:
        raise ClaimError(made.row())
    return made


def _publish(made: Claim) -> None:
    """Show the row; in a notebook the record goes along for the build."""
    try:
        from IPython import get_ipython
    except ImportError:  # plain Python
        get_ipython = lambda: None  # noqa: E731
    if get_ipython() is None:
        print(made.row())
        return
    from IPython.display import publish_display_data

    word = "Claim holds" if made.holds else "Claim FAILS"
    row = (
        f'<div class="mm-claim" data-holds="{str(made.holds).lower()}"><strong>{word}.</strong> '
        f"{html.escape(made.statement)} <small>{html.escape(made.numbers())}</small></div>"
    )
    publish_display_data({MIME: asdict(made), "text/html": row, "text/plain": made.row()})
