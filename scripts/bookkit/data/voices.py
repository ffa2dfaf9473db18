"""Spoken digits of many synthetic speakers, and words and sentences of real ones."""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from bookkit.data.espeak import WHEEL, Synthesiser, Voice
from bookkit.data.packages import DebPackage
from mmbook.datasets.sound import RATE, trimmed, write_clips

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en", "en-us", "en-029", "en-gb-scotland", "en-us-nyc", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
# Made to sound like machines, or such that Whisper misheard three and more of their ten digits.
UNFIT = {
    *("UniRobot", "anikaRobot", "robosoft", *(f"robosoft{i}" for i in range(2, 9))),
    *("AnxiousAndy", "Tweaky", "croak", "fast", "announcer", "kaukovalta"),
    *("m1", "grandma", "boris", "gustave", "aunty", "Mr serious"),
}
SPEAKERS, TAKES = 48, 2
SOUNDS = "usr/share/asterisk/sounds"
CHECKS = {
    "whisper": "Whisper tiny.en heard exactly this, in four decodings",
    "dtw-other-speaker": "found by comparing two speakers of the language",
    "dtw-in-21..29": "found inside the numbers 21 to 29 of the same speaker",
    "dtw-espeak": "found by comparing with synthetic speech; weak evidence",
    "name": "the file name alone",
}


@dataclass(frozen=True)
class Source:
    """A package of recordings by one person in one language."""

    package: DebPackage
    person: str
    language: str
    licence: str
    url: str
    credit: str


BY, BY_SA = "https://creativecommons.org/licenses/by/3.0/", "https://creativecommons.org/licenses/by-sa/3.0/"
SOURCES = [
    Source(
        DebPackage("asterisk-core-sounds-en-wav", "1.6.1-1", "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d"),
        "Allison Smith", "en", "CC BY-SA 3.0", BY_SA,
        "© 2003–2010 Allison Smith (http://www.theivrvoice.com), financial contributions by Digium, Inc. (http://www.digium.com)",
    ),
    Source(
        DebPackage("asterisk-core-sounds-es-wav", "1.6.1-1", "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903"),
        "Allison Smith", "es", "CC BY-SA 3.0", BY_SA,
        "© 2003–2010 Allison Smith (http://www.theivrvoice.com), financial contributions by Digium, Inc. (http://www.digium.com)",
    ),
    Source(
        DebPackage("asterisk-core-sounds-fr-wav", "1.6.1-1", "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e"),
        "June Wallack", "fr", "CC BY-SA 3.0", BY_SA,
        "© 2006–2008 June Wallack (http://www.junewallack.com), translated by Clod Patry, Kristopher Lalletti and June Wallack, "
        "financial contributions by Digium, Inc., Unlimitel and BGM Informatique",
    ),
    Source(
        DebPackage("asterisk-core-sounds-it-wav", "1.6.1-1", "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb"),
        "Carlo Flora", "it", "CC BY 3.0", BY,
        "© 2012 Carlo Flora (http://www.carloflora.com, http://www.segreterietelefoniche.it), translated by Silvia Petrin "
        "from the English text of Digium",
    ),
    Source(
        DebPackage("asterisk-prompt-it-menardi-wav", "1:1.4.22+mm20110907-3.1", "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21"),
        "Menardi's prompts", "it", "CC BY-SA 3.0 Italy", "https://creativecommons.org/licenses/by-sa/3.0/it/",
        "The sound files were made by Marco Menardi and his wife (Paola Dal Zot), http://www.voip.ammdomus.it, © 2006–2011; "
        "the English text that they translate is © Digium",
    ),
    Source(
        DebPackage("asterisk-core-sounds-ru-wav", "1.6.1-1", "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201"),
        "ivrvoice.ru", "ru", "CC BY 3.0", BY,
        "© 2010 Maxim, provided by Maxim Topal (http://www.ivrvoice.ru); the speaker is not named",
    ),
]  # fmt: skip


