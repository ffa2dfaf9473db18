"""A whole model: an encoder for each modality, one fusion operator, one head."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from mmbook.fusion.base import Fusion

MASK = "_mask"


class FusionModel(nn.Module):
    """``head(fusion({name: encoders[name](x)}))``, called with tensors by name: ``model(text=..., image=...)``.

    Args:
        encoders: name -> module, (batch, ...) -> what the fusion takes; ``nn.Identity()`` for ready features.
        fusion: the operator. head: (batch, fusion.dim) -> logits or values.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], fusion: Fusion, head: nn.Module) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(dict(sorted(encoders.items())))
        self.fusion = fusion
        self.head = head

    def forward(self, **tensors: torch.Tensor) -> torch.Tensor:
        """Modalities by name, and masks as ``text_mask=...``, (batch, tokens), True where there is a token.

        Raises:
            KeyError: a modality without an encoder, or a mask without its modality.
        """
        masks = {name.removesuffix(MASK): x for name, x in tensors.items() if name.endswith(MASK)}
        inputs = {name: x for name, x in tensors.items() if not name.endswith(MASK)}
        for name in sorted(inputs):
            if name not in self.encoders:
                raise KeyError(f"unknown modality: {name}; the model was built for {', '.join(self.encoders)}")
        if extra := sorted(set(masks) - set(inputs)):
            raise KeyError(f"a mask without its modality: {', '.join(extra)}")
        features = {name: self.encoders[name](x) for name, x in inputs.items()}
        fused = self.fusion(features, masks) if masks else self.fusion(features)  # (batch, fusion.dim)
        return self.head(fused)
