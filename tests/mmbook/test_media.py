"""Sounds survive the codec, frames survive the strip, and every player has a name."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from mmbook import media

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)


@pytest.fixture
def shown(monkeypatch):
    found: list[dict] = []
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **_: found.append(data))
    return found


def test_a_sound_comes_back_from_the_codec():
    samples, rate = soundfile.read(io.BytesIO(media.mp3(TONE, RATE)))
    assert rate == 16000
    assert len(samples) == pytest.approx(2 * len(TONE), abs=1500)
    middle = samples[4000:12000]
    spectrum = np.abs(np.fft.rfft(middle))
    assert spectrum.argmax() * rate / len(middle) == pytest.approx(440, abs=3)
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / 2**0.5, rel=0.05)


def test_a_second_of_speech_is_a_few_kilobytes():
    assert len(media.mp3(TONE, RATE)) < 6000


def test_each_player_has_a_name_and_loads_nothing_before_it_is_wanted(shown):
    media.play({'the word "one" & more': TONE, "noise": TONE[:100]}, RATE)
    (data,) = shown
    assert data["text/html"].count('<audio controls preload="none"') == 2
    assert 'aria-label="the word &quot;one&quot; &amp; more"' in data["text/html"]
    assert "noise" in data["text/plain"]


@pytest.mark.parametrize(
    "wave", [np.zeros((2, 5)), np.zeros(0), np.array([np.nan]), np.array([2.0])], ids=["stereo", "empty", "nan", "loud"]
)
def test_what_is_no_sound_is_refused(wave):
    with pytest.raises(ValueError, match="between -1 and 1"):
        media.mp3(wave, RATE)


def test_a_sound_needs_a_label(shown):
    for sounds in ({}, {" ": TONE}):
        with pytest.raises(ValueError, match="label"):
            media.play(sounds, RATE)
    assert shown == []


@pytest.mark.parametrize("shape", [(5, 8, 6), (5, 3, 8, 6)], ids=["grey", "colours"])
def test_frames_stand_side_by_side_without_loss(shown, shape):
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    media.show_frames(frames, "a spot that wanders", per_second=10)
    html = shown[0]["text/html"]
    data = base64.b64decode(re.search(r"data:image/webp;base64,([\w+/=]+)", html)[1])
    strip = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert strip.shape == (8, 30, 3)
    for number, frame in enumerate(frames):
        wanted = frame.transpose(1, 2, 0) if frame.ndim == 3 else np.stack([frame] * 3, axis=-1)
        assert np.array_equal(strip[:, 6 * number : 6 * number + 6], wanted)
    assert "0.50s steps(5,jump-none) infinite paused" in html
    assert 'role="img" aria-label="a spot that wanders"' in html
    assert '<input type="checkbox"' in html


def test_frames_need_words_and_a_shape(shown):
    with pytest.raises(ValueError, match="alt"):
        media.show_frames(np.zeros((2, 4, 4), dtype=np.uint8), "spot")
    for frames in (np.zeros((2, 4, 4)), np.zeros((2, 4, 4, 3), dtype=np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            media.show_frames(frames, "a spot that wanders")
    assert shown == []
