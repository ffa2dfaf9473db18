"""Seeds and intervals: the coverage that they promise is checked by simulation."""

import numpy as np
import pytest

from mmbook.statistics import bootstrap_interval, mean_interval, seeds


def test_seeds_follow_the_environment(monkeypatch):
    monkeypatch.delenv("MMBOOK_SEED", raising=False)
    default = seeds(5)
    monkeypatch.setenv("MMBOOK_SEED", "0")
    assert seeds(5) == default
    monkeypatch.setenv("MMBOOK_SEED", "99991")
    other = seeds(5)
    assert not set(other) & set(default)
    assert len(set(other)) == 5
    assert all(0 <= s < 2**31 for s in other)
    assert seeds(3) == other[:3]


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5"])
def test_a_seed_that_is_no_number_is_named(monkeypatch, text):
    monkeypatch.setenv("MMBOOK_SEED", text)
    with pytest.raises(ValueError, match="MMBOOK_SEED"):
        seeds(2)


def test_t_interval_equals_the_textbook():
    # t(0.975, 4) = 2.776; mean 3, standard deviation sqrt(2.5)
    found = mean_interval([1, 2, 3, 4, 5])
    half = 2.7764451 * np.sqrt(2.5 / 5)
    assert found.mean == 3
    assert np.allclose([found.low, found.high], [3 - half, 3 + half])


@pytest.mark.parametrize("count", [3, 5, 10])
def test_t_interval_covers_95_percent(count):
    draws = np.random.default_rng(0).normal(1.0, 2.0, size=(4000, count))
    covered = np.mean([i.low <= 1.0 <= i.high for i in map(mean_interval, draws)])
    assert abs(covered - 0.95) < 0.012  # four standard errors of a share of 4,000


def test_a_bootstrap_of_five_values_would_be_too_narrow():
    """Why claims over seeds do not use it."""
    draws = np.random.default_rng(0).normal(0.0, 1.0, size=(400, 5))
    found = [bootstrap_interval(d, np.zeros(5), resamples=400) for d in draws]
    assert np.mean([i.low <= 0 <= i.high for i in found]) < 0.90


def test_paired_bootstrap_covers_95_percent_on_correlated_arms():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(400):
        ease = rng.random(200)  # the same item is easy or hard for both arms
        a, b = rng.random(200) < 0.3 + 0.6 * ease, rng.random(200) < 0.2 + 0.6 * ease
        found = bootstrap_interval(a, b, resamples=400, seed=trial)
        covered += found.low <= 0.1 <= found.high
    assert 0.915 < covered / 400 < 0.98


def test_pairing_narrows_the_interval():
    rng = np.random.default_rng(2)
    a = rng.normal(size=300)
    b = a + rng.normal(scale=0.1, size=300)
    paired, unpaired = bootstrap_interval(a, b), bootstrap_interval(a, rng.permutation(b))
    assert (paired.high - paired.low) < 0.2 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_intervals_refuse_what_they_cannot_judge(values):
    with pytest.raises(ValueError, match="interval needs"):
        mean_interval(values)


def test_bootstrap_refuses_unpaired_arms():
    with pytest.raises(ValueError, match="same items"):
        bootstrap_interval([1, 0, 1], [1, 0])
