"""Two views that each show the class, independently, or nothing: complementary by chance.

Synthetic because only then are the best possible accuracies known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.symbols import read_symbols, show_symbols


@dataclass(frozen=True)
class World:
    """Each view shows the class with probability ``informative``, independently, and else is blank.

    With the defaults one view allows an accuracy of 0.75, both allow 0.925.

    Attributes:
        dim: length of each view. noise: standard deviation of what is added to each coordinate.
        directions: which directions the symbols have.
    """

    classes: int = 6
    informative: float = 0.7
    dim: int = 16
    noise: float = 0.15
    directions: int = 0

    def sample(self, count: int, seed: int) -> Dataset:
        """Items of this world.

        Returns:
            modalities ``a`` and ``b``, float32 (count, dim); target (count,) int64 in 0 .. classes - 1; the
            symbols in ``extra["symbols"]``, int64 (count, 2), where ``classes`` is blank.
        """
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(self.classes, (count,), generator=generator)
        shown = torch.rand(count, 2, generator=generator) < self.informative
        symbols = torch.where(shown, label[:, None], self.classes)
        return Dataset(
            "noisy_views",
            show_symbols(symbols, self.classes + 1, self.dim, self.noise, self.directions, generator),
            label,
            split_items(count, seed),
            load_card("noisy_views"),
            extra={"symbols": symbols},
        )

    def oracle(self, data: Dataset, seen: str) -> torch.Tensor:
        """The best possible prediction (items,) from ``"a"``, ``"b"`` or ``"both"``."""
        read = read_symbols(data, self.classes + 1, self.directions)
        guess = torch.zeros(len(data), dtype=torch.long)
        for column in {"a": (0,), "b": (1,), "both": (0, 1)}[seen]:
            guess = torch.where(read[:, column] < self.classes, read[:, column], guess)
        return guess

    def ceiling(self, seen: str) -> float:
        """Best possible accuracy from ``"a"``, ``"b"`` or ``"both"``."""
        unknown = (1 - self.informative) ** {"a": 1, "b": 1, "both": 2}[seen]
        return 1 - unknown * (1 - 1 / self.classes)
