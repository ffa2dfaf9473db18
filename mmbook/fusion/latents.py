"""Latent array: a fixed number of learned queries reads any number of tokens of any modality."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.attention import MultiHeadAttention
from mmbook.fusion.base import Fusion
from mmbook.fusion.bottleneck import encoder_layer


class LatentFusion(Fusion):
    """Learned latents attend to the tokens of all modalities, then to each other; their mean is returned.

    Without position features in the tokens their order makes no difference.
    Inputs are sequences: name -> (batch, tokens, dims[name]). Any modality may be missing.

    Source: Jaegle et al. 2021, "Perceiver: General Perception with Iterative Attention", section 3.

    Args:
        latents: number of queries. layers: how often they read the tokens.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, latents: int = 8, layers: int = 2, heads: int = 4) -> None:
        super().__init__(dims, dim)
        self.optional = frozenset(self.dims)
        self.latents = nn.Parameter(0.02 * torch.randn(latents, dim))
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in self.dims.items()})
        self.kind = nn.ParameterDict({name: 0.02 * torch.randn(dim) for name in self.dims})  # which modality it is
        self.token_norm = nn.LayerNorm(dim)
        self.latent_norm = nn.ModuleList(nn.LayerNorm(dim) for _ in range(layers))
        self.read = nn.ModuleList(MultiHeadAttention(dim, dim, dim, heads) for _ in range(layers))
        self.think = nn.ModuleList(encoder_layer(dim, heads) for _ in range(layers))

    def forward(
        self, inputs: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """name -> (batch, tokens, dims[name]); masks: name -> (batch, tokens), True where there is a token.

        Returns (batch, dim).
        """
        found = self.ordered(inputs)
        tokens = [self.project[name](x) + self.kind[name] for name, x in found.items()]
        context = self.token_norm(torch.cat(tokens, dim=1))  # (batch, all tokens, dim)
        mask = joined_mask(found, masks) if masks else None
        latents = self.latents.expand(len(context), -1, -1)  # (batch, latents, dim)
        for norm, read, think in zip(self.latent_norm, self.read, self.think, strict=True):
            latents = think(latents + read(norm(latents), context, mask)[0])
        return latents.mean(dim=1)  # (batch, dim)


def joined_mask(inputs: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Masks of all modalities in a row, (batch, all tokens); a modality without one has real tokens only."""
    whole = [
        x.new_ones(x.shape[:2], dtype=torch.bool) if name not in masks else masks[name] for name, x in inputs.items()
    ]
    return torch.cat(whole, dim=1)
