"""Scores and corrections of the brain-age gap, by their closed forms."""

import numpy as np
import pytest

from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.brain_age.scores import (
    by_decade,
    correct_with_age,
    correct_without_age,
    fit_age_bias,
    gap_rows,
)
from fetal_lib.metrics.regression import mae

RNG = np.random.default_rng(1)
AGE = RNG.uniform(20, 90, 400)
SHRUNK = 0.6 * AGE + 22 + RNG.normal(0, 5, 400)


def test_rows_have_intervals_around_their_values():
    rows = {row["metric"]: row for row in age_rows(AGE, SHRUNK, "years", "some")}
    assert set(rows) == {"mae_years", "rmse_years", "r2", "ccc"}
    for row in rows.values():
        assert row["ci95"][0] < row["value"] < row["ci95"][1] and row["n"] == 400


def test_a_shrunken_prediction_has_a_gap_that_falls_with_age_and_the_correction_removes_it():
    bias = fit_age_bias(AGE, SHRUNK)
    assert bias == pytest.approx((0.6, 22), abs=1.5)
    variants = {"raw": SHRUNK, "without": correct_without_age(SHRUNK, bias)}
    variants["with"] = correct_with_age(SHRUNK, AGE, bias)
    table = gap_rows(AGE, variants).set_index("prediction")
    correlation = table["correlation of gap and age"]
    assert correlation["raw"] < -0.7
    assert abs(correlation["with"]) < 1e-6 and abs(correlation["without"]) < 1e-6


def test_the_honest_correction_stretches_the_noise_and_the_other_one_hides_it():
    bias = fit_age_bias(AGE, SHRUNK)
    noise = np.std(SHRUNK - (bias[0] * AGE + bias[1]))
    honest = correct_without_age(SHRUNK, bias) - AGE
    assert honest.std() == pytest.approx(noise / bias[0])
    assert (correct_with_age(SHRUNK, AGE, bias) - AGE).std() == pytest.approx(noise)


def test_a_predictor_that_sees_nothing_becomes_perfect_by_the_true_age():
    mean = np.full(400, AGE.mean())
    assert mae(AGE, correct_with_age(mean, AGE, (0.0, AGE.mean()))) < 1e-9


def test_decades_hold_everyone_once():
    table = by_decade(AGE, SHRUNK)
    assert table["n"].sum() == 400
    assert table["mean gap (y)"].iloc[0] > 0 > table["mean gap (y)"].iloc[-1]
    weighted = (table["n"] * table["MAE (y)"]).sum() / 400
    assert weighted == pytest.approx(mae(AGE, SHRUNK))
