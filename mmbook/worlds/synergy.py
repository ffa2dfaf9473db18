"""Two views of a binary label whose shares of information are dials: redundant, unique to one view, synergy.

Synthetic because no real data set tells how much of each it holds. A view is a vector that shows one symbol of a small
alphabet as a fixed random direction plus noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card
from mmbook.worlds.symbols import read_symbols, show_symbols

BLANK = 4  # symbols: 0, 1 say the label; 2, 3 are a bit of a code; 4 says nothing
ALPHABET = BLANK + 1


@dataclass(frozen=True)
class World:
    """Bits about a fair binary label, by the way in which items tell it; the rest is unknowable.

    redundant: both views say the label. unique_a, unique_b: one view says it, the other is blank. synergy: ``a``
    shows a random bit and ``b`` that bit XOR the label, so that each alone is independent of the label. Otherwise both
    are blank. Since a view shows which way it is, the shares are the mutual informations in bits:
    I(y; a) = redundant + unique_a, I(y; a, b) = the sum of all four. A decomposition computed from the joint
    distribution (Williams and Beer 2010) may name the bits otherwise where both views have unique ones.

    Attributes:
        dim: length of each view. noise: standard deviation of what is added to each coordinate.
        directions: which directions the symbols have.

    Raises:
        ValueError: shares below 0, or above 1 in sum.
    """

    redundant: float = 0.0
    unique_a: float = 0.0
    unique_b: float = 0.0
    synergy: float = 0.0
    dim: int = 16
    noise: float = 0.15
    directions: int = 0

    def __post_init__(self) -> None:
        if min(self.shares) < 0 or sum(self.shares) > 1 + 1e-9:
            raise ValueError(f"the four shares must be at least 0 and sum to at most 1, got {self.shares}")

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Redundant, unique to a, unique to b, synergy."""
        return self.redundant, self.unique_a, self.unique_b, self.synergy

    def sample(self, count: int, seed: int) -> Dataset:
        """Items of this world.

        Returns:
            modalities ``a`` and ``b``, float32 (count, dim); target (count,) int64 of 0 and 1; the
            symbols in ``extra["symbols"]``, int64 (count, 2).
        """
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(2, (count,), generator=generator)
        bit = torch.randint(2, (count,), generator=generator)
        ends = torch.tensor(self.shares).cumsum(0)
        way = torch.bucketize(torch.rand(count, generator=generator), ends, right=True)
        blank = torch.full_like(label, BLANK)
        a = torch.stack([label, label, blank, 2 + bit, blank])
        b = torch.stack([label, blank, label, 2 + (bit ^ label), blank])
        items = torch.arange(count)
        symbols = torch.stack([a[way, items], b[way, items]], dim=1)
        return Dataset(
            "synergy",
            show_symbols(symbols, ALPHABET, self.dim, self.noise, self.directions, generator),
            label,
            split_items(count, seed),
            load_card("synergy"),
            extra={"symbols": symbols},
        )

    def oracle(self, data: Dataset, seen: str) -> torch.Tensor:
        """The best possible prediction (items,) from ``"a"``, ``"b"`` or ``"both"``: reads the symbols, reasons."""
        read = read_symbols(data, ALPHABET, self.directions)  # (items, 2)
        guess = torch.zeros(len(data), dtype=torch.long)
        for column in {"a": (0,), "b": (1,), "both": (0, 1)}[seen]:
            guess = torch.where(read[:, column] < 2, read[:, column], guess)
        if seen == "both":
            coded = (read >= 2) & (read < BLANK)
            guess = torch.where(coded.all(dim=1), read[:, 0] ^ read[:, 1], guess)
        return guess

    def ceiling(self, seen: str) -> float:
        """Best possible accuracy from ``"a"``, ``"b"`` or ``"both"``."""
        shares = {
            "a": self.redundant + self.unique_a,
            "b": self.redundant + self.unique_b,
            "both": sum(self.shares),
        }
        return shares[seen] + (1 - shares[seen]) / 2


def xor(dim: int = 16, noise: float = 0.15, directions: int = 0) -> World:
    """Pure synergy: one bit in each view, the label is their XOR. Each view alone is at chance."""
    return World(synergy=1.0, dim=dim, noise=noise, directions=directions)
