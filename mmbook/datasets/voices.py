"""Spoken words: digits of many synthetic speakers, and real people. Sources and licences: the card."""

from __future__ import annotations

import json

import torch

from mmbook.datasets.base import Dataset, split_units
from mmbook.datasets.sound import padded, read_clips
from mmbook.datasets.store import load_card, verified

SAMPLES = 6400  # 0.8 s at 8 kHz: the longest synthetic digit fits


def load_voices(seed: int = 0) -> Dataset:
    """Digits of synthetic English speakers, split by speaker.

    Returns:
        modality ``audio``, float32 (clips, 6400), 8 kHz, -1 to 1, silence behind the word; target 0 to 9,
        int64; ``unit``, the speaker; ``extra["speakers"]``, accent and variant of each speaker.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    facts = json.loads(verified("voices/synthetic.json").read_text(encoding="utf-8"))
    waveforms = torch.from_numpy(padded(read_clips(verified("voices/synthetic.npz")), SAMPLES))
    speaker, digit, _ = torch.tensor(facts["clips"]).T
    return Dataset(
        name="voices",
        modalities={"audio": waveforms},
        target=digit,
        split=split_units(speaker, seed),
        card=load_card("voices"),
        unit=speaker,
        extra={"speakers": facts["speakers"]},
    )
