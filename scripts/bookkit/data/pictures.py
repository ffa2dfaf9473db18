"""Pictures of one size in one sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def box(size: tuple[int, int], side: int, margin: int = 0) -> list[int]:
    """Top, bottom, left and right of a picture (width, height) that fills a square as far as it fits."""
    scale = (side - 2 * margin) / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    top, left = (side - height) // 2, (side - width) // 2
    return [top, top + height, left, left + width]


def fitted(picture: Image.Image, side: int, margin: int = 0) -> np.ndarray:
    """uint8 (side, side, 3): as large as it fits, in the middle, on white."""
    top, bottom, left, right = box(picture.size, side, margin)
    small = picture.convert("RGBA").resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    canvas = Image.new("RGBA", (side, side), "white")
    canvas.alpha_composite(small, (left, top))
    return np.asarray(canvas.convert("RGB"))


def write_sheet(path: Path, pictures: list[np.ndarray], columns: int) -> None:
    """Write equally large pictures, row by row, as one WebP file."""
    side = len(pictures[0])
    rows = -(-len(pictures) // columns)
    grid = np.full((rows * columns, side, side, 3), 255, dtype=np.uint8)
    grid[: len(pictures)] = np.stack(pictures)
    pixels = grid.reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(rows * side, -1, 3)
    Image.fromarray(pixels).save(path, "WEBP", quality=80, method=6)
