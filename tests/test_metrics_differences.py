"""Intervals of differences: paired where subjects are shared, independent where they are not."""

import numpy as np
import pytest

from fetal_lib.metrics.differences import difference_ci
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.trainings import over_trainings


@pytest.fixture
def errors():
    return np.random.default_rng(5).normal(10, 4, 300)


def test_cases_scored_twice_are_paired(errors):
    second = errors - 1 + np.random.default_rng(6).normal(0, 0.3, 300)
    low, high = difference_ci(errors, second, seed=1)
    paired = bootstrap_ci(errors - second, seed=1)
    assert (low, high) == pytest.approx(paired)
    assert low < 1 < high and high - low < 0.1
    own = bootstrap_ci(errors, seed=1)
    assert high - low < (own[1] - own[0]) / 5  # the spread over cases is no part of it


def test_sides_without_a_shared_subject_are_independent(errors):
    first, second = errors[:200], errors[200:]
    groups = np.arange(200), np.arange(200, 300)
    low, high = difference_ci(first, second, groups=groups, n_resamples=4000)
    standard_error = np.sqrt(first.var(ddof=1) / 200 + second.var(ddof=1) / 100)
    assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.1)
    assert low < first.mean() - second.mean() < high


def test_subjects_are_drawn_with_all_their_cases(errors):
    subject = np.arange(300) // 10
    first = errors + np.repeat(np.random.default_rng(7).normal(0, 2, 30), 10)
    by_subject = difference_ci(first, errors, groups=(subject, subject))
    by_case = difference_ci(first, errors)
    assert by_subject[1] - by_subject[0] > 2 * (by_case[1] - by_case[0])


def test_the_order_of_cases_and_the_subjects_names_do_not_matter(errors):
    subject = np.arange(300) // 3
    order = np.random.default_rng(8).permutation(300)
    names = np.array([f"s{i:03}" for i in range(100)])
    one = difference_ci(errors, errors[:240] + 1, groups=(subject, subject[:240]), seed=4)
    other = difference_ci(
        errors[order],
        errors[:240] + 1,
        groups=(names[subject[order]], names[subject[:240]]),
        seed=4,
    )
    assert one == pytest.approx(other)


def test_every_side_has_its_own_statistic(errors):
    low, high = difference_ci(errors, errors, (np.median, np.mean))
    assert low < np.median(errors) - errors.mean() < high


def test_strata_keep_a_rare_class_in_every_draw():
    kind = np.array([0] * 60 + [1] * 2)
    right = np.column_stack([kind, np.ones(62)])

    def rare_cases(pairs):
        return float((pairs[:, 0] == 1).sum())

    statistics = rare_cases, lambda pairs: 0.0
    assert difference_ci(right, right, statistics, strata=(kind, kind)) == (2.0, 2.0)
    assert difference_ci(right, right, statistics)[0] == 0.0


def test_what_has_no_interval_is_nan(errors):
    one = np.zeros(3, int)
    assert np.isnan(difference_ci(errors[:3], errors[3:6], groups=(one, one))).all()
    nothing = lambda values: np.nan  # noqa: E731
    assert np.isnan(difference_ci(errors, errors, (nothing, np.mean))).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"first": np.array([1.0, np.nan])}, "first: received shape \\(2,\\) with 1 values not"),
        ({"second": np.zeros(0)}, "second: received shape \\(0,\\)"),
        ({"second": np.zeros(3)}, "groups: received none and none for 2 and 3 cases"),
        ({"groups": (np.zeros(2), None)}, "groups: received \\(2,\\) and none"),
        ({"groups": (np.zeros(3), np.zeros(2))}, "groups: received \\(3,\\) and \\(2,\\)"),
        ({"strata": (np.zeros(3), np.zeros(2))}, "strata: received \\(3,\\) and \\(2,\\)"),
    ],
)
def test_what_does_not_fit_is_said(given, words):
    arguments = {"first": np.zeros(2), "second": np.ones(2)} | given
    with pytest.raises(ValueError, match=words):
        difference_ci(**arguments)


def test_an_interval_over_trainings_holds_their_luck_and_pairs_share_it():
    rng = np.random.default_rng(1)
    luck = np.array([-3.0, -1.5, 0.0, 1.5, 3.0])  # what a seed adds to every error
    rows = np.column_stack([np.zeros(80), 10 + rng.normal(0, 0.5, (80, 1)) + luck])

    def mae(true, pred):
        return float(np.abs(true - pred).mean())

    def ends(rows):
        return bootstrap_ci(rows, over_trainings(mae, np.random.default_rng(0)))

    one, five = ends(rows[:, :2]), ends(rows)
    assert one[1] - one[0] < 0.5 < 3 < five[1] - five[0]
    assert over_trainings(mae)(rows) == pytest.approx(np.abs(rows[:, 1:]).mean())
    worse = rows + [0.0, *[2.0] * 5]
    same = tuple(over_trainings(mae, np.random.default_rng(0)) for _ in range(2))
    assert difference_ci(worse, rows, same) == pytest.approx((2.0, 2.0))
