"""What every data set of the course is: named tensors, labels, a leak-free split and a card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Aligned tensors: position ``i`` is one item in every modality and in the target.

    Attributes:
        name: short name, the same as the card's.
        modalities: name -> tensor (items, ...).
        target: (items,) class indices (int64) or real values (float32).
        split: ``train``, ``validation``, ``test`` -> indices of items (int64), disjoint.
        card: source, licence, how it was made, limits.
        unit: (items,) int64: what must not stand on two sides of the split (speaker, garment, ...).
        extra: further aligned information, e.g. texts as a list of strings.
    """

    name: str
    modalities: dict[str, torch.Tensor]
    target: torch.Tensor
    split: dict[str, torch.Tensor]
    card: dict[str, Any]
    unit: torch.Tensor | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {k: len(v) for k, v in self.modalities.items()} | {"target": len(self.target)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"{self.name}: modalities are not aligned: {lengths}")
        used = torch.cat([self.split[part] for part in PARTS])
        if len(used.unique()) != len(used):
            raise ValueError(f"{self.name}: an item stands in two parts of the split")
        if self.unit is not None:
            units = [set(self.unit[self.split[part]].tolist()) for part in PARTS]
            if units[0] & units[1] or units[0] & units[2] or units[1] & units[2]:
                raise ValueError(f"{self.name}: a unit stands in two parts of the split")

    def __len__(self) -> int:
        return len(self.target)

    def part(self, name: str) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Inputs and target of one part, as ``mmbook.training.fit`` takes them.

        Raises:
            KeyError: no such part.
        """
        if name not in self.split:
            raise KeyError(f"{self.name}: no part {name!r}; there are {', '.join(self.split)}")
        rows = self.split[name]
        return {k: v[rows] for k, v in self.modalities.items()}, self.target[rows]


def split_items(count: int, seed: int, shares: tuple[float, float] = (0.6, 0.2)) -> dict[str, torch.Tensor]:
    """A random split of independent items; the rest after train and validation is the test part."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    first, second = (round(count * s) for s in (shares[0], sum(shares)))
    return dict(zip(PARTS, (order[:first], order[first:second], order[second:]), strict=True))


def split_units(unit: torch.Tensor, seed: int, shares: tuple[float, float] = (0.6, 0.2)) -> dict[str, torch.Tensor]:
    """A split that keeps all items of a unit on one side; shares are of units, not of items."""
    names = unit.unique()
    parts = split_items(len(names), seed, shares)
    return {part: torch.isin(unit, names[rows]).nonzero().flatten() for part, rows in parts.items()}
