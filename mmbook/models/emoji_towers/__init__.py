"""Two towers in the manner of CLIP, trained from pixels on the emoji: pictures and words in one space."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from mmbook.models.store import load_weights

NAME = "emoji_towers"
DIM = 128
SIDE = 64
WORDS = 384  # what MiniLM gives for a text


class EmojiTowers(nn.Module):
    """A convolutional picture tower from nothing, and one linear layer on frozen MiniLM embeddings.

    Both give unit vectors (batch, 128), whose inner product is the cosine (Radford et al. 2021, section 2.3).
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 128, 256)
        layers: list[nn.Module] = []
        for narrow, wide in zip(widths[:-1], widths[1:], strict=True):  # each halves the side: 64 to 4
            layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.GroupNorm(8, wide), nn.GELU()]
        self.cells = nn.Sequential(*layers)
        self.picture = nn.Linear(2 * widths[-1], DIM)
        self.words = nn.Linear(WORDS, DIM)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())  # one over the temperature

    def image(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures, float (batch, 3, 64, 64) from 0 to 1 -> unit vectors (batch, 128)."""
        found = self.cells(pictures - 0.5)  # (batch, 256, 4, 4)
        pooled = torch.cat([found.mean(dim=(2, 3)), found.amax(dim=(2, 3))], dim=1)  # (batch, 512)
        return functional.normalize(self.picture(pooled), dim=-1)

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """What ``TextEncoder.encode`` gives for texts, (batch, 384) -> unit vectors (batch, 128)."""
        return functional.normalize(self.words(functional.normalize(embeddings, dim=-1)), dim=-1)

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Scaled cosines of all pairs: (n, 3, 64, 64), (m, 384) -> (n, m)."""
        return self.log_scale.exp() * self.image(image) @ self.text(text).T


def load_emoji_towers() -> EmojiTowers:
    """The trained towers, frozen and in evaluation mode.

    Raises:
        DamagedDataError: the vendored weights are missing or changed.
    """
    model = EmojiTowers()
    model.load_state_dict(load_weights(NAME))
    return model.eval().requires_grad_(False)
