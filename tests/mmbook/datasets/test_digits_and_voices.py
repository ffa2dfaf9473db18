"""Digits seen and heard: what is shipped, how it is split, and what the dials do."""

import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from mmbook.datasets import store
from mmbook.datasets.base import PARTS
from mmbook.datasets.digits import load_digits
from mmbook.datasets.sound import decode, encode, padded, read_clips, trimmed, write_clips
from mmbook.datasets.voices import load_speech, load_voices
from mmbook.encoders.audio import BANDS, HOP, RATE, WINDOW, log_mel, mel_filters, without_channel
from mmbook.worlds.audio_visual import World


@pytest.fixture(scope="module")
def pairs():
    return World(image_noise=0.5, audio_snr=10.0).sample(1000, 3)


def test_digits_are_balanced_pictures():
    data = load_digits(0)
    assert data.modalities["image"].shape == (5000, 1, 28, 28)
    assert torch.bincount(data.target).tolist() == [500] * 10
    assert (data.modalities["image"].min(), data.modalities["image"].max()) == (0.0, 1.0)
    assert data.modalities["image"][:, :, 0, :].mean() < 0.01  # ink is in the middle
    flat = data.modalities["image"].flatten(1)
    assert len(flat.unique(dim=0)) > 4990  # hardly a picture twice
    train, test = (data.split[p] for p in ("train", "test"))
    model = LogisticRegression(max_iter=200, C=0.05).fit(flat[train], data.target[train])
    assert model.score(flat[test], data.target[test]) > 0.85  # the labels belong to the pictures


def test_every_voice_says_every_digit_and_speakers_are_apart():
    data = load_voices(1)
    speakers = len(data.extra["speakers"])
    assert len(set(data.extra["speakers"])) == speakers
    said = torch.zeros(speakers, 10).index_put((data.unit, data.target), torch.ones(len(data)), accumulate=True)
    assert (said == 2).all()
    sides = [set(data.unit[data.split[part]].tolist()) for part in PARTS]
    assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides)) == speakers


def test_clips_are_words_without_silence_before_them():
    audio = load_voices().modalities["audio"]
    assert audio.shape[1] == 6400
    assert audio.abs().amax(dim=1).min() > 0.8
    early = audio[:, :800].abs().amax(dim=1)
    assert early.min() > 0.02  # something is heard within 100 ms


def test_pairs_agree_and_nothing_leaks(pairs):
    digits, voices = load_digits(3), load_voices(3)
    assert torch.equal(digits.target[pairs.extra["picture"]], pairs.target)
    assert len(pairs.extra["picture"].unique()) == len(pairs) == 1000
    for part in PARTS:
        assert set(pairs.extra["picture"][pairs.split[part]].tolist()) <= set(digits.split[part].tolist())
        assert set(pairs.unit[pairs.split[part]].tolist()) <= set(voices.unit[voices.split[part]].tolist())
    assert [len(pairs.split[part]) for part in PARTS] == [600, 200, 200]
    assert pairs.modalities["audio"].shape == (1000, BANDS, 6400 // HOP + 1)


def test_pairing_tells_nothing_but_the_digit(pairs):
    """Among pairs of one digit the speaker says nothing about the picture's ink: views are independent given it."""
    ink = load_digits(3).modalities["image"][pairs.extra["picture"]].mean(dim=(1, 2, 3))
    ink = ink - torch.stack([ink[pairs.target == d].mean() for d in range(10)])[pairs.target]
    means = torch.stack([ink[pairs.unit == s].mean() for s in pairs.unit.unique()])
    spread = ink.std() / (len(pairs) / len(means)) ** 0.5
    assert means.std() < 1.6 * spread


@pytest.mark.parametrize(("snr", "noise"), [(20.0, 0.0), (0.0, 1.0), (-12.0, 3.0)])
def test_the_dials_set_the_noise(snr, noise):
    clean = World(image_noise=0.0, audio_snr=200.0).sample(200, 0)
    data = World(image_noise=noise, audio_snr=snr).sample(200, 0)
    assert torch.equal(clean.extra["picture"], data.extra["picture"])
    added = data.modalities["image"] - clean.modalities["image"]
    assert added.std() == pytest.approx(noise, abs=0.01)
    sound, hiss = clean.extra["waveform"], data.extra["waveform"] - clean.extra["waveform"]
    spoken = sound.abs() > 1e-6
    ratio = (sound.square().sum(1) / spoken.sum(1)) / hiss.square().mean(1)
    assert 10 * ratio.log10().median() == pytest.approx(snr, abs=0.5)


@pytest.mark.parametrize("count", [9, 5001])
def test_more_pairs_than_pictures_are_refused(count):
    with pytest.raises(ValueError, match="5000 pictures"):
        World().sample(count, 0)


def test_the_spectrogram_is_that_of_the_noisy_sound():
    data = World().sample(100, 0)  # not a multiple of the clips that are worked on at a time
    assert torch.equal(data.modalities["audio"], without_channel(log_mel(data.extra["waveform"])))


def test_same_seed_same_pairs_other_seed_other_pairs():
    first, again, other = (World().sample(50, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first.modalities[k], again.modalities[k]) for k in first.modalities)
    assert not torch.equal(first.extra["picture"], other.extra["picture"])


@pytest.mark.parametrize("name", ["digits/digits.png", "digits/labels.json", "voices/synthetic.npz"])
def test_a_damaged_file_is_named(tmp_path, monkeypatch, name):
    folder, file = name.split("/")
    shutil.copytree(store.DATASETS / folder, tmp_path / folder)
    damaged = tmp_path / folder / "files" / file
    damaged.write_bytes(damaged.read_bytes()[:-1])
    monkeypatch.setattr(store, "DATASETS", tmp_path)
    with pytest.raises(store.DamagedDataError, match=file):
        store.verified(name)


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1, 1)))
def test_mu_law_keeps_sound_within_a_step(waveform):
    back = decode(encode(waveform))
    # One step of the curve at x is ln(256) (1 + 255 |x|) / 255 * 2 / 255; rounding errs by half of it.
    step = np.log(256) * (1 + 255 * np.abs(waveform)) / 255 * 2 / 255
    assert (np.abs(back - waveform) <= 0.55 * step).all()
    assert np.array_equal(encode(back), encode(waveform))


