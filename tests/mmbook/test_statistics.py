"""Seeds and intervals: the coverage that they promise is checked by simulation."""

import numpy as np
import pytest

from mmbook.statistics import Interval, bootstrap_interval, mean_interval, seeds


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


def test_the_correction_for_overlapping_splits_is_that_of_nadeau_and_bengio():
    """By hand: 1, 2, 3, 4, 5 have s^2 = 2.5; with a ratio of 1/4 the variance of the mean is 2.5 * 0.45."""
    found = mean_interval([1, 2, 3, 4, 5], test_to_train=0.25)
    half = 2.7764451051977987 * (2.5 * 0.45) ** 0.5  # the t quantile for 4 degrees of freedom
    assert found.mean == 3
    assert found.high - found.mean == pytest.approx(half)
    assert found.mean - found.low == pytest.approx(half)
    with pytest.raises(ValueError, match="test_to_train"):
        mean_interval([1, 2, 3], test_to_train=-1)


def test_it_keeps_its_coverage_where_the_plain_interval_does_not():
    """One pool of 50 items, 10 random splits of 40 to 10, the mean of the test items: the truth is 0."""
    rng = np.random.default_rng(0)
    covered = {0.0: 0, 0.25: 0}
    for _ in range(300):
        pool = rng.normal(size=50)
        means = [rng.permutation(pool)[:10].mean() - 0.0 for _ in range(10)]
        for ratio in covered:
            found = mean_interval(means, test_to_train=ratio)
            covered[ratio] += found.low <= 0 <= found.high
    assert covered[0.25] / 300 >= 0.93 > covered[0.0] / 300


def test_values_that_are_all_the_same_have_an_interval_of_no_width():
    assert mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)
    assert bootstrap_interval([1, 0, 1], [1, 0, 1]) == Interval(0.0, 0.0, 0.0)
