"""The CLIP heads: they match what was measured, and the closed form is the one of ridge regression."""

import numpy as np
import pytest
import torch

from bookkit.models.clip_heads import fit, measure, one_each, ranks
from mmbook.datasets.clipart import load_clipart
from mmbook.models import store
from mmbook.models.clip_heads import NAME, ClipHeads, load_clip_heads, towards


def test_the_vendored_heads_do_what_their_record_says():
    clipart = load_clipart()
    recorded = store.load_made(NAME)["measured"]
    found = measure(load_clip_heads(), clipart, clipart.split_heads(seed=0)["test"])
    assert found == pytest.approx(recorded, abs=0.01)
    assert found["recall@10, unseen nouns"] > 8 * found["recall@10 by chance"]


def test_the_dual_form_equals_the_primal_one():
    torch.manual_seed(0)
    x, y = torch.randn(40, 12, dtype=torch.float64), torch.randn(40, 384, dtype=torch.float64)
    rows = np.arange(5, 40)
    weights = fit(x, y, rows, strength=0.7)
    z = (x[rows] - x[rows].mean(dim=0)) / (x[rows].std(dim=0) + 1e-6)
    strength = 0.7 * z.square().sum(dim=1).mean()
    target = towards(y[rows], y[rows].mean(dim=0))
    primal = torch.linalg.solve(z.T @ z + strength * torch.eye(12), z.T @ target)
    assert torch.allclose(weights["map"], primal, atol=1e-8)


def test_a_centre_of_its_own_undoes_a_shift_of_a_whole_collection():
    torch.manual_seed(0)
    heads = ClipHeads({"map": torch.randn(6, 384), "mean": torch.zeros(6), "spread": torch.ones(6)})
    found = torch.randn(4, 6)
    found -= found.mean(dim=0)
    assert torch.allclose(heads.place(found).norm(dim=1), torch.ones(4), atol=1e-5)
    shifted = found + 2.0
    assert not torch.allclose(heads.place(shifted), heads.place(found), atol=0.1)
    assert torch.allclose(heads.place(shifted, shifted.mean(dim=0)), heads.place(found), atol=1e-5)


def test_ranks_count_from_one_and_one_drawing_stands_for_each_noun():
    assert ranks(torch.tensor([[3.0, 1.0], [2.0, 1.0]])).tolist() == [1.0, 2.0]
    clipart = load_clipart()
    rows = one_each(clipart, clipart.split_heads(seed=0)["test"])
    assert len(rows) == len({clipart.heads[i] for i in rows}) == 150


def test_the_card_says_what_was_held_out():
    card = store.load_card(NAME)
    assert "test nouns were held out" in card["trained_on"]
    assert {"title", "summary", "licence", "limits", "load"} <= set(card)
