"""The synthetic views: their information is what the dials say, the oracle reaches the ceilings, nothing leaks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from mmbook.datasets.base import Dataset, split_items, split_units
from mmbook.worlds import noisy_views
from mmbook.worlds.synergy import World, xor

COUNT = 20_000
MIXED = World(redundant=0.3, unique_a=0.2, unique_b=0.1, synergy=0.25)


def mutual_information(x: np.ndarray, y: np.ndarray) -> float:
    """Plug-in estimate in bits."""
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    outer = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / outer[seen])).sum())


@pytest.mark.parametrize("seed", [0, 5])
def test_the_bits_are_those_of_the_dials(seed):
    data = MIXED.sample(COUNT, seed)
    a, b = data.extra["symbols"].numpy().T
    y = data.target.numpy()
    assert mutual_information(a, y) == pytest.approx(0.5, abs=0.02)
    assert mutual_information(b, y) == pytest.approx(0.4, abs=0.02)
    assert mutual_information(a * 5 + b, y) == pytest.approx(0.85, abs=0.02)


@pytest.mark.parametrize("modality", ["a", "b", "both"])
@pytest.mark.parametrize("world", [MIXED, xor(), World(unique_a=0.6), World(), World(redundant=1, directions=3)])
def test_the_oracle_reaches_the_ceiling_and_not_more(world, modality):
    data = world.sample(COUNT, 1)
    found = (world.oracle(data, modality) == data.target).double().mean().item()
    ceiling = world.ceiling(modality)
    assert found == pytest.approx(ceiling, abs=4 * math.sqrt(0.25 / COUNT))


def test_ceilings_of_the_noisy_views():
    world = noisy_views.World()
    data = world.sample(COUNT, 2)
    for modality, ceiling in zip(("a", "b", "both"), (0.75, 0.75, 0.925), strict=True):
        assert world.ceiling(modality) == pytest.approx(ceiling)
        found = (world.oracle(data, modality) == data.target).double().mean().item()
        assert found == pytest.approx(ceiling, abs=4 * math.sqrt(ceiling * (1 - ceiling) / COUNT))


@pytest.mark.parametrize(("data", "ceilings"), [
    (noisy_views.World().sample(8000, 3), (0.75, 0.75, 0.925)),
    (xor().sample(8000, 3), (0.5, 0.5, 1.0)),
])  # fmt: skip
def test_no_leak_lets_a_learner_pass_the_ceiling(data, ceilings):
    for columns, ceiling in zip((["a"], ["b"], ["a", "b"]), ceilings, strict=True):
        x = torch.cat([data.modalities[c] for c in columns], dim=1).numpy()
        train, test = data.split["train"].numpy(), data.split["test"].numpy()
        model = HistGradientBoostingClassifier(max_iter=40).fit(x[train], data.target[train])
        found = model.score(x[test], data.target[test])
        assert found <= ceiling + 4 * math.sqrt(0.25 / len(test))


def test_a_seed_decides_everything():
    one, two, three = (noisy_views.World().sample(50, seed) for seed in (1, 1, 2))
    assert torch.equal(one.modalities["a"], two.modalities["a"])
    assert not torch.equal(one.modalities["a"], three.modalities["a"])
    other_world = noisy_views.World(directions=9).sample(50, 1)
    assert torch.equal(one.target, other_world.target)
    assert not torch.equal(one.modalities["a"], other_world.modalities["a"])


def test_classes_are_balanced_and_shapes_are_right():
    data = noisy_views.World(dim=24).sample(6000, 0)
    assert data.modalities["b"].shape == (6000, 24)
    assert data.modalities["b"].dtype == torch.float32
    counts = data.target.bincount()
    assert counts.min() > 0.85 * counts.max()


@pytest.mark.parametrize("shares", [{"synergy": 1.2}, {"unique_a": -0.1}, {"redundant": 0.6, "unique_b": 0.5}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match="sum to at most 1"):
        World(**shares)


def test_too_few_dimensions_are_refused():
    with pytest.raises(ValueError, match="symbols need dim"):
        noisy_views.World(dim=4).sample(10, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=10, max_size=80), st.integers(0, 2**31))
def test_splits_by_unit_are_disjoint_and_complete(units, seed):
    unit = torch.tensor(units)
    split = split_units(unit, seed)
    assert sorted(torch.cat(list(split.values())).tolist()) == list(range(len(units)))
    Dataset("toy", {"x": unit}, unit, split, {}, unit=unit)  # raises if a unit stands on two sides


def test_a_leaking_split_is_refused():
    unit = torch.tensor([0, 0, 1, 2, 3, 3])
    split = {"train": torch.tensor([0, 2]), "validation": torch.tensor([1]), "test": torch.tensor([3, 4])}
    with pytest.raises(ValueError, match="unit stands in two parts"):
        Dataset("toy", {"x": unit}, unit, split, {}, unit=unit)
    twice = split_items(6, 0) | {"test": torch.tensor([0, 1, 2, 3, 4, 5])}
    with pytest.raises(ValueError, match="item stands in two parts"):
        Dataset("toy", {"x": unit}, unit, twice, {})
    with pytest.raises(ValueError, match="not aligned"):
        Dataset("toy", {"x": unit[:3]}, unit, split_items(6, 0), {})
