"""The captioner: it matches what was measured and uses the picture; gradients reach what is trained and only that."""

import math

import numpy as np
import pytest
import torch

from bookkit.models.captioner import BLIND_RATE, RATE, TOGETHER, CaptionerJob, measure, mentions, unseen_vectors
from bookkit.models.clip_heads import one_each
from mmbook.datasets.clipart import load_clipart
from mmbook.datasets.emoji import load_emoji
from mmbook.encoders.language import LanguageModel
from mmbook.models import store
from mmbook.models.captioner import NAME, TOKENS, Captioner, load_captioner, prefix, score, write
from mmbook.models.clip_heads import load_clip_heads


@pytest.fixture(scope="module")
def language():
    return LanguageModel()


def test_the_vendored_connector_does_what_its_record_says(language):
    clipart = load_clipart()
    rows = clipart.split_heads(seed=0)["test"]
    drawings = torch.zeros(len(clipart), 384)
    some = one_each(clipart, rows)
    drawings[some] = load_clip_heads().image(clipart.images[some])
    recorded = store.load_made(NAME)["measured"]
    found = measure(load_captioner(), language, clipart, drawings, rows)
    assert found == pytest.approx(recorded, abs=0.1)
    assert found["right picture"] < found["no picture"] - 2
    assert found["right picture"] < found["another picture"] - 2


def test_tokens_are_as_large_as_words_and_gradients_reach_connector_and_blind_tokens(language):
    torch.manual_seed(0)
    model = Captioner(size=0.25).eval()
    seen = torch.nn.functional.normalize(torch.randn(3, 384), dim=1)
    tokens = model(seen)
    assert tokens.shape == (3, TOKENS, 576)
    assert torch.allclose(tokens.std(dim=2, correction=0), torch.full((3, TOKENS), 0.25), rtol=0.02)
    assert torch.allclose(model.without(2)[0], model.without(2)[1])
    both = torch.cat([tokens[:1], model.without(1)])
    score(language, both, ["red apple", "red apple"]).nats.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert all(p.grad is None for p in language.model.parameters())


def test_the_prompt_follows_the_picture_and_a_caption_is_scored_with_its_end(language):
    tokens = Captioner(size=0.1).eval().without(2).detach()
    whole = prefix(language, tokens)
    words = language.tokens(["\nCaption:"])["input_ids"]
    assert whole.shape == (2, TOKENS + words.shape[1], 576)
    assert torch.equal(whole[:, TOKENS:], language.embed(words).expand(2, -1, -1))
    found = score(language, tokens, ["apple", "red apple"])
    assert found.tokens.tolist() == [2, 3]
    assert len(write(language, tokens)) == 2


def test_no_training_drawing_is_seen_by_heads_that_know_its_noun():
    clipart = load_clipart()
    rows = clipart.split_heads(seed=0)["train"][:60]
    found = unseen_vectors(clipart, rows)
    assert found.shape == (2, len(rows), 384)
    assert torch.allclose(found.norm(dim=2), torch.ones(2, len(rows)), atol=1e-4)
    assert 0.3 < (found[0] * found[1]).sum(dim=1).mean() < 0.999  # a drawing and its mirror image
    known = load_clip_heads().image(clipart.images[rows])
    texts = load_clip_heads().text([clipart.captions[i] for i in rows])
    assert (known * texts).sum(dim=1).mean() > (found[0] * texts).sum(dim=1).mean() + 0.1


def test_emoji_that_mention_a_hidden_noun_are_found():
    emoji = load_emoji()
    cat = emoji.labels.index("cat face")
    assert mentions(emoji, cat, {"cat"})
    assert not mentions(emoji, cat, {"ca"})


def test_the_card_says_what_was_held_out():
    card = store.load_card(NAME)
    assert "test nouns" in card["trained_on"]
    assert {"title", "summary", "licence", "limits", "load"} <= set(card)


def test_after_the_connector_only_the_tokens_of_no_picture_train(language):
    torch.manual_seed(0)
    job = CaptionerJob.__new__(CaptionerJob)  # without the vectors of all pictures
    job.seed, job.epochs, job.best, job.concepts, job.symbols = 0, TOGETHER + 1, 1.0, [], {}
    job.clipart, job.language, job.model = load_clipart(), language, Captioner(size=0.1)
    rows = job.clipart.split_heads(seed=0)["train"][:8]
    job.split = {"train": rows, "validation": rows[:3]}
    job.views, job.drawings = torch.randn(2, 8, 384), torch.zeros(len(job.clipart), 384)
    groups = [{"params": list(job.model.layers.parameters()), "top": RATE, "weight_decay": 0.05}]
    job.optimizer = torch.optim.AdamW([*groups, {"params": [job.model.blind], "top": BLIND_RATE}])
    job.kept = {k: v.clone() for k, v in job.model.state_dict().items()}
    before = {k: v.clone() for k, v in job.kept.items()}
    job.epoch(TOGETHER)
    moved = {k for k, v in job.model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"blind"}
    assert np.isclose(job.best, measure(job.model, language, job.clipart, job.drawings, rows[:3])["no picture"])
    assert torch.equal(job.kept["blind"], job.model.blind)
    assert 1.0 < job.best < math.inf
