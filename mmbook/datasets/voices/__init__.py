"""Spoken words: digits of many synthetic speakers, and real people. Sources and licences: the card."""

from __future__ import annotations

import json

import torch

from mmbook.datasets.base import Dataset, split_units
from mmbook.datasets.sound import padded, read_clips
from mmbook.datasets.store import load_card, verified

SAMPLES = 6400  # 0.8 s at 8 kHz: hardly a synthetic digit is longer


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


def load_speech(seed: int = 0) -> Dataset:
    """Words and sentences of real people, split by person.

    Five people are too few for more than a demonstration: three train, one validates, one tests.

    Returns:
        modality ``audio``, float32 (clips, samples of the longest), 8 kHz, silence behind the words; target:
        the digit spoken, -1 where it is none, int64; ``unit``, the person. In ``extra``, one per clip:
        ``text`` (what is said), ``kind`` (digit, number, letter, day, month, sentence), ``language`` (en,
        es, fr, it, ru), ``checked`` (how the text was confirmed), ``samples`` (length without the silence);
        and ``speakers``, the person's names.

    Raises:
        DamagedDataError: a vendored file is missing or changed.
    """
    rows = json.loads(verified("voices/real.json").read_text(encoding="utf-8"))
    clips = read_clips(verified("voices/real.npz"))
    person, language, kind, text, checked = (list(column) for column in zip(*rows, strict=True))
    speakers = sorted(set(person))
    unit = torch.tensor([speakers.index(name) for name in person])
    digit: list[int] = []
    count: dict[tuple[str, str], int] = {}
    for row in rows:  # digits of a person and language stand in order, from zero
        place = count.get((row[0], row[1]), 0)
        digit.append(place if row[2] == "digit" else -1)
        count[row[0], row[1]] = place + (row[2] == "digit")
    return Dataset(
        name="speech",
        modalities={"audio": torch.from_numpy(padded(clips, max(map(len, clips))))},
        target=torch.tensor(digit),
        split=split_units(unit, seed),
        card=load_card("voices"),
        unit=unit,
        extra={
            "text": text,
            "kind": kind,
            "language": language,
            "checked": checked,
            "samples": [len(clip) for clip in clips],
            "speakers": speakers,
        },
    )
