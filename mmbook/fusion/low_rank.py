"""Low-rank fusion: tensor fusion without ever building the tensor."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion
from mmbook.fusion.tensor import TensorFusion, append_one


class LowRankFusion(Fusion):
    """``z = sum_r prod_m F_m^r [x_m; 1] + b``: a weight tensor of the given rank, kept as its factors.

    Source: Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors",
    section 3.2 (equation 8), with the weights of the ranks taken into the factors.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, rank: int = 4) -> None:
        super().__init__(dims, dim)
        if rank < 1:
            raise ValueError(f"rank must be at least 1, got {rank}")
        shapes = {name: (rank, size + 1, dim) for name, size in self.dims.items()}
        scale = {name: (size + 1) ** -0.5 for name, size in self.dims.items()}
        self.factors = nn.ParameterDict({name: scale[name] * torch.randn(shapes[name]) for name in self.dims})
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """name -> (batch, dims[name]); returns (batch, dim)."""
        product = torch.ones(())
        for name, x in self.ordered(inputs).items():
            product = product.to(x) * torch.einsum("bd,rdk->brk", append_one(x), self.factors[name])
        return product.sum(dim=1) + self.bias  # (batch, rank, dim) -> (batch, dim)


def from_tensor_fusion(fusion: TensorFusion) -> LowRankFusion:
    """The low-rank form of a tensor fusion of two modalities, at full rank and so exactly the same function.

    Each output's weight matrix is split by its singular value decomposition; full rank is the smaller
    of the two ``dims + 1``.

    Raises:
        ValueError: not two modalities.
    """
    if len(fusion.dims) != 2:
        raise ValueError(f"the decomposition is of matrices: two modalities, got {', '.join(fusion.dims)}")
    (left, rows), (right, columns) = ((name, size + 1) for name, size in fusion.dims.items())
    made = LowRankFusion(fusion.dims, fusion.dim, rank=min(rows, columns)).to(fusion.weight.weight)
    with torch.no_grad():
        u, s, vh = torch.linalg.svd(fusion.weight.weight.reshape(fusion.dim, rows, columns), full_matrices=False)
        made.factors[left].copy_((u * s.unsqueeze(1)).permute(2, 1, 0))  # (rank, rows, dim)
        made.factors[right].copy_(vh.permute(1, 2, 0))  # (rank, columns, dim)
        made.bias.copy_(fusion.weight.bias)
    return made
