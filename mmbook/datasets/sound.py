"""Clips of sound in one array: 8 kHz, 8-bit mu-law (ITU-T G.711's curve), as telephones have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RATE = 8000  # samples per second
MU = 255


def encode(waveform: np.ndarray) -> np.ndarray:
    """Samples in -1 to 1 -> uint8: finer steps for quiet samples."""
    x = np.clip(waveform, -1, 1)
    curved = np.sign(x) * np.log1p(MU * np.abs(x)) / np.log1p(MU)
    return np.round((curved + 1) / 2 * MU).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """uint8 -> float32 samples in -1 to 1."""
    curved = np.arange(MU + 1) / MU * 2 - 1
    values = np.sign(curved) * np.expm1(np.abs(curved) * np.log1p(MU)) / MU  # all 256 of them
    return values.astype(np.float32)[codes]


def write_clips(path: Path, clips: list[np.ndarray]) -> None:
    """Write waveforms of any lengths as one compressed file."""
    ends = np.cumsum([len(clip) for clip in clips])
    np.savez_compressed(path, samples=np.concatenate([encode(clip) for clip in clips]), ends=ends)


def read_clips(path: Path) -> list[np.ndarray]:
    """The waveforms (samples,) float32 of a file that ``write_clips`` made."""
    with np.load(path, allow_pickle=False) as file:
        samples, ends = decode(file["samples"]), file["ends"]
    return np.split(samples, ends[:-1])


def padded(clips: list[np.ndarray], samples: int) -> np.ndarray:
    """(clips, samples) float32: cut at the end or filled with silence."""
    out = np.zeros((len(clips), samples), dtype=np.float32)
    for row, clip in zip(out, clips, strict=True):
        row[: min(len(clip), samples)] = clip[:samples]
    return out


def trimmed(waveform: np.ndarray, quiet: float = 0.02, margin: float = 0.03) -> np.ndarray:
    """Without silence at both ends.

    Args:
        quiet: share of the loudest 10 ms below which sound counts as silence.
        margin: seconds kept before and after.
    """
    step = RATE // 100
    frames = np.abs(waveform[: len(waveform) // step * step]).reshape(-1, step).max(axis=1)
    loud = np.flatnonzero(frames > quiet * frames.max())
    start, end = loud[0] * step - round(margin * RATE), (loud[-1] + 1) * step + round(margin * RATE)
    return waveform[max(start, 0) : end]