def cast(variants: list[str], count: int = SPEAKERS, seed: int = 0) -> list[Voice]:
    """Speakers of whom no two share a variant; accents take turns.

    Raises:
        ValueError: more than there are fit variants.
    """
    rng = np.random.default_rng(seed)
    fit = [name for name in variants if name not in UNFIT]
    if count > len(fit):
        raise ValueError(f"there are {len(fit)} different speakers, not {count}")
    draw = rng.integers
    return [
        Voice(ACCENTS[i % len(ACCENTS)], str(name), int(draw(25, 75)), int(draw(150, 200)), int(draw(20, 70)))
        for i, name in enumerate(rng.permutation(fit)[:count])
    ]


def synthetic(downloads: Path) -> tuple[list[np.ndarray], list[list[int]], list[str]]:
    """Waveforms at 8 kHz; [speaker, digit, take] of each; names of the speakers."""
    synthesiser = Synthesiser(downloads)
    people = cast(synthesiser.stable_variants())
    clips, rows = [], []
    for number, voice in enumerate(people):
        for take in range(TAKES):  # a second take is faster and a little higher
            spoken = Voice(voice.accent, voice.variant, voice.pitch + 6 * take, voice.speed + 30 * take, voice.span)
            for digit, word in enumerate(DIGITS):
                raw, rate = synthesiser.say(word, spoken)
                low = resample_poly(raw, RATE, rate)
                clips.append(trimmed(0.9 * low / np.abs(low).max()))
                rows.append([number, digit, take])
    return clips, rows, [f"{v.accent}+{v.variant}" for v in people]


def real(downloads: Path) -> tuple[list[np.ndarray], list[list[str]]]:
    """Waveforms at 8 kHz; [person, language, kind, text, how the text was checked] of each."""
    listed = json.loads((Path(__file__).parent / "real_clips.json").read_text(encoding="utf-8"))
    sources = {source.package.name: source for source in SOURCES}
    folders = {name: source.package.fetch(downloads) / SOUNDS for name, source in sources.items()}
    clips, rows = [], []
    for package, path, kind, text, checked in listed:
        clips.append(recording(folders[package] / path))
        rows.append([sources[package].person, sources[package].language, kind, text, checked])
    return clips, rows


def recording(path: Path) -> np.ndarray:
    """The samples of a recording, trimmed, the loudest at 0.9.

    Raises:
        ValueError: it is not 8 kHz, mono, 16 bit.
    """
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path}: not 8 kHz, mono, 16 bit")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768
    return trimmed(0.9 * samples / np.abs(samples).max())


def prepare(out: Path, downloads: Path) -> None:
    """Write sounds, what they say, and ``LICENSES.txt`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    spoken, rows, speakers = synthetic(downloads)
    write_clips(out / "synthetic.npz", spoken)
    _write_json(out / "synthetic.json", {"speakers": speakers, "clips": rows})
    recorded, texts = real(downloads)
    write_clips(out / "real.npz", recorded)
    _write_json(out / "real.json", texts)
    (out / "LICENSES.txt").write_text(
        "\n".join([licences(SOURCES, "real.npz, real.json"), _synthetic_licence()]), encoding="utf-8"
    )


def _write_json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


CHANGED = "chosen clips, trimmed, peak normalised and re-encoded to 8-bit mu-law"


def licences(sources: list[Source], files: str) -> str:
    """The licences of recordings, with credits and what was changed."""
    head = (
        f"{files}: recordings from Debian packages of telephone prompts. The licence of each clip is that of its\n"
        f"person and language ({files.split()[-1]}). What was changed: {CHANGED}.\n"
    )
    parts = [
        f"{s.package.name} {s.package.version} ({s.person}, {s.language}): {s.licence}, {s.url}\n{s.credit}\n"
        for s in sources
    ]
    return "\n".join([head, *parts])


def _synthetic_licence() -> str:
    return (
        f"synthetic.npz, synthetic.json: speech of espeak-ng (in the package {WHEEL.name} {WHEEL.version}), which is free\n"
        "software under GPL-3.0-or-later; only its output is here, under the licence of this course (CC BY 4.0).\n"
    )
