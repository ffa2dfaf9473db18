"""Spoken digits of many synthetic speakers, and words and sentences of real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from bookkit.prepare.espeak import Synthesiser, Voice
from mmbook.datasets.sound import RATE, trimmed, write_clips

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-us", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbcwmd")
VARIANTS = ("f1", "f2", "f3", "f4", "f5", "linda", "steph", "m1", "m2", "m3", "m4", "m5", "m6", "m7")
SPEAKERS, TAKES = 48, 2


def cast(count: int, seed: int = 0) -> list[Voice]:
    """Speakers of whom no two share accent and variant.

    Raises:
        ValueError: more than there are.
    """
    rng = np.random.default_rng(seed)
    pairs = [(a, v) for a in ACCENTS for v in VARIANTS]
    if count > len(pairs):
        raise ValueError(f"there are {len(pairs)} different speakers, not {count}")
    chosen = rng.permutation(len(pairs))[:count]
    return [Voice(*pairs[i], int(rng.integers(25, 75)), int(rng.integers(130, 200))) for i in chosen]


def synthetic(downloads: Path) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """Waveforms at 8 kHz and one row for each: speaker, word, take. A second take is faster and a little higher."""
    synthesiser = Synthesiser(downloads)
    clips, rows = [], []
    for number, voice in enumerate(cast(SPEAKERS)):
        for take in range(TAKES):
            spoken = Voice(voice.accent, voice.variant, voice.pitch + 6 * take, voice.speed + 30 * take)
            for digit, word in enumerate(DIGITS):
                raw = resample_poly(synthesiser.say(word, spoken), RATE, synthesiser.rate)
                clips.append(trimmed(0.9 * raw / np.abs(raw).max()))
                rows.append({"speaker": number, "digit": digit, "take": take})
    return clips, rows


def prepare(out: Path, downloads: Path) -> None:
    """Write ``synthetic.npz``, ``synthetic.json`` and ``card.json`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    clips, rows = synthetic(downloads)
    write_clips(out / "synthetic.npz", clips)
    speakers = [f"{v.accent}+{v.variant}" for v in cast(SPEAKERS)]
    facts = {"speakers": speakers, "clips": [[r["speaker"], r["digit"], r["take"]] for r in rows]}
    (out / "synthetic.json").write_text(json.dumps(facts, separators=(",", ":")) + "\n", encoding="utf-8")
