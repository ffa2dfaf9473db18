"""OpenClipart: drawings that hundreds of people dedicated to the public domain, each with a short caption.

Drawings come from a pinned Debian package through ``scripts/prepare_data.py clipart``; sources, how the captions were
made, and limits stand in the card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mmbook.datasets.sheets import read_sheet
from mmbook.datasets.store import load_card, verified

SIDE = 96  # pixels
COLUMNS = 40  # pictures in a row of the sheet


@dataclass(frozen=True)
class Clipart:
    """All drawings; arrays are aligned: position ``i`` is one drawing everywhere.

    Attributes:
        images: uint8 (drawings, 3, 96, 96), RGB on white.
        captions: a short noun phrase, e.g. ``"bitten red apple"``.
        heads: the thing that the caption is about, e.g. ``"apple"``: what a split must keep together.
        keywords: further words that are true of the drawing and not in the caption.
        authors: who drew it, as the file says; often a nickname, sometimes empty.
        paths: the file in the package; its first folder is a rough category.
        card: source, licence, limits.
    """

    images: torch.Tensor
    captions: list[str]
    heads: list[str]
    keywords: list[list[str]]
    authors: list[str]
    paths: list[str]
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.captions)

    def split_heads(self, seed: int, test: int = 150, validation: int = 75) -> dict[str, np.ndarray]:
        """Disjoint index arrays ``train``, ``validation``, ``test``: no head noun stands on two sides.

        Args:
            seed: decides which head nouns go where.
            test, validation: number of head nouns; a noun brings all its drawings.

        Raises:
            ValueError: the wanted parts leave nothing to train on.
        """
        nouns = sorted(set(self.heads))
        if min(test, validation) < 0 or test + validation >= len(nouns):
            raise ValueError(f"test={test} and validation={validation} leave no training nouns of {len(nouns)}")
        order = np.random.default_rng(seed).permutation(len(nouns))
        part = {nouns[i]: "test" if rank < test else "validation" for rank, i in enumerate(order[: test + validation])}
        sides = np.array([part.get(head, "train") for head in self.heads])
        return {name: np.flatnonzero(sides == name) for name in ("train", "validation", "test")}


def load_clipart() -> Clipart:
    """Load every drawing.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    rows = json.loads(verified("clipart/words.json").read_text(encoding="utf-8"))
    paths, captions, heads, keywords, authors = (list(column) for column in zip(*rows, strict=True))
    return Clipart(
        images=read_sheet(verified("clipart/drawings.webp"), SIDE, COLUMNS, len(rows)),
        captions=captions,
        heads=heads,
        keywords=keywords,
        authors=authors,
        paths=paths,
        card=load_card("clipart"),
    )
