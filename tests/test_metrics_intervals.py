"""Intervals: they cover what they promise, respect groups, and agree with SciPy."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from fetal_lib.metrics.intervals import (
    bootstrap_ci,
    conformal_quantile,
    empirical_coverage,
    with_interval,
)
from fetal_lib.metrics.regression import mae

VALUES = np.random.default_rng(0).gamma(2, 3, 200)


@pytest.mark.parametrize("statistic", [np.mean, np.median, np.std])
def test_bootstrap_agrees_with_scipy(statistic):
    from scipy.stats import bootstrap

    theirs = bootstrap((VALUES,), statistic, method="percentile", n_resamples=4000, rng=1)
    ours = bootstrap_ci(VALUES, statistic, n_resamples=4000)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.08 * width)


def test_the_quick_ways_agree_with_the_plain_one():
    for statistic in (np.mean, np.median):
        plain = bootstrap_ci(VALUES, lambda values, f=statistic: f(values))
        assert bootstrap_ci(VALUES, statistic) == pytest.approx(plain, rel=1e-12)
    groups = np.arange(200) // 7
    plain = bootstrap_ci(VALUES, lambda values: np.mean(values), groups)
    assert bootstrap_ci(VALUES, np.mean, groups) == pytest.approx(plain, rel=1e-12)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_cases():
    low, high = bootstrap_ci(VALUES, n_resamples=8000)
    error = VALUES.std() / np.sqrt(len(VALUES))
    expected = (VALUES.mean() - 1.96 * error, VALUES.mean() + 1.96 * error)
    assert (low, high) == pytest.approx(expected, abs=0.2 * error)


def test_copies_of_a_case_add_no_certainty_when_grouped():
    copies, groups = np.repeat(VALUES, 5), np.repeat(np.arange(200), 5)
    single, grouped = bootstrap_ci(VALUES), bootstrap_ci(copies, groups=groups)
    assert grouped == pytest.approx(single)
    naive = bootstrap_ci(copies)
    assert (naive[1] - naive[0]) < 0.55 * (grouped[1] - grouped[0])


@pytest.mark.parametrize("right", [True, False])
def test_where_all_cases_agree_a_share_has_the_interval_of_its_patients_not_of_its_images(right):
    images, patients = np.full(60, right), np.arange(60) // 10
    low, high = bootstrap_ci(images, groups=patients)
    exact = proportion_confint(6 * right, 6, method="wilson")
    assert (low, high) == pytest.approx(exact, abs=1e-6) and high - low > 0.35


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((1.0, 1.0), "1.000 (no spread)"),
        ((0.9996, 1.0), "1.000 (0.9996 to 1.0000)"),
        ((0.61, 1.0), "1.000 (0.610 to 1.000)"),
        ((float("nan"), float("nan")), "1.000"),
        (None, "1.000"),
    ],
)
def test_an_interval_of_width_zero_is_not_printed_as_certainty(ends, words):
    assert with_interval(1.0, ends) == words


def test_groups_may_be_names():
    names = np.array(["b", "a", "b", "c"])
    assert bootstrap_ci([1.0, 2.0, 3.0, 4.0], groups=names) == bootstrap_ci(
        [1.0, 2.0, 3.0, 4.0], groups=[1, 0, 1, 2]
    )


def test_rows_reach_the_statistic_whole():
    rng = np.random.default_rng(3)
    pairs = np.stack([VALUES, VALUES + rng.normal(0, 1, 200)], 1)
    low, high = bootstrap_ci(pairs, lambda rows: mae(rows[:, 0], rows[:, 1]))
    errors = bootstrap_ci(np.abs(pairs[:, 1] - pairs[:, 0]))
    assert (low, high) == pytest.approx(errors)


def test_the_interval_covers_the_true_mean_as_often_as_promised():
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(200):
        low, high = bootstrap_ci(rng.normal(0, 1, 80), n_resamples=400, seed=seed, coverage=0.9)
        hits += low <= 0 <= high
    assert 0.83 <= hits / 200 <= 0.95


def test_the_same_seed_gives_the_same_interval_and_another_another():
    assert bootstrap_ci(VALUES, seed=1) == bootstrap_ci(VALUES, seed=1)
    assert bootstrap_ci(VALUES, seed=1) != bootstrap_ci(VALUES, seed=2)


def test_one_group_or_no_finite_statistic_gives_nan():
    assert np.isnan(bootstrap_ci([1.0])).all()
    assert np.isnan(bootstrap_ci([1.0, 2.0, 3.0], groups=["a"] * 3)).all()
    assert np.isnan(bootstrap_ci(VALUES, lambda values: float("nan"), n_resamples=20)).all()


def test_two_thousand_resamples_of_five_hundred_take_under_a_third_of_a_second():
    values = np.random.default_rng(0).normal(size=500)
    times = []
    for _ in range(3):
        start = perf_counter()
        bootstrap_ci(values)
        times.append(perf_counter() - start)
    assert min(times) < 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": []}, r"values: received shape \(0,\)"),
        ({"values": [1.0, np.nan]}, "1 values not finite"),
        ({"values": [1.0, 2.0], "coverage": 95}, "Use 0.95 for 95 %"),
        ({"values": [1.0, 2.0], "n_resamples": 0}, "n_resamples: received 0"),
        ({"values": [1.0, 2.0], "groups": ["a"]}, r"groups: received shape \(1,\) for 2 cases"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_ci(**arguments)


@pytest.mark.parametrize(
    ("n", "coverage", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.95, 95), (100, 0.9, 91)]
)
def test_conformal_quantile_is_the_promised_rank(n, coverage, rank):
    scores = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    assert conformal_quantile(scores, coverage) == rank


@pytest.mark.parametrize(("n", "coverage"), [(8, 0.9), (18, 0.95), (1, 0.6)])
def test_too_few_scores_promise_nothing(n, coverage):
    assert conformal_quantile(np.ones(n), coverage) == np.inf


def test_the_plain_quantile_promises_too_much():
    rng = np.random.default_rng(0)
    hits = {"conformal": 0, "plain": 0}
    for _ in range(4000):
        scores, new = np.abs(rng.normal(size=12)), abs(rng.normal())
        hits["conformal"] += new <= conformal_quantile(scores, 0.9)
        hits["plain"] += new <= np.quantile(scores, 0.9)
    assert 0.9 <= hits["conformal"] / 4000 < 0.95
    assert hits["plain"] / 4000 < 0.885


def test_coverage_counts_the_ends_and_refuses_other_shapes():
    assert empirical_coverage([1.0, 2.0, 3.0], [1.0, 2.1, 0.0], 3.0) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"low: received shape \(2,\) for 3 values"):
        empirical_coverage([1.0, 2.0, 3.0], [1.0, 2.0], 3.0)
