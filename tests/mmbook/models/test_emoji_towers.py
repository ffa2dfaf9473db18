"""The emoji towers: they match what was measured, and far more than chance on concepts that they never saw."""

import pytest
import torch

from bookkit.models.emoji_towers import HELD_OUT, measure, varied, word_embeddings
from mmbook.datasets.emoji import load_emoji
from mmbook.models import store
from mmbook.models.emoji_towers import NAME, EmojiTowers, load_emoji_towers


@pytest.fixture(scope="module")
def emoji():
    return load_emoji()


def test_the_vendored_weights_do_what_their_record_says(emoji):
    words = word_embeddings(emoji, emoji.split_concepts(seed=0)["test"])
    recorded, found = store.load_made(NAME)["measured"], measure(load_emoji_towers(), emoji, words)
    assert found == pytest.approx(recorded, abs=0.005)
    for styles in ("seen styles", "unseen style"):
        assert found[f"recall@10, unseen concepts, {styles}"] > 4 * found["recall@10 by chance"]


def test_the_towers_give_unit_vectors_and_each_gets_a_gradient():
    torch.manual_seed(0)
    model = EmojiTowers()
    image, text = torch.rand(5, 3, 64, 64), torch.randn(5, 384)
    assert torch.allclose(model.image(image).norm(dim=1), torch.ones(5), atol=1e-5)
    assert torch.allclose(model.text(7 * text), model.text(text), atol=1e-5)
    scores = model(image=image, text=text)
    assert scores.shape == (5, 5)
    assert scores.abs().max() <= 10.001  # the first scale is 10
    scores.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_variation_keeps_the_ground_white_and_moves_what_is_on_it():
    torch.manual_seed(0)
    pictures = torch.ones(8, 3, 64, 64)
    assert torch.equal(varied(pictures), pictures)
    pictures[:, :, 20:40, 20:40] = 0.0
    moved = varied(pictures)
    assert 0 <= moved.min() < 0.15
    assert moved.max() == 1
    centers = ((1 - moved).sum(dim=(1, 2)) * torch.arange(64.0)).sum(dim=1) / (1 - moved).sum(dim=(1, 2, 3))
    assert centers.std() > 1


def test_the_card_says_what_was_held_out_and_the_weights_are_small():
    card = store.load_card(NAME)
    assert HELD_OUT in card["trained_on"]
    assert {"title", "summary", "licence", "limits", "load"} <= set(card)
    assert (store.MODELS / NAME / store.WEIGHTS).stat().st_size <= 3 * 2**20
