"""A connector that puts a picture in front of a frozen language model, which then writes its caption."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from mmbook.encoders.language import LanguageModel, Scores
from mmbook.models.clip_heads import DIM
from mmbook.models.store import load_weights

NAME = "captioner"
TOKENS = 4  # how many "words" a picture becomes
PROMPT = "\nCaption:"


class Captioner(nn.Module):
    """From one vector of a picture to a few vectors as large as those of words; nothing else is trained.

    The picture's vector is that of the CLIP heads, as in ClipCap (Mokady et al. 2021, section 3), where a mapping
    network turns CLIP's vector into a prefix of GPT-2. A second prefix, ``blind``, was trained on the same captions
    without any picture: what language alone can do.

    Args:
        size: standard deviation of the language model's word vectors.
    """

    def __init__(self, size: float = 0.1, hidden: int = 512) -> None:
        super().__init__()
        wide = TOKENS * LanguageModel.dim
        bend = nn.Sequential(nn.GELU(), nn.Dropout(0.2))
        self.layers = nn.Sequential(nn.Dropout(0.1), nn.Linear(DIM, hidden), bend, nn.Linear(hidden, wide))
        self.blind = nn.Parameter(torch.randn(TOKENS, LanguageModel.dim))
        self.size: torch.Tensor
        self.register_buffer("size", torch.tensor(size))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Unit vectors of pictures (n, 384) -> visual tokens (n, 4, 576)."""
        return self._as_words(self.layers(seen).unflatten(1, (TOKENS, -1)))

    def without(self, count: int) -> torch.Tensor:
        """The learned tokens of no picture, (count, 4, 576)."""
        return self._as_words(self.blind).expand(count, -1, -1)

    def _as_words(self, vectors: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(vectors, vectors.shape[-1:]) * self.size


def prefix(language: LanguageModel, tokens: torch.Tensor) -> torch.Tensor:
    """Visual tokens and the words "Caption:" after them, (n, 4, 576) -> (n, 4 + words, 576)."""
    return torch.cat([tokens, language.prompt(PROMPT).expand(len(tokens), -1, -1)], dim=1)


def score(language: LanguageModel, tokens: torch.Tensor, captions: Sequence[str]) -> Scores:
    """How likely each caption is after its visual tokens, its end included."""
    return language.score([f" {caption}\n" for caption in captions], prefix(language, tokens))


def write(language: LanguageModel, tokens: torch.Tensor, beams: int = 1) -> list[str]:
    """One caption for each row of visual tokens, (n, 4, 576)."""
    return language.write(prefix(language, tokens), tokens=12, beams=beams)


def load_captioner() -> Captioner:
    """The trained connector, frozen and in evaluation mode.

    Raises:
        DamagedDataError: the vendored weights are missing or changed.
    """
    model = Captioner()
    model.load_state_dict(load_weights(NAME))
    return model.eval().requires_grad_(False)
