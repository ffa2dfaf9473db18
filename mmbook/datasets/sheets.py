"""Pictures of one size in one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image


def read_sheet(path: Path, side: int, columns: int, count: int) -> torch.Tensor:
    """The first ``count`` pictures of a sheet, row by row: uint8 (count, 3, side, side)."""
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    tiles = pixels.reshape(len(pixels) // side, side, columns, side, 3).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(tiles.reshape(-1, 3, side, side)[:count].copy())
