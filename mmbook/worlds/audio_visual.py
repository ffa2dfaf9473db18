"""Digits seen and heard: a handwritten picture and a spoken word of the same digit, with a dial for each."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmbook.datasets.base import PARTS, Dataset
from mmbook.datasets.digits import load_digits
from mmbook.datasets.store import load_card
from mmbook.datasets.voices import load_voices
from mmbook.encoders.audio import log_mel, without_channel

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
CHUNK = 64  # clips at a time: they stay in the processor's cache, which more than halves the time


@dataclass(frozen=True)
class World:
    """Pairs drawn by digit: a real picture (MNIST) with a synthetic voice, both disturbed.

    Given the digit, picture and sound are independent, which favours late fusion: nothing about one
    tells anything about the other but the digit itself. Pictures and voices are real material, so no best possible
    accuracy is known.

    Attributes:
        image_noise: standard deviation of what is added to pixels (0 black to 1 white).
        audio_snr: power of the spoken word over that of the added white noise, in decibels.
    """

    image_noise: float = 1.0
    audio_snr: float = 0.0

    def sample(self, count: int, seed: int) -> Dataset:
        """Pairs, of which 60 % are for training and 20 % each for validation and test.

        Args:
            seed: which speakers and pictures go where, the pairing, and the noise.

        Returns:
            modalities ``image``, float32 (count, 1, 28, 28), and ``audio``, float32 (count, 32, 51), log-mel
            with each band's mean removed; target 0 to 9; ``unit``, the speaker; no speaker and no picture
            stands on two sides; ``extra["waveform"]``, float32 (count, 6400), the noisy sound;
            ``extra["picture"]``, int64 (count,), the number of the picture.

        Raises:
            ValueError: ``count`` is more than there are pictures, or below 10.
        """
        pictures, voices = load_digits(seed), load_voices(seed)
        if not 10 <= count <= len(pictures):
            raise ValueError(f"count={count} must be between 10 and the {len(pictures)} pictures")
        generator = torch.Generator().manual_seed(seed)
        chosen = {part: _pairs(pictures, voices, part, round(count * SHARES[part]), generator) for part in PARTS}
        seen, heard = (torch.cat([chosen[part][side] for part in PARTS]) for side in (0, 1))
        image = pictures.modalities["image"][seen]
        image = image + self.image_noise * torch.randn(image.shape, generator=generator)
        clips = voices.modalities["audio"][heard].split(CHUNK)
        noisy = [_noisy(some, self.audio_snr, generator) for some in clips]
        sizes = [len(chosen[part][0]) for part in PARTS]
        rows = torch.arange(sum(sizes)).split(sizes)
        return Dataset(
            name="audio_visual",
            modalities={"image": image, "audio": torch.cat([without_channel(log_mel(some)) for some in noisy])},
            target=pictures.target[seen],
            split=dict(zip(PARTS, rows, strict=True)),
            card=load_card("audio_visual"),
            unit=None if voices.unit is None else voices.unit[heard],
            extra={"waveform": torch.cat(noisy), "picture": seen},
        )


def _pairs(
    pictures: Dataset, voices: Dataset, part: str, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of ``count`` pictures, each once, and of a clip of the same digit for each."""
    seen = pictures.split[part]
    seen = seen[torch.randperm(len(seen), generator=generator)[:count]]
    clips = voices.split[part]
    heard = torch.empty_like(seen)
    for digit in range(10):
        here, candidates = pictures.target[seen] == digit, clips[voices.target[clips] == digit]
        drawn = torch.randint(len(candidates), (int(here.sum()),), generator=generator)
        heard[here] = candidates[drawn]
    return seen, heard


def _noisy(waveform: torch.Tensor, snr: float, generator: torch.Generator) -> torch.Tensor:
    """White noise added at a signal-to-noise ratio (dB), measured where there is sound: (items, samples)."""
    spoken = waveform != 0
    power = waveform.square().sum(dim=1) / spoken.sum(dim=1)  # (items,)
    scale = (power / 10 ** (snr / 10)).sqrt().unsqueeze(1)
    return waveform + scale * torch.randn(waveform.shape, generator=generator)
