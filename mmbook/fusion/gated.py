"""Gated multimodal unit: the inputs decide how much each modality counts, number by number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


class GatedFusion(Fusion):
    """``sum_m sigmoid(V_m [x_1; ...; x_M]) * tanh(W_m x_m)``.

    Source: Arevalo et al. 2017, "Gated Multimodal Units for Information Fusion", section 3.1, the form
    for any number of modalities.
    """

    def __init__(self, dims: Mapping[str, int], dim: int) -> None:
        super().__init__(dims, dim)
        total = sum(self.dims.values())
        self.values = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in self.dims.items()})
        self.gates = nn.ModuleDict({name: nn.Linear(total, dim) for name in self.dims})

    def weights(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """How far each gate is open, 0 to 1: name -> (batch, dim)."""
        joined = torch.cat(list(self.ordered(inputs).values()), dim=-1)  # (batch, sum of dims)
        return {name: torch.sigmoid(self.gates[name](joined)) for name in self.dims}

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        gates = self.weights(inputs)
        parts = [gates[name] * torch.tanh(self.values[name](x)) for name, x in self.ordered(inputs).items()]
        return torch.stack(parts).sum(dim=0)
