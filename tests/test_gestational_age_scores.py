"""Scores of gestational age hold against closed forms."""

import numpy as np
import pandas as pd
import pytest

from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.gestational_age.scores import (
    by_trimester,
    calibration_line,
    cross_conformal,
    fold_table,
    per_fetus,
)
from fetal_lib.baselines.brain_volume import fit_size_regression


def test_slices_of_a_fetus_become_one_answer():
    table = per_fetus(np.array(list("bbba")), [200] * 3 + [150], [190.0, 199.0, 300.0, 151.0])
    assert table["subject"].tolist() == ["b", "a"]
    assert table["pred_days"].tolist() == [199.0, 151.0] and table["n"].tolist() == [3, 1]


def test_conformal_intervals_hold_for_fetuses_of_any_error():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        error = rng.standard_t(3, 100)
        half = cross_conformal(error, np.arange(100) % 5, 0.9)
        held.append((np.abs(error) <= half).mean())
    assert 0.89 < np.mean(held) < 0.93


def test_a_fold_never_calibrates_itself():
    error, fold = np.array([100.0] * 9 + [1.0] * 9), np.repeat([0, 1], 9)
    assert cross_conformal(error, fold, 0.9).tolist() == [1.0] * 9 + [100.0] * 9


def test_a_perfect_answer_scores_as_one():
    days = np.linspace(140, 270, 30)
    rows = {row["metric"]: row["value"] for row in age_rows(days, days, "days", "truth")}
    assert rows == {"mae_days": 0, "rmse_days": 0, "r2": 1, "ccc": pytest.approx(1)}


def test_one_fetus_has_errors_without_an_interval_and_no_share_of_variance():
    rows = age_rows(np.array([200.0]), np.array([203.0]), "days", "network", "external")
    assert {row["metric"]: row["value"] for row in rows} == {
        "mae_days": 3,
        "rmse_days": 3,
        "ccc": 0,
    }
    assert [row["ci95"] for row in rows] == [None] * 3


def test_calibration_finds_a_shrunken_answer():
    days = np.linspace(140, 270, 30)
    shrunken = 200 + 0.5 * (days - 200)
    slope, offset = calibration_line(days, shrunken + 3)
    assert slope == pytest.approx(2)
    assert offset == pytest.approx(days.mean() - shrunken.mean() - 3)


def test_trimesters_split_at_28_weeks():
    days = {"ga_days": [195.0, 196.0, 250.0], "pred_days": [196.0, 198.0, 250.0]}
    table = by_trimester(pd.DataFrame(days).assign(group=["a", "b", "c"]))
    assert table["trimester"].tolist() == [2, 3] and table["n"].tolist() == [1, 2]
    assert table["MAE (d)"].tolist() == [1.0, 1.0]


def test_the_spread_between_folds_is_that_of_the_folds():
    table = pd.DataFrame({"fold": [0, 0, 1, 1], "ga_days": [1.0, 2.0, 1.0, 2.0]})
    table["pred_days"] = table["ga_days"] + [1.0, 1.0, 3.0, 3.0]
    found = fold_table(table).set_index("fold")["MAE (d)"]
    assert found["mean"] == 2 and found["SD between folds"] == pytest.approx(np.sqrt(2))


def test_size_regression_stays_within_the_ages_it_saw():
    days = np.linspace(140, 270, 30)
    model = fit_size_regression(days**2.0, days, power=0.5)
    assert model.predict([1e9, 1e-9]).tolist() == [270, 140]
    with pytest.raises(ValueError, match="above 0"):
        fit_size_regression(np.zeros(30), days)