def test_clips_of_any_length_come_back(tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.uniform(-1, 1, size) for size in (3, 1, 10)]
    write_clips(tmp_path / "a.npz", clips)
    write_clips(tmp_path / "b.npz", clips)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = read_clips(tmp_path / "a.npz")
    assert [len(c) for c in back] == [3, 1, 10]
    assert max(np.abs(a - b).max() for a, b in zip(clips, back, strict=True)) < 0.025
    assert padded(back, 5).shape == (3, 5)
    assert np.array_equal(padded(back, 5)[1], [back[1][0], 0, 0, 0, 0])


def test_trimming_leaves_the_word():
    word = np.sin(np.arange(1600))
    silence = 0.001 * np.ones(4000)
    found = trimmed(np.concatenate([silence, word, silence]))
    assert 1600 + 2 * 240 - 160 <= len(found) <= 1600 + 2 * 240 + 160


def test_log_mel_is_the_reference_extractors():
    waveform = load_voices().modalities["audio"][7].double()
    filters = mel_filter_bank(WINDOW // 2 + 1, BANDS, 0, RATE / 2, RATE, norm=None, mel_scale="htk")
    assert np.abs(mel_filters().numpy() - filters).max() < 1e-9
    shape = window_function(WINDOW, "hann")
    reference = spectrogram(waveform.numpy(), shape, WINDOW, HOP, power=2.0, mel_filters=filters, mel_floor=1e-5)
    ours = log_mel(waveform)
    assert ours.shape == reference.shape == (BANDS, 51)
    assert np.abs(ours.numpy() - np.log10(reference)).max() < 1e-5


def test_a_line_that_colours_the_sound_is_removed():
    mels = log_mel(load_voices().modalities["audio"][:4])
    coloured = mels + torch.linspace(-1, 1, BANDS)[:, None]
    torch.testing.assert_close(without_channel(coloured), without_channel(mels), atol=1e-5, rtol=0)


def test_real_people_say_what_is_written():
    data = load_speech(0)
    extra = data.extra
    assert set(extra["language"]) == {"en", "es", "fr", "it", "ru"}
    assert len(extra["speakers"]) == 5
    assert all((data.unit == s).sum() >= 10 for s in range(5))
    assert (data.target == 7).sum() == 6  # six voices: two of them one person
    seven = {extra["text"][i] for i in (data.target == 7).nonzero().flatten()}
    assert seven == {"seven", "siete", "sept", "sette", "семь"}
    sentences = [t for t, kind in zip(extra["text"], extra["kind"], strict=True) if kind == "sentence"]
    assert len(sentences) >= 36
    assert all(len(t.split()) >= 2 for t in sentences)
    assert len(extra["samples"]) == len(data) == len(extra["checked"])
    lengths = torch.tensor(extra["samples"])
    assert data.modalities["audio"].shape[1] == lengths.max()
    assert all(data.modalities["audio"][i, lengths[i] :].abs().sum() == 0 for i in range(0, len(data), 17))


def test_longer_texts_take_longer_to_say():
    """Texts belong to their clips: the number of letters of a sentence tells its length."""
    extra = load_speech().extra
    rows = [i for i, kind in enumerate(extra["kind"]) if kind == "sentence"]
    letters, samples = ([len(extra["text"][i]) for i in rows], [extra["samples"][i] for i in rows])
    assert np.corrcoef(letters, samples)[0, 1] > 0.8
