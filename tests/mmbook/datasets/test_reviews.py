"""The clothing reviews: what the card says, no garment on two sides, no rating in the table."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score

from mmbook.datasets.base import PARTS
from mmbook.datasets.reviews import load_reviews


@pytest.fixture(scope="module")
def reviews():
    return load_reviews()


def test_size_form_and_card(reviews):
    assert len(reviews) == reviews.card["size"]["reviews"] == 12_000
    assert reviews.modalities["table"].shape == (len(reviews), len(reviews.extra["columns"]))
    assert torch.isfinite(reviews.modalities["table"]).all()
    assert len(set(reviews.extra["text"])) == len(reviews)
    assert set(reviews.target.tolist()) == {1.0, 2.0, 3.0, 4.0, 5.0}


@pytest.mark.parametrize("seed", [0, 3, 99991])
def test_no_garment_stands_on_two_sides(seed):
    data = load_reviews(seed)
    garments = [set(data.unit[data.split[part]].tolist()) for part in PARTS]
    assert not garments[0] & garments[1] | garments[0] & garments[2] | garments[1] & garments[2]
    assert sum(map(len, data.split.values())) == len(data)
    assert min(map(len, data.split.values())) > 500


def test_the_rating_is_never_in_the_table(reviews):
    other = load_reviews(target="recommended")
    assert "recommended" in reviews.extra["columns"]
    assert "recommended" not in other.extra["columns"]
    for data in (reviews, other):
        stars = torch.tensor(data.extra["frame"]["rating"].to_numpy(), dtype=torch.float32)
        for column in data.modalities["table"].T:
            assert abs(np.corrcoef(column, stars)[0, 1]) < 0.85  # the flag alone reaches about 0.8


def test_numbers_are_standardised_on_the_training_part_only(reviews):
    train = reviews.modalities["table"][reviews.split["train"], :2]
    assert torch.allclose(train.mean(dim=0), torch.zeros(2), atol=1e-4)
    assert torch.allclose(train.std(dim=0), torch.ones(2), atol=1e-4)


def test_the_table_alone_predicts_as_was_measured_before(reviews):
    """Study: R2 of the rating .624 with the flag; AUC of the recommendation .576 without it."""
    (train, y), (test, z) = reviews.part("train"), reviews.part("test")
    found = r2_score(z, Ridge().fit(train["table"], y).predict(test["table"]))
    assert 0.55 < found < 0.69
    other = load_reviews(target="recommended")
    (train, y), (test, z) = other.part("train"), other.part("test")
    model = LogisticRegression(max_iter=500).fit(train["table"], y)
    assert 0.52 < roc_auc_score(z, model.predict_proba(test["table"])[:, 1]) < 0.64


def test_faulty_requests_are_named(reviews):
    with pytest.raises(ValueError, match="recommended"):
        load_reviews(target="stars")  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="validation"):
        reviews.part("dev")
