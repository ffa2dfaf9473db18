"""Photographs in the public domain, each with a name; 60 of them with captions, questions and answers.

They come from a pinned Debian package through ``scripts/prepare_data.py photos``; sources, authors, licences and limits
stand in the card and with each photograph.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmbook.datasets.sheets import read_sheet
from mmbook.datasets.store import load_card, verified

SIDE = 192  # pixels
COLUMNS = 20  # pictures in a row of the sheet


@dataclass(frozen=True)
class Photos:
    """All photographs; arrays are aligned: position ``i`` is one photograph everywhere.

    Attributes:
        images: uint8 (photographs, 3, 192, 192), RGB; what is not square stands in the middle of white.
        boxes: int64 (photographs, 4): top, bottom, left, right of the photograph in its square.
        names: what it shows, e.g. ``"claw hammer"``, ``"eiffel tower"``.
        kinds: one of 13 classes, or ``"other"``.
        captions: two sentences for 60 of them, else none.
        questions: three pairs (question, answer) for the same 60, else none.
        credits: author, source (address) and licence of each.
        card: source, licence, limits.
    """

    images: torch.Tensor
    boxes: torch.Tensor
    names: list[str]
    kinds: list[str]
    captions: list[list[str]]
    questions: list[list[tuple[str, str]]]
    credits: list[dict[str, str]]
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def described(self) -> np.ndarray:
        """Positions of those that have captions and questions."""
        return np.flatnonzero([bool(lines) for lines in self.captions])


def load_photos() -> Photos:
    """Load every photograph.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    rows = json.loads(verified("photos/words.json").read_text(encoding="utf-8"))
    return Photos(
        images=read_sheet(verified("photos/photos.webp"), SIDE, COLUMNS, len(rows)),
        boxes=torch.tensor([row["box"] for row in rows]),
        names=[row["name"] for row in rows],
        kinds=[row["kind"] for row in rows],
        captions=[row.get("captions", []) for row in rows],
        questions=[[(q, a) for q, a in row.get("questions", [])] for row in rows],
        credits=[{key: row[key] for key in ("author", "source", "licence")} for row in rows],
        card=load_card("photos"),
    )
