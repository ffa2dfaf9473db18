"""Synthetic pairs of modalities whose shared, unique and synergistic information is known exactly.

Synthetic because no real data set tells how much of each it holds. Two views ``a`` and ``b`` are
vectors: each shows one symbol of a small alphabet as a fixed random direction plus noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card

BLANK = 4  # symbols: 0, 1 say the label; 2, 3 are a bit of a code; 4 says nothing


@dataclass(frozen=True)
class Information:
    """Bits about a fair binary label, by the way in which items tell it; the rest is unknowable.

    A decomposition computed from the joint distribution (Williams and Beer 2010) may name the bits otherwise
    where both views have unique ones.
    """

    redundant: float = 0.0
    unique_a: float = 0.0
    unique_b: float = 0.0
    synergy: float = 0.0

    def __post_init__(self) -> None:
        parts = (self.redundant, self.unique_a, self.unique_b, self.synergy)
        if min(parts) < 0 or sum(parts) > 1 + 1e-9:
            raise ValueError(f"the four shares must be at least 0 and sum to at most 1, got {parts}")

    def ceiling(self, modality: str) -> float:
        """Best possible accuracy from ``"a"``, ``"b"`` or ``"both"``."""
        known = {
            "a": self.redundant + self.unique_a,
            "b": self.redundant + self.unique_b,
            "both": self.redundant + self.unique_a + self.unique_b + self.synergy,
        }[modality]
        return known + (1 - known) / 2


def synergy(
    count: int, seed: int, information: Information, *, dim: int = 16, noise: float = 0.15, world: int = 0
) -> Dataset:
    """Binary label; each item carries its information in one of five ways, with the given shares.

    redundant: both views say the label. unique: one view says it, the other is blank. synergy: ``a``
    shows a random bit and ``b`` that bit XOR the label, so that each alone is independent of the label.
    Otherwise both are blank. Since a view shows which way it is, the shares are the mutual
    informations in bits: I(y; a) = redundant + unique_a, I(y; a, b) = the sum of all four.

    Args:
        count: items. seed: which items. world: which directions the symbols have.
        dim: length of each view. noise: standard deviation of what is added to each coordinate.

    Returns:
        modalities ``a`` and ``b``, float32 (count, dim); target (count,) int64 of 0 and 1; the
        symbols in ``extra["symbols"]``, int64 (count, 2).
    """
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(2, (count,), generator=generator)
    bit = torch.randint(2, (count,), generator=generator)
    shares = torch.tensor([information.redundant, information.unique_a, information.unique_b, information.synergy])
    way = torch.bucketize(torch.rand(count, generator=generator), shares.cumsum(0), right=True)
    blank = torch.full_like(label, BLANK)
    a = torch.stack([label, label, blank, 2 + bit, blank])
    b = torch.stack([label, blank, label, 2 + (bit ^ label), blank])
    items = torch.arange(count)
    symbols = torch.stack([a[way, items], b[way, items]], dim=1)
    return _dataset("synergy", symbols, label, seed, BLANK + 1, dim, noise, world, generator)


def xor(count: int, seed: int, **options: float) -> Dataset:
    """Pure synergy: one bit in each view, the label is their XOR. Each view alone is at chance."""
    return synergy(count, seed, Information(synergy=1.0), **options)  # type: ignore[arg-type]


def noisy_views(
    count: int,
    seed: int,
    *,
    classes: int = 6,
    informative: float = 0.7,
    dim: int = 16,
    noise: float = 0.15,
    world: int = 0,
) -> Dataset:
    """Each view shows the class with probability ``informative``, independently, and else is blank.

    With the defaults one view allows an accuracy of 0.75, both allow 0.925 (``noisy_views_ceilings``).

    Returns:
        as ``synergy``, with target in 0 .. classes - 1.
    """
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (count,), generator=generator)
    shown = torch.rand(count, 2, generator=generator) < informative
    symbols = torch.where(shown, label[:, None], classes)
    return _dataset("noisy_views", symbols, label, seed, classes + 1, dim, noise, world, generator)


def noisy_views_ceilings(classes: int = 6, informative: float = 0.7) -> tuple[float, float]:
    """Best possible accuracy of one view and of both."""
    one = informative + (1 - informative) / classes
    both = 1 - (1 - informative) ** 2 * (1 - 1 / classes)
    return one, both


def directions(symbols: int, dim: int, world: int) -> torch.Tensor:
    """(2, symbols, dim): for each view orthogonal unit vectors, scaled to length sqrt(dim) / 2.

    Raises:
        ValueError: more symbols than dimensions.
    """
    if symbols > dim:
        raise ValueError(f"{symbols} symbols need dim of at least {symbols}, got {dim}")
    generator = torch.Generator().manual_seed(world)
    basis = torch.linalg.qr(torch.randn(2, dim, dim, generator=generator)).Q
    return basis[:, :symbols] * math.sqrt(dim) / 2


def _dataset(
    name: str,
    symbols: torch.Tensor,
    label: torch.Tensor,
    seed: int,
    alphabet: int,
    dim: int,
    noise: float,
    world: int,
    generator: torch.Generator,
) -> Dataset:
    means = directions(alphabet, dim, world)
    views = [
        means[view][symbols[:, view]] + noise * torch.randn(len(label), dim, generator=generator) for view in (0, 1)
    ]
    return Dataset(
        name,
        {"a": views[0], "b": views[1]},
        label,
        split_items(len(label), seed),
        load_card("synergy"),
        extra={"symbols": symbols},
    )


def oracle(data: Dataset, modality: str, alphabet: int, *, world: int = 0) -> torch.Tensor:
    """The best possible prediction (items,): reads the symbols back, then reasons as the generator does.

    Args:
        modality: ``"a"``, ``"b"`` or ``"both"``. alphabet: number of symbols of the generator.
    """
    dim = data.modalities["a"].shape[1]
    means = directions(alphabet, dim, world)
    read = torch.stack([torch.cdist(data.modalities[v], means[i]).argmin(1) for i, v in enumerate("ab")], dim=1)
    blank = alphabet - 1
    columns = {"a": (0,), "b": (1,), "both": (0, 1)}[modality]
    guess = torch.zeros(len(data), dtype=torch.long)
    for column in columns:
        symbol = read[:, column]
        says = symbol < (2 if data.name == "synergy" else blank)
        guess = torch.where(says, symbol, guess)
    if data.name == "synergy" and modality == "both":
        coded = (read >= 2) & (read < blank)
        guess = torch.where(coded.all(dim=1), read[:, 0] ^ read[:, 1], guess)
    return guess
