"""Concatenation: the joint layer of early fusion."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


class Concatenation(Fusion):
    """``relu(W [x_1; ...; x_M] + b)``: a sum of one linear map per modality, mixed by the ReLU alone."""

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        super().__init__(dims, dim)
        self.joint = nn.Linear(sum(self.dims.values()), dim)

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        joined = torch.cat(list(self.ordered(inputs).values()), dim=-1)  # (batch, sum of dims)
        return torch.relu(self.joint(joined))  # (batch, dim)
