"""53 telephone prompts, each in five languages by real people, with the lines that speakers read where they are known.

They come from pinned Debian packages through ``scripts/prepare_data.py prompts``. No text rests on what a recogniser
heard, so recognisers can be scored on them; sources and limits stand in the card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbook.datasets.sound import RATE, read_clips
from mmbook.datasets.store import load_card, verified

__all__ = ["RATE", "Prompts", "load_prompts"]


@dataclass(frozen=True)
class Prompts:
    """All recordings; lists are aligned: position ``i`` is one recording everywhere.

    Attributes:
        sounds: float32 (samples,), 8 kHz, -1 to 1, without silence at the ends.
        names: the prompt; the five recordings of a prompt share it.
        languages: en, es, fr, it, ru.
        persons: who speaks. The same person speaks English and Spanish.
        texts: the line that was read, for en and ru; else empty.
        english: the English line of the prompt: a translation of the others, freer in some than in others.
        card: source, licence, limits.
    """

    sounds: list[np.ndarray]
    names: list[str]
    languages: list[str]
    persons: list[str]
    texts: list[str]
    english: list[str]
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.sounds)

    def of(self, language: str) -> list[int]:
        """Positions of one language, in the order of the prompts.

        Raises:
            ValueError: no recordings in that language.
        """
        found = [i for i, code in enumerate(self.languages) if code == language]
        if not found:
            raise ValueError(f"no recordings in {language!r}; there are {', '.join(sorted(set(self.languages)))}")
        return found


def load_prompts() -> Prompts:
    """Load every recording.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    rows = json.loads(verified("prompts/prompts.json").read_text(encoding="utf-8"))
    names, languages, persons, texts, english = (list(column) for column in zip(*rows, strict=True))
    codes = dict.fromkeys(languages)  # in their order in the list
    sounds = [clip for code in codes for clip in read_clips(verified(f"prompts/{code}.npz"))]
    return Prompts(sounds, names, languages, persons, texts, english, load_card("prompts"))
