"""Handwritten digits: 5,000 real pictures of MNIST. Source, licence and limits: the card."""

from __future__ import annotations

import json

import numpy as np
import torch
from PIL import Image

from mmbook.datasets.base import Dataset, split_items
from mmbook.datasets.store import load_card, verified

SIDE, COLUMNS = 28, 100


def load_digits(seed: int = 0) -> Dataset:
    """Pictures of digits, split at random (the sample does not say who wrote what).

    Returns:
        modality ``image``, float32 (5000, 1, 28, 28), 0 black to 1 white; target 0 to 9, int64.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    labels = torch.tensor(json.loads(verified("digits/labels.json").read_text(encoding="utf-8")))
    with Image.open(verified("digits/digits.png")) as sheet:
        pixels = np.asarray(sheet, dtype=np.float32) / 255
    tiles = pixels.reshape(len(labels) // COLUMNS, SIDE, COLUMNS, SIDE).transpose(0, 2, 1, 3)
    images = torch.from_numpy(tiles.reshape(-1, 1, SIDE, SIDE).copy())  # (pictures, 1, 28, 28)
    return Dataset("digits", {"image": images}, labels, split_items(len(labels), seed), load_card("digits"))
