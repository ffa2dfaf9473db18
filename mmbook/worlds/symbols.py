"""Symbols shown as vectors: what the worlds of two views have in common."""

from __future__ import annotations

import math

import torch

from mmbook.datasets.base import Dataset


def directions(symbols: int, dim: int, seed: int) -> torch.Tensor:
    """(2, symbols, dim): for each view orthogonal vectors of length sqrt(dim) / 2.

    Raises:
        ValueError: more symbols than dimensions.
    """
    if symbols > dim:
        raise ValueError(f"{symbols} symbols need dim of at least {symbols}, got {dim}")
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(2, dim, dim, generator=generator)).Q
    return basis[:, :symbols] * math.sqrt(dim) / 2


def show_symbols(
    symbols: torch.Tensor, alphabet: int, dim: int, noise: float, seed: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Symbols (items, 2) as modalities ``a`` and ``b``, float32 (items, dim) each; ``seed`` decides the directions."""
    means = directions(alphabet, dim, seed)
    views = [means[i][symbols[:, i]] + noise * torch.randn(len(symbols), dim, generator=generator) for i in (0, 1)]
    return {"a": views[0], "b": views[1]}


def read_symbols(data: Dataset, alphabet: int, seed: int) -> torch.Tensor:
    """The nearest symbol of each view: int64 (items, 2)."""
    means = directions(alphabet, data.modalities["a"].shape[1], seed)
    return torch.stack([torch.cdist(data.modalities[v], means[i]).argmin(1) for i, v in enumerate("ab")], dim=1)
