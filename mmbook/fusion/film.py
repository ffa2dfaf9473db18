"""FiLM: one modality scales and shifts the features of the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


class FiLM(Fusion):
    """``(1 + gamma(c)) * W x + beta(c)``, where ``c`` is the conditioning modality and ``x`` the others.

    Source: Perez et al. 2018, "FiLM: Visual Reasoning with a General Conditioning Layer", section 3.1;
    predicting ``gamma - 1`` as the authors recommend in section 3.2.

    Args:
        condition: name of the conditioning modality.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, condition: str) -> None:
        super().__init__(dims, dim)
        if condition not in self.dims or len(self.dims) < 2:
            raise ValueError(f"condition={condition!r} must be one of at least two modalities: {', '.join(self.dims)}")
        self.condition = condition
        others = [size for name, size in self.dims.items() if name != condition]
        self.features = nn.Linear(sum(others), dim)
        self.modulation = nn.Linear(self.dims[condition], 2 * dim)

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        found = self.ordered(inputs)
        gamma, beta = self.modulation(found.pop(self.condition)).chunk(2, dim=-1)  # (batch, dim) each
        features = self.features(torch.cat(list(found.values()), dim=-1))  # (batch, dim)
        return (1 + gamma) * features + beta
