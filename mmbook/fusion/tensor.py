"""Tensor fusion: the outer product of all modalities, each with a 1 appended."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


def append_one(x: torch.Tensor) -> torch.Tensor:
    """(batch, d) -> (batch, d + 1): the last number of each item is 1."""
    return torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)


class TensorFusion(Fusion):
    """A linear map of the outer product ``[x_1; 1] x ... x [x_M; 1]``.

    With the appended 1 the product holds every unimodal, bimodal, ... term. Its size is the product of
    all ``dims + 1``: project wide modalities first.

    Source: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis", section 4.2.
    """

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        super().__init__(dims, dim)
        self.weight = nn.Linear(math.prod(size + 1 for size in self.dims.values()), dim)

    def outer(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The outer product, (batch, dims of the first + 1, dims of the second + 1, ...)."""
        first, *others = [append_one(x) for x in self.ordered(inputs).values()]
        for x in others:
            first = first.unsqueeze(-1) * x.reshape(len(x), *[1] * (first.dim() - 1), -1)
        return first

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        return self.weight(self.outer(inputs).flatten(start_dim=1))  # (batch, dim)
