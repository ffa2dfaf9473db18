"""Telephone prompts: parallel, complete, with lines where they are known, and sounds as long as their lines."""

import re
from collections import Counter

import numpy as np
import pytest

from mmbook.datasets.prompts import RATE, load_prompts


@pytest.fixture(scope="module")
def prompts():
    return load_prompts()


def test_each_prompt_is_spoken_once_in_each_language(prompts):
    assert len(prompts) == prompts.card["size"]["recordings"] == 265
    assert Counter(prompts.languages) == dict.fromkeys(("en", "es", "fr", "it", "ru"), 53)
    assert len(set(zip(prompts.names, prompts.languages, strict=True))) == 265
    orders = [[prompts.names[i] for i in prompts.of(language)] for language in ("en", "es", "fr", "it", "ru")]
    assert all(order == orders[0] for order in orders)
    assert len(set(prompts.persons)) == 4
    with pytest.raises(ValueError, match="no recordings in 'de'"):
        prompts.of("de")


def test_english_and_russian_have_their_lines_and_the_others_none(prompts):
    for language, text, english in zip(prompts.languages, prompts.texts, prompts.english, strict=True):
        assert bool(text) == (language in ("en", "ru"))
        assert 4 <= len(english.split()) <= 16
        assert not re.search(r"\d", text + english)
        if language == "en":
            assert text == english
        if language == "ru":
            assert re.search("[а-я]", text)
            assert not re.search("[a-zA-Z]", text)


def test_sounds_are_loud_enough_and_as_long_as_their_lines(prompts):
    for sound, text in zip(prompts.sounds, prompts.texts, strict=True):
        assert sound.dtype == np.float32
        assert 0.88 < np.abs(sound).max() <= 0.92
        seconds = len(sound) / RATE
        assert 0.5 < seconds < 4.6
        assert not text or 8 < len(text) / seconds < 24
