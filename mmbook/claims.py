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
    """What was claimed and what was found; ``found`` and ``asked`` say it in words, on every page the same.

    Attributes:
        effect, low, high: the mean and its 95 % interval; ``at_least``: the margin, all in the unit of the values.
        seeds: number of values behind the interval.
        unit: what the numbers count; ``"points"`` are hundredths (of accuracy, say).
        covers: what varies between the values, so what the interval covers.
        unwelcome: whether the sentence goes against what the page would like to say.
    """

    statement: str
    kind: Kind
    effect: float | None
    low: float | None
    high: float | None
    at_least: float | None
    seeds: int
    holds: bool
    found: str
    asked: str
    unit: str
    covers: str
    unwelcome: bool

    def row(self) -> str:
        """One line of plain text."""
        return f"{'holds' if self.holds else 'FAILS'}: {self.statement} | {self.numbers()}"

    def numbers(self) -> str:
        """What was found, what was asked, and what the interval covers."""
        covers = f" ({self.covers})" if self.covers else ""
        return f"found {self.found}{covers}; asked {self.asked}"


def claim(
    statement: str,
    differences: Sequence[float],
    *,
    at_least: float,
    unit: str = "",
    covers: str = "",
    test_to_train: float = 0.0,
    unwelcome: bool = False,
) -> Claim:
    """The mean paired difference is at least ``at_least``.

    Holds when the lower end of the 95 % Student's t interval is at least ``at_least``; with a margin below
    zero it says that one arm is not worse than the other by more than that (non-inferiority).

    Args:
        statement: the sentence, as the page says it.
        differences: one value per seed, this arm minus the other on the same split and seed.
        at_least: the margin, in the unit of the differences; what the effect *is*, not what a run gave.
        unit: what the differences count, e.g. ``"points"`` for shares that are shown in hundredths.
        covers: what varies between seeds, e.g. ``"data drawn anew"``.
        test_to_train: test items per training item where the seeds split one pool again and again; see
            ``mean_interval``.
        unwelcome: mark a sentence that goes against what the page would like to say.

    Raises:
        ClaimError: it does not hold. ValueError: fewer than three values.
    """
    found = _interval(differences, test_to_train)
    about = {"unit": unit, "covers": covers, "unwelcome": unwelcome}
    return _difference(statement, found, at_least, len(differences), about)


def claim_items(
    statement: str,
    a: Sequence[float],
    b: Sequence[float],
    *,
    at_least: float,
    unit: str = "",
    covers: str = "test items",
    unwelcome: bool = False,
) -> Claim:
    """Like ``claim``, over test items: one score per item and arm, paired bootstrap."""
    about = {"unit": unit, "covers": covers, "unwelcome": unwelcome}
    return _difference(statement, bootstrap_interval(a, b), at_least, len(a), about)


def claim_equivalence(
    statement: str,
    differences: Sequence[float],
    *,
    within: float,
    unit: str = "",
    covers: str = "",
    test_to_train: float = 0.0,
    unwelcome: bool = False,
) -> Claim:
    """There is no difference larger than ``within``: the whole 95 % interval lies in ±``within``."""
    found = _interval(differences, test_to_train)
    holds = -within <= found.low and found.high <= within
    about = {"unit": unit, "covers": covers, "unwelcome": unwelcome}
    words = (_found(found, len(differences), unit), f"within ±{_amount(within, unit, sign=False)}")
    return _settle(_made(statement, "equivalence", found, within, len(differences), holds, words, about))


def claim_exact(
    statement: str, left: Any, right: Any, *, tolerance: float = 0.0, unit: str = "", unwelcome: bool = False
) -> Claim:
    """Two computations give the same numbers, up to ``tolerance`` (largest absolute difference).

    Raises:
        ClaimError: they differ by more, are not finite, or have different shapes.
    """
    a, b = (np.asarray(v.detach() if isinstance(v, torch.Tensor) else v, dtype=np.float64) for v in (left, right))
    if a.shape != b.shape:
        raise ClaimError(f"FAILS: {statement} | shapes {a.shape} and {b.shape}")
    largest = float(np.abs(a - b).max(initial=0.0))
    asked = f"equal up to {tolerance:.2g}" if tolerance else "equal"
    words = (f"largest difference {largest:.2g}" if largest else "equal", asked)
    about = {"unit": unit, "covers": "", "unwelcome": unwelcome}
    return _settle(_made(statement, "exact", largest, tolerance, 1, largest <= tolerance, words, about))


def claim_order(
    statement: str,
    arms: Mapping[str, Sequence[float]],
    *,
    at_least: float = 0.0,
    unit: str = "",
    covers: str = "",
    test_to_train: float = 0.0,
    unwelcome: bool = False,
) -> Claim:
    """Each arm is better than the one before it, by ``at_least``, pair by pair over seeds.

    Args:
        arms: name -> one value per seed, in rising order; the step whose interval lies lowest is what gets reported.
    """
    steps = [_interval(np.subtract(high, low), test_to_train) for (_, low), (_, high) in pairwise(arms.items())]
    if not steps:
        raise ValueError("an ordering needs at least two arms")
    worst = min(steps, key=lambda s: s.low)
    count = len(next(iter(arms.values())))
    about = {"unit": unit, "covers": covers, "unwelcome": unwelcome}
    found = f"smallest step {_found(worst, count, unit)}"
    words = (found, f"each step {_margin(at_least, unit)}")
    return _settle(_made(statement, "order", worst, at_least, count, worst.low >= at_least, words, about))


def _interval(differences: Sequence[float] | np.ndarray, test_to_train: float) -> Interval:
    if len(differences) < 3:
        raise ValueError(f"a claim needs at least 3 paired values, got {len(differences)}")
    return mean_interval(differences, test_to_train=test_to_train)


def _difference(statement: str, found: Interval, at_least: float, count: int, about: dict[str, Any]) -> Claim:
    words = (_found(found, count, about["unit"]), _margin(at_least, about["unit"]))
    return _settle(_made(statement, "difference", found, at_least, count, found.low >= at_least, words, about))


def _made(
    statement: str,
    kind: Kind,
    found: Interval | float,
    margin: float,
    count: int,
    holds: bool,
    words: tuple[str, str],
    about: dict[str, Any],
) -> Claim:
    effect, low, high = (found.mean, found.low, found.high) if isinstance(found, Interval) else (found, None, None)
    return Claim(statement, kind, effect, low, high, margin, count, holds, *words, **about)


def _number(value: float, unit: str) -> str:
    """Hundredths for points, three significant digits otherwise, with a real minus sign."""
    text = f"{100 * value:.1f}" if unit == "points" else f"{value:.3g}"
    return text.replace("-", "−")


def _amount(value: float, unit: str, sign: bool = True) -> str:
    number = _number(value, unit)
    plus = "+" if sign and value >= 0 else ""
    return f"{plus}{number}{' ' + unit if unit else ''}"


def _found(found: Interval, count: int, unit: str) -> str:
    ends = f"{_number(found.low, unit)} to {_number(found.high, unit)}"
    return f"{_amount(found.mean, unit)}, 95 % interval {ends}, {count} values"


def _margin(at_least: float, unit: str) -> str:
    if at_least < 0:
        return f"at most {_amount(-at_least, unit, sign=False)} less"
    return f"at least {_amount(at_least, unit, sign=False)} more" if at_least else "not less"


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
