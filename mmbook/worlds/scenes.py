"""Rendered scenes of simple shapes: pictures, masks, captions, questions with answers, and short videos.

Synthetic because only then is it known where each thing is and what answers a question; every dial is
an argument. Geometry is in units of the picture's side, so a scene can be drawn at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_

import torch

SHAPES = ("circle", "square", "triangle", "cross")
COLORS = {
    "red": (0.84, 0.15, 0.16),
    "green": (0.17, 0.63, 0.17),
    "blue": (0.12, 0.35, 0.85),
    "yellow": (0.95, 0.80, 0.10),
    "purple": (0.58, 0.25, 0.74),
    "orange": (1.00, 0.50, 0.05),
}
COLOR_NAMES = tuple(COLORS)
GRID = 4  # objects stand in different cells of a 4 x 4 grid, so that none hides another
GROUND = 0.93  # grey of the background


@dataclass(frozen=True)
class Scenes:
    """What is where. Every tensor is (scenes, objects) but ``center``, (scenes, objects, 2) as (row, column).

    Attributes:
        shape, color: indices into ``SHAPES`` and ``COLOR_NAMES``.
        center: 0 to 1 from the top left corner.
        radius: in sides of the picture.
    """

    shape: torch.Tensor
    color: torch.Tensor
    center: torch.Tensor
    radius: torch.Tensor

    def __len__(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows: torch.Tensor | slice) -> Scenes:
        return Scenes(self.shape[rows], self.color[rows], self.center[rows], self.radius[rows])

    def name(self, scene: int, thing: int) -> str:
        """``"red circle"``."""
        return f"{COLOR_NAMES[self.color[scene, thing]]} {SHAPES[self.shape[scene, thing]]}"


def draw_scenes(count: int, objects: int, generator: torch.Generator, kinds: torch.Tensor | None = None) -> Scenes:
    """Random scenes in which no two objects have the same colour and shape.

    Args:
        kinds: which combinations may occur, as ``color * 4 + shape``; all 24 unless given.

    Raises:
        ValueError: more objects than cells or than combinations.
    """
    pool = torch.arange(len(COLOR_NAMES) * len(SHAPES)) if kinds is None else kinds
    if not 1 <= objects <= min(len(pool), GRID**2):
        raise ValueError(f"objects={objects} must be between 1 and {min(len(pool), GRID**2)}")
    chosen = pool[torch.rand(count, len(pool), generator=generator).argsort(dim=1)[:, :objects]]
    cells = torch.rand(count, GRID**2, generator=generator).argsort(dim=1)[:, :objects]
    corner = torch.stack([cells // GRID, cells % GRID], dim=-1)  # (scenes, objects, 2)
    radius = 0.095 + 0.025 * torch.rand(count, objects, generator=generator)
    jitter = 2 * torch.rand(count, objects, 2, generator=generator) - 1
    center = (corner + 0.5) / GRID + jitter * (0.5 / GRID - radius).clamp(min=0).unsqueeze(-1)
    return Scenes(chosen % len(SHAPES), chosen // len(SHAPES), center, radius)


def masks(scenes: Scenes, side: int = 32) -> torch.Tensor:
    """Where each object is: bool (scenes, objects, side, side)."""
    at = (torch.arange(side) + 0.5) / side
    down = (at[:, None] - scenes.center[..., 0, None, None]) / scenes.radius[..., None, None]
    right = (at[None, :] - scenes.center[..., 1, None, None]) / scenes.radius[..., None, None]
    box = torch.maximum(down.abs(), right.abs())
    inside = {
        "circle": down.square() + right.square() <= 1,
        "square": box <= 0.86,
        "triangle": (down <= 0.85) & (down + 0.95 >= 1.8 * right.abs()),
        "cross": (box <= 1) & (torch.minimum(down.abs(), right.abs()) <= 0.33),
    }
    which = scenes.shape[..., None, None]
    return reduce(or_, ((which == i) & inside[name] for i, name in enumerate(SHAPES)))


def render(
    scenes: Scenes, side: int = 32, noise: float = 0.0, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Pictures: float32 (scenes, 3, side, side), 0 to 1 but for the noise.

    Args:
        noise: standard deviation of what is added to every pixel.
    """
    palette = torch.tensor(list(COLORS.values()))  # (colors, 3)
    image = torch.full((len(scenes), 3, side, side), GROUND)
    for thing, mask in enumerate(masks(scenes, side).unbind(dim=1)):
        paint = palette[scenes.color[:, thing]][..., None, None]  # (scenes, 3, 1, 1)
        image = torch.where(mask.unsqueeze(1), paint, image)
    return image + noise * torch.randn(image.shape, generator=generator) if noise else image
