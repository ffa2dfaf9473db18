"""From a waveform to a log-mel spectrogram: the picture of sound that most audio encoders read."""

from __future__ import annotations

import torch

RATE = 8000  # samples per second
WINDOW, HOP = 256, 128  # samples: 32 ms and 16 ms
BANDS = 32
FLOOR = 1e-5


def hertz_to_mel(hertz: torch.Tensor) -> torch.Tensor:
    """O'Shaughnessy's formula, as HTK has it."""
    return 2595 * torch.log10(1 + hertz / 700)


def mel_to_hertz(mel: torch.Tensor) -> torch.Tensor:
    """The inverse of ``hertz_to_mel``."""
    return 700 * (10 ** (mel / 2595) - 1)


def mel_filters(bands: int = BANDS, window: int = WINDOW, rate: int = RATE) -> torch.Tensor:
    """Overlapping triangles, evenly spaced on the mel scale: (window / 2 + 1, bands)."""
    top = hertz_to_mel(torch.tensor(rate / 2, dtype=torch.float64))
    corners = mel_to_hertz(torch.linspace(0, top.item(), bands + 2, dtype=torch.float64))  # (bands + 2,)
    bins = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)[:, None]  # (window / 2 + 1, 1)
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)  # (window / 2 + 1, bands)


def power_spectrogram(waveform: torch.Tensor, window: int = WINDOW, hop: int = HOP) -> torch.Tensor:
    """Power of each frequency in each window: (..., samples) -> (..., window / 2 + 1, frames)."""
    shape = torch.hann_window(window, dtype=waveform.dtype)
    return torch.stft(waveform, window, hop, window=shape, return_complex=True).abs() ** 2


def log_mel(waveform: torch.Tensor, bands: int = BANDS) -> torch.Tensor:
    """Logarithm (base 10) of the power in each mel band: (..., samples) -> (..., bands, frames).

    Frames are centred on every ``HOP``-th sample; there are ``samples // HOP + 1`` of them.
    """
    power = power_spectrogram(waveform)  # (..., window / 2 + 1, frames)
    filters = mel_filters(bands).to(power.dtype)
    return torch.log10((filters.T @ power).clamp(min=FLOOR))


def without_channel(log_mels: torch.Tensor) -> torch.Tensor:
    """Each band minus its mean over time: removes what a microphone or a line adds to all frames."""
    return log_mels - log_mels.mean(dim=-1, keepdim=True)
