"""Heads that put pictures and texts into one space, fitted in closed form on drawings and their captions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from mmbook.encoders.image_depths import DepthEncoder, colours
from mmbook.encoders.text import TextEncoder
from mmbook.models.store import load_weights

NAME = "clip_heads"
DIM = 384  # MiniLM's space
SIDE = 160  # pixels, to which pictures are scaled
FARTHEST = 5.0  # standard deviations; what is further away is set back to it


class ClipHeads:
    """A linear map from frozen picture features into MiniLM's space of sentences: cosines compare pictures and texts.

    Features are those of ``DepthEncoder`` (five depths and the output of EfficientNet-lite0) and a histogram of
    colours, 3,968 numbers, standardised. The map is ridge regression from a drawing to the embedding of its caption,
    of which the mean caption is taken away (*CLIP from scratch* shows why this is a strong opponent of two trained
    towers). Results are unit vectors, so that an inner product is a cosine (Radford et al. 2021, section 2.3).

    Args:
        weights: ``map`` (3968, 384), ``mean`` and ``spread`` (3968,) of the training features, ``middle`` (384,), the
            mean caption.
    """

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        self.weights = weights

    def image(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures, uint8 (n, 3, H, W) -> unit vectors (n, 384); features are cached on disk."""
        return self.place(features(images))

    def place(self, found: torch.Tensor, centre: torch.Tensor | None = None) -> torch.Tensor:
        """What ``features`` gave, (n, 3968) -> unit vectors (n, 384).

        Args:
            found: features of pictures.
            centre: (3968,), what is taken away instead of the training mean: with the mean of a collection in
                another style, its common difference from drawings goes.
        """
        z = (found - (self.weights["mean"] if centre is None else centre)) / self.weights["spread"]
        return functional.normalize(z.clamp(-FARTHEST, FARTHEST) @ self.weights["map"], dim=1)

    def text(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts -> unit vectors (n, 384)."""
        return towards(sentences(texts), self.weights["middle"])


def load_clip_heads() -> ClipHeads:
    """The heads as ``scripts/prepare_model.py clip_heads`` fitted them.

    Raises:
        DamagedDataError: the vendored weights are missing or changed.
    """
    return ClipHeads(load_weights(NAME))


def features(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, H, W) -> (n, 3968): all depths, then colours."""
    return torch.cat([DepthEncoder(SIDE).encode(images), colours(images)], dim=1)


def sentences(texts: Sequence[str]) -> torch.Tensor:
    """MiniLM's embeddings as unit vectors, (n, 384)."""
    return functional.normalize(TextEncoder().encode(list(texts)), dim=1)


def towards(embeddings: torch.Tensor, middle: torch.Tensor) -> torch.Tensor:
    """Unit vectors that point from the mean caption to each embedding, (n, 384)."""
    return functional.normalize(embeddings - middle, dim=1)
