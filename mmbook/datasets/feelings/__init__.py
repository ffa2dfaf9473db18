"""How tweets with an emoji feel, by human labels. Source, licence and limits: the card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch

from mmbook.datasets.store import load_card, verified


@dataclass(frozen=True)
class Feelings:
    """One row an emoji, in the order of their code points.

    Attributes:
        codes: Unicode code points as hexadecimal, e.g. ``"2615"``, as ``Emoji.codes`` has them.
        counts: int64 (emoji, 3): occurrences in tweets that people labelled negative, neutral, positive.
        card: source, licence, limits.
    """

    codes: list[str]
    counts: torch.Tensor
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def score(self) -> torch.Tensor:
        """Share in positive minus share in negative tweets, float64 (emoji,), from -1 to 1."""
        return (self.counts[:, 2] - self.counts[:, 0]).double() / self.counts.sum(dim=1)


def load_feelings() -> Feelings:
    """Load every emoji with at least 20 occurrences in labelled tweets. Licence: CC BY-SA 4.0.

    Raises:
        DamagedDataError: the vendored file is missing or changed.
    """
    found = json.loads(verified("feelings/feelings.json").read_text(encoding="utf-8"))
    return Feelings(list(found), torch.tensor(list(found.values())), load_card("feelings"))
