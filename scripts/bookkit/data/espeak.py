"""The speech synthesiser espeak-ng, from a wheel that carries its library and its voices."""

from __future__ import annotations

import ctypes
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bookkit.data.packages import PackageError, PipWheel

WHEEL = PipWheel(
    "espeakng-loader", "0.2.4", "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d"
)  # fmt: skip
SYNCHRONOUS, UTF8 = 2, 1  # of speak_lib.h
SPEED, PITCH, SPAN = 1, 3, 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Voice:
    """One synthetic speaker."""

    accent: str  # e.g. "en-us"
    variant: str  # e.g. "m3"
    pitch: int  # 0 to 99
    speed: int  # words a minute
    span: int  # range of the pitch, 0 to 99


class Synthesiser:
    """espeak-ng, loaded from its unpacked wheel."""

    def __init__(self, downloads: Path) -> None:
        folder = WHEEL.fetch(downloads) / "espeakng_loader"
        self._path = str(folder / "libespeak-ng.so")
        self._data = folder / "espeak-ng-data"
        self._variants = self._data / "voices" / "!v"
        with self._engine():
            pass  # so that a library that can't be used is found at once

    @contextmanager
    def _engine(self) -> Iterator[tuple[ctypes.CDLL, int]]:
        """The library, loaded anew, with its sampling rate.

        It keeps state from one utterance to the next, even across its own ``espeak_Terminate``; only a
        fresh load gives the same samples for the same words.
        """
        try:
            library = ctypes.CDLL(self._path)
        except OSError as error:
            raise PackageError(f"{WHEEL.name}: the pinned wheel is for Linux on x86-64: {error}") from None
        try:
            rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(self._data).encode(), 0)
            if rate <= 0:
                raise PackageError(f"{WHEEL.name}: espeak-ng can't read its data in {self._data}")
            yield library, rate
        finally:
            library.espeak_Terminate()
            dlclose(library._handle)

    def stable_variants(self) -> list[str]:
        """Those that repeat byte for byte: the ones with *breath* read memory that nobody set."""
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(self._variants.iterdir())}
        return [name for name, text in texts.items() if "breath" not in text]

    def say(self, text: str, voice: Voice) -> tuple[np.ndarray, int]:
        """The waveform, float64 in -1 to 1, and its sampling rate.

        Raises:
            PackageError: no such voice.
        """
        heard: list[np.ndarray] = []

        def listen(samples: object, count: int, _: object) -> int:
            if samples and count > 0:
                heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        callback, raw = _CALLBACK(listen), text.encode() + b"\0"
        name = f"{voice.accent}+{voice.variant}"
        with self._engine() as (library, rate):
            library.espeak_SetSynthCallback(callback)
            # The library takes an unknown variant for none, without a word.
            if not (self._variants / voice.variant).is_file() or library.espeak_SetVoiceByName(name.encode()):
                raise PackageError(f"{WHEEL.name}: no voice {name}")
            for what, value in ((SPEED, voice.speed), (PITCH, voice.pitch), (SPAN, voice.span)):
                library.espeak_SetParameter(what, value, 0)
            ctypes.CDLL(None).srand(0)
            library.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, 0, 0, UTF8, None, None)
            library.espeak_Synchronize()
        return np.concatenate(heard) / 32768, rate
