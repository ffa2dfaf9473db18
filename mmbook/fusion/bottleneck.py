"""Bottleneck fusion: modalities exchange information through a few shared tokens only."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion


def encoder_layer(dim: int, heads: int) -> nn.TransformerEncoderLayer:
    """One pre-norm transformer layer without dropout."""
    return nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)


class BottleneckFusion(Fusion):
    """In each layer every modality sees its own tokens and the bottleneck; the bottlenecks are averaged.

    Inputs are sequences: name -> (batch, tokens, dims[name]). Any modality may be missing.

    Source: Nagrani et al. 2021, "Attention Bottlenecks for Multimodal Fusion", section 3.2 (equations 8, 9).

    Args:
        bottleneck: number of shared tokens.
    """

    def __init__(self, dims: Mapping[str, int], dim: int, bottleneck: int = 4, layers: int = 2, heads: int = 4) -> None:
        super().__init__(dims, dim)
        self.optional = frozenset(self.dims)
        self.bottleneck = nn.Parameter(0.02 * torch.randn(bottleneck, dim))
        self.project = nn.ModuleDict({name: nn.Linear(size, dim) for name, size in self.dims.items()})
        self.layers = nn.ModuleList(
            nn.ModuleDict({name: encoder_layer(dim, heads) for name in self.dims}) for _ in range(layers)
        )

    def forward(
        self, inputs: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """name -> (batch, tokens, dims[name]); masks: name -> (batch, tokens), True where there is a token.

        Returns (batch, dim), the mean of the bottleneck's tokens.
        """
        tokens = {name: self.project[name](x) for name, x in self.ordered(inputs).items()}
        batch, width = len(next(iter(tokens.values()))), len(self.bottleneck)
        shared = self.bottleneck.expand(batch, -1, -1)  # (batch, bottleneck, dim)
        # nobody looks at padding: (batch, bottleneck + tokens), True where there is none
        padding = {name: nn.functional.pad(~mask, (width, 0)) for name, mask in (masks or {}).items()}
        for layer in self.layers:
            assert isinstance(layer, nn.ModuleDict)
            seen = []
            for name, own in tokens.items():
                joined = torch.cat([shared, own], dim=1)  # (batch, bottleneck + tokens, dim)
                together = layer[name](joined, src_key_padding_mask=padding.get(name))
                seen.append(together[:, :width])
                tokens[name] = together[:, width:]
            shared = torch.stack(seen).mean(dim=0)
        return shared.mean(dim=1)  # (batch, dim)
