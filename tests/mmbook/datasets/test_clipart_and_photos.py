"""Drawings and photographs: what the cards say, words that belong to their pictures, splits that do not leak."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbook.datasets.clipart import load_clipart
from mmbook.datasets.photos import load_photos


@pytest.fixture(scope="module")
def clipart():
    return load_clipart()


@pytest.fixture(scope="module")
def photos():
    return load_photos()


class TestClipart:
    def test_size_and_form(self, clipart):
        assert clipart.images.shape == (len(clipart), 3, 96, 96)
        assert clipart.images.dtype == torch.uint8
        assert len(clipart) == clipart.card["size"]["drawings"] == 1838
        assert len(set(clipart.heads)) == clipart.card["size"]["head_nouns"] == 555
        assert len(set(clipart.paths)) == len(clipart)
        assert all(clipart.authors)

    def test_every_drawing_shows_something_on_white(self, clipart):
        assert (clipart.images.float().std(dim=(1, 2, 3)) > 5).all()
        assert (clipart.images[:, :, 0, 0].float().mean(dim=1) > 240).float().mean() > 0.98

    def test_captions_are_short_phrases_and_keywords_say_something_else(self, clipart):
        for caption, head, keywords in zip(clipart.captions, clipart.heads, clipart.keywords, strict=True):
            assert 1 <= len(caption.split()) <= 8
            assert caption == caption.strip(" .")
            assert head == head.lower().strip()
            assert len(keywords) <= 5
            assert caption not in keywords
        assert len(set(clipart.captions)) > 0.98 * len(clipart)

    @pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
    def test_a_colour_in_the_caption_is_in_the_drawing(self, clipart, colour, channel):
        """So captions stand beside their own drawings: shifted by one, the share falls."""
        ink = clipart.images.float()
        strong = ink[:, channel] > 1.25 * torch.cat([ink[:, :channel], ink[:, channel + 1 :]], 1).max(1).values + 10
        strong = strong.flatten(1).any(dim=1).numpy()
        named = np.array([colour in caption.split() for caption in clipart.captions])
        assert named.sum() > 20
        assert strong[named].mean() > 0.85
        assert np.roll(strong, 1)[named].mean() < strong[named].mean()

    @given(seed=st.integers(0, 10**6), test=st.integers(0, 200), validation=st.integers(0, 100))
    @settings(max_examples=20, deadline=None)
    def test_no_head_noun_stands_on_two_sides(self, clipart, seed, test, validation):
        parts = clipart.split_heads(seed, test, validation)
        nouns = {name: {clipart.heads[i] for i in rows} for name, rows in parts.items()}
        assert len(nouns["test"]) == test
        assert len(nouns["validation"]) == validation
        assert sum(len(rows) for rows in parts.values()) == len(clipart)
        assert not nouns["train"] & nouns["test"] | nouns["train"] & nouns["validation"]
        assert not nouns["test"] & nouns["validation"]

    def test_a_split_that_leaves_nothing_to_train_on_is_refused(self, clipart):
        with pytest.raises(ValueError, match="no training nouns"):
            clipart.split_heads(0, test=500, validation=55)
        assert set(clipart.split_heads(1)["test"]) != set(clipart.split_heads(2)["test"])


class TestPhotos:
    def test_size_and_form(self, photos):
        assert photos.images.shape == (len(photos), 3, 192, 192)
        assert len(photos) == photos.card["size"]["photographs"] == 209
        assert sum(map(len, photos.captions)) == photos.card["size"]["captions"] == 120
        assert sum(map(len, photos.questions)) == photos.card["size"]["questions"] == 180
        assert len(photos.described) == 60

    def test_all_are_free_and_say_who_took_them_and_where_they_are_from(self, photos):
        assert {credit["licence"] for credit in photos.credits} == {"Public Domain", "CC0-1.0"}
        assert all(credit["author"] and credit["source"].startswith("https://") for credit in photos.credits)

    def test_no_photograph_stands_there_twice(self, photos):
        assert len({credit["source"] for credit in photos.credits}) > 0.97 * len(photos)
        small = torch.nn.functional.adaptive_avg_pool2d(photos.images.float(), 12).flatten(1)
        apart = torch.cdist(small, small, p=1) / small.shape[1] + 1e6 * torch.eye(len(small))
        assert apart.min() > 5

    def test_outside_its_box_a_photograph_is_white(self, photos):
        for picture, (top, bottom, left, right) in zip(photos.images, photos.boxes.tolist(), strict=True):
            assert max(bottom - top, right - left) == 192
            outside = torch.ones(192, 192, dtype=torch.bool)
            outside[max(top - 8, 0) : bottom + 8, max(left - 8, 0) : right + 8] = False  # WebP's blocks spread a little
            assert not outside.any() or picture[:, outside].float().mean() > 250
            assert picture[:, top:bottom, left:right].float().std() > 10

    def test_each_class_has_eight_photographs(self, photos):
        sizes = Counter(photos.kinds)
        del sizes["other"]
        assert len(sizes) == 13
        assert min(sizes.values()) >= 8

    def test_answers_can_not_be_had_from_the_questions(self, photos):
        pairs = [pair for row in photos.described for pair in photos.questions[row]]
        answers = Counter(answer for _, answer in pairs)
        assert answers["yes"] == answers["no"]
        assert answers.most_common(1)[0][1] <= 0.15 * len(pairs)
        for question, answer in pairs:
            assert question.endswith("?")
            assert 1 <= len(answer.split()) <= 2
            assert answer == answer.lower()

    def test_captions_are_two_different_sentences(self, photos):
        for row in photos.described:
            first, second = photos.captions[row]
            assert first != second
            assert all(4 <= len(line.split()) <= 16 and not line.endswith(".") for line in (first, second))
