"""Bilinear fusion: every product of a number of one modality with a number of the other has a weight."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


class BilinearFusion(Fusion):
    """``z_k = x_1^T W_k x_2 + b_k`` for exactly two modalities: products alone, no term of one modality."""

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        super().__init__(dims, dim)
        if len(self.dims) != 2:
            raise ValueError(f"BilinearFusion multiplies two modalities, got {', '.join(self.dims)}")
        left, right = self.dims.values()
        # not nn.Bilinear, which torch.func.vmap can't stack
        self.weight = nn.Parameter(left**-0.5 * (2 * torch.rand(dim, left, right) - 1))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        left, right = self.ordered(inputs).values()
        return torch.einsum("bi,kij,bj->bk", left, self.weight, right) + self.bias  # (batch, dim)
