"""Sounds to hear and pictures that move, in notebooks and on the site, without a script.

What is shown carries its data along, so that one notebook alone plays anywhere; the build moves the data into files.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Mapping

import numpy as np
import soundfile
from PIL import Image
from scipy import signal

RATES = (16000, 24000)  # samples per second of what is played: all browsers play MP3 of these
STYLE = (
    "<style>@keyframes mm-frames{from{background-position:0 0}to{background-position:100% 0}}"
    ".mm-clip input:checked~.mm-frames{animation-play-state:running!important}</style>"
)


def mp3(waveform: np.ndarray, rate: int) -> bytes:
    """A sound (samples,), -1 to 1, as MP3.

    Raises:
        ValueError: not one row of finite numbers, or louder than 1.
    """
    samples = np.asarray(waveform, dtype=np.float32)
    if samples.ndim != 1 or not len(samples) or not np.isfinite(samples).all() or np.abs(samples).max() > 1.001:
        raise ValueError(f"a sound is (samples,) between -1 and 1, got shape {samples.shape}")
    target = RATES[0] if rate <= RATES[0] else RATES[1]
    if rate != target:
        samples = np.clip(signal.resample_poly(samples, target, rate), -1, 1).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, target, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()


def play(sounds: Mapping[str, np.ndarray], rate: int) -> None:
    """Show a player for each sound.

    Args:
        sounds: what is heard, in words (the label and the player's accessible name) -> (samples,), -1 to 1.
        rate: samples per second.

    Raises:
        ValueError: no label, or something that is no sound.
    """
    if not sounds or not all(label.strip() for label in sounds):
        raise ValueError("each sound needs a label that says what is heard")
    players = [_player(label, mp3(np.asarray(wave), rate)) for label, wave in sounds.items()]
    _show(f'<div class="mm-sounds">{"".join(players)}</div>', "Sounds: " + "; ".join(sounds))


def _player(label: str, data: bytes) -> str:
    name = html.escape(label, quote=True)
    return (
        f'<figure class="mm-sound"><figcaption>{name}</figcaption>'
        f'<audio controls preload="none" aria-label="{name}" src="{_inline("audio/mpeg", data)}"></audio></figure>'
    )


def show_frames(frames: np.ndarray, alt: str, *, per_second: float = 10, width: int = 192) -> None:
    """Show pictures that move once the reader starts them; until then the first one stands still.

    Args:
        frames: uint8 (count, height, width) grey or (count, 3, height, width) colours.
        alt: what a reader who can't see them should learn, in a sentence.
        width: CSS pixels.

    Raises:
        ValueError: no alternative text, or frames of another shape or type.
    """
    if len(alt.split()) < 3:
        raise ValueError(f"alt={alt!r}: say in a sentence what moves")
    strip, count = _strip(np.asarray(frames)), len(frames)
    name = "m" + hashlib.sha256(strip).hexdigest()[:8]
    height, across = np.asarray(frames).shape[-2:]
    style = (
        f"width:{width}px;max-width:100%;aspect-ratio:{across}/{height};image-rendering:pixelated;"
        f"background:url({_inline('image/webp', strip)}) 0 0/{count * 100}% 100% no-repeat;"
        f"animation:mm-frames {count / per_second:.2f}s steps({count},jump-none) infinite paused"
    )
    label = html.escape(alt, quote=True)
    markup = (
        f'<figure class="mm-clip">{STYLE}<input type="checkbox" id="{name}"> <label for="{name}">Play</label>'
        f'<div class="mm-frames" role="img" aria-label="{label}" style="{style}"></div></figure>'
    )
    _show(markup, f"Moving pictures: {alt}")


def _strip(frames: np.ndarray) -> bytes:
    """All frames side by side, as lossless WebP."""
    if frames.dtype != np.uint8 or frames.ndim not in (3, 4) or (frames.ndim == 4 and frames.shape[1] != 3):
        raise ValueError(f"frames are uint8 (count, H, W) or (count, 3, H, W), got {frames.dtype} {frames.shape}")
    side_by_side = np.concatenate(list(frames), axis=-1)
    file = io.BytesIO()
    pixels = side_by_side.transpose(1, 2, 0) if frames.ndim == 4 else side_by_side
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def _inline(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def _show(markup: str, text: str) -> None:
    from IPython.display import publish_display_data

    publish_display_data({"text/html": markup, "text/plain": text})
