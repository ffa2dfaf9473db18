"""The feelings of emoji: what the card says, a row of the published table, and that it joins the pictures."""

import torch

from mmbook.datasets.emoji import load_emoji
from mmbook.datasets.feelings import load_feelings


def test_size_and_form():
    feelings = load_feelings()
    assert len(feelings) == feelings.card["size"]["emoji"] == len(set(feelings.codes))
    assert feelings.counts.dtype == torch.int64
    assert feelings.counts.shape == (len(feelings), 3)
    assert feelings.counts.sum(dim=1).min() >= 20
    assert feelings.score.abs().max() <= 1


def test_a_row_of_the_published_table():
    """Face with tears of joy: 14,622 occurrences, score 0.221 (Kralj Novak et al. 2015, table 3)."""
    feelings = load_feelings()
    row = feelings.codes.index("1f602")
    assert feelings.counts[row].tolist() == [3614, 4163, 6845]
    assert round(feelings.score[row].item(), 3) == 0.221


def test_most_of_them_have_a_picture():
    codes = {code.replace("-fe0f", "") for code in load_emoji().codes}
    assert len(codes & set(load_feelings().codes)) == 391
