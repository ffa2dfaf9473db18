"""Emoji: real pictures (four open drawing styles) with real words (Unicode CLDR names and keywords).

Pictures and words come from pinned registry packages through ``scripts/prepare_data.py emoji``;
sources, licences and limits stand in the card.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image

from mmbook.datasets.store import load_card, verified

STYLES = ("noto", "twemoji", "openmoji", "fluent")
SIDE = 64  # pixels
COLUMNS = 40  # pictures in a row of a sprite sheet

Level = Literal["any", "group", "subgroup"]


@dataclass(frozen=True)
class Emoji:
    """All concepts in all styles; arrays are aligned: position ``i`` is one concept everywhere.

    Attributes:
        images: style -> uint8 tensor (concepts, 3, 64, 64), RGB on white.
        labels: the CLDR short name of each concept, e.g. ``"hot beverage"``.
        keywords: the CLDR keywords of each concept, without the name itself.
        groups, subgroups: the Unicode category names of each concept.
        families: near-duplicates (gendered twins, clock faces, keycaps, ...) share a family number.
        codes: Unicode code points as hexadecimal, e.g. ``"2615"``.
        card: source, licence, limits.
    """

    images: dict[str, torch.Tensor]
    labels: list[str]
    keywords: list[list[str]]
    groups: list[str]
    subgroups: list[str]
    families: np.ndarray
    codes: list[str]
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.labels)

    def caption(self, index: int) -> str:
        """Name and keywords as one line of text: ``"hot beverage: coffee, drink, steaming, tea"``."""
        words = ", ".join(self.keywords[index])
        return f"{self.labels[index]}: {words}" if words else self.labels[index]

    def split_concepts(self, seed: int, test: int = 300, validation: int = 150) -> dict[str, np.ndarray]:
        """Disjoint index arrays ``train``, ``validation``, ``test``; no family stands on two sides.

        Args:
            seed: decides which families go where.
            test, validation: wanted number of concepts (exceeded by less than one family).

        Raises:
            ValueError: the wanted parts leave nothing to train on.
        """
        if test + validation >= len(self) or min(test, validation) < 0:
            raise ValueError(f"test={test} and validation={validation} leave no training concepts of {len(self)}")
        order = np.random.default_rng(seed).permutation(np.unique(self.families))
        members = {f: np.flatnonzero(self.families == f) for f in order}
        parts: dict[str, list[int]] = {"test": [], "validation": [], "train": []}
        wanted = {"test": test, "validation": validation, "train": len(self)}
        names = iter(wanted)
        name = next(names)
        for family in order:
            while len(parts[name]) >= wanted[name]:
                name = next(names)
            parts[name].extend(members[family])
        return {k: np.sort(np.array(v, dtype=np.int64)) for k, v in parts.items()}

    def cells(self, split: dict[str, np.ndarray], held_out: str) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
        """The four test cells {seen, unseen concept} x {seen, unseen style}.

        Args:
            split: what ``split_concepts`` returned.
            held_out: the style that training must not use.

        Returns:
            cell name, e.g. ``"unseen concept, seen style"``, -> (concept indices, styles). Training uses
            the cell ``"seen concept, seen style"`` and nothing else.

        Raises:
            ValueError: an unknown style.
        """
        if held_out not in self.images:
            raise ValueError(f"held_out must be one of {', '.join(self.images)}, not {held_out!r}")
        styles = {"seen": tuple(s for s in self.images if s != held_out), "unseen": (held_out,)}
        concepts = {"seen": split["train"], "unseen": split["test"]}
        return {f"{c} concept, {s} style": (concepts[c], styles[s]) for c in concepts for s in styles}


def load_emoji() -> Emoji:
    """Load every concept in every style.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    rows = json.loads(verified("emoji/concepts.json").read_text(encoding="utf-8"))
    return Emoji(
        images={style: _read_sheet(style, len(rows)) for style in STYLES},
        labels=[r["label"] for r in rows],
        keywords=[r["keywords"] for r in rows],
        groups=[r["group"] for r in rows],
        subgroups=[r["subgroup"] for r in rows],
        families=np.array([r["family"] for r in rows]),
        codes=[r["code"] for r in rows],
        card=load_card("emoji"),
    )


def _read_sheet(style: str, count: int) -> torch.Tensor:
    with Image.open(verified(f"emoji/{style}.png")) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    rows = pixels.shape[0] // SIDE
    tiles = pixels.reshape(rows, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(tiles.reshape(-1, 3, SIDE, SIDE)[:count].copy())  # (concepts, 3, 64, 64)


def matching_pairs(
    emoji: Emoji, concepts: Sequence[int] | np.ndarray, seed: int, level: Level = "any"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (picture, caption) with the question: does the caption describe the picture?

    Each concept gives one right pair and one wrong pair, and each caption is used once right and
    once wrong. So neither the picture alone nor the caption alone says anything about the answer.

    Args:
        emoji: the data set.
        concepts: the concepts to pair (one part of a split).
        seed: decides who is paired with whom.
        level: wrong captions are drawn from all concepts (``"any"``), from the picture's ``"group"``
            or from its ``"subgroup"``, never from its family. Concepts without such a partner
            are left out.

    Returns:
        picture (2n,), caption (2n,) as concept indices, and label (2n,): 1 right, 0 wrong.

    Raises:
        ValueError: an unknown level, or no concept has a partner.
    """
    keys: dict[str, Sequence[str]] = {
        "any": ["all"] * len(emoji),
        "group": emoji.groups,
        "subgroup": emoji.subgroups,
    }
    if level not in keys:
        raise ValueError(f"level must be one of {', '.join(keys)}, not {level!r}")
    rng = np.random.default_rng(seed)
    pools: dict[str, list[int]] = defaultdict(list)
    for index in concepts:
        pools[keys[level][index]].append(int(index))
    right: list[int] = []
    wrong: list[int] = []
    for _, pool in sorted(pools.items()):
        kept, partner = _derange(np.array(pool), emoji.families, rng)
        right.extend(kept)
        wrong.extend(partner)
    if not right:
        raise ValueError(f"no concept has a wrong caption at level {level!r}: give more concepts")
    picture = np.array(right + right)
    caption = np.array(right + wrong)
    label = np.repeat([1, 0], len(right))
    order = rng.permutation(len(label))
    return picture[order], caption[order], label[order]


def _derange(pool: np.ndarray, families: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random one-to-one partner of another family for each member of ``pool``.

    Sorting by family and shifting by the size of the largest family gives a valid pairing whenever
    one exists (Hall's condition: no family holds more than half of the pool). Members of a larger
    family are left out at random until that holds.
    """
    pool = rng.permutation(pool)
    while len(pool):
        family, size = np.unique(families[pool], return_counts=True)
        if 2 * size.max() <= len(pool):
            break
        surplus = np.flatnonzero(families[pool] == family[size.argmax()])[0]
        pool = np.delete(pool, surplus)
    if not len(pool):
        return pool, pool
    # families in random order, so that partners differ from seed to seed
    rank = {f: r for r, f in enumerate(rng.permutation(family))}
    pool = pool[np.argsort([rank[f] for f in families[pool]], kind="stable")]
    shift = int(rng.integers(size.max(), len(pool) - size.max() + 1))
    return pool, np.roll(pool, -shift)
