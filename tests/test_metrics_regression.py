"""Regression scores: closed forms and agreement with scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.metrics.regression import bland_altman, ccc, mae, r2, rmse

SCORES = (mae, rmse, r2, ccc, bland_altman)


def random_values(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.normal(170, 60, 50)
    return true, 0.9 * true + rng.normal(10, 20, 50)


@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_scikit_learn(seed):
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    true, pred = random_values(seed)
    assert mae(true, pred) == pytest.approx(mean_absolute_error(true, pred))
    assert rmse(true, pred) == pytest.approx(root_mean_squared_error(true, pred))
    assert r2(true, pred) == pytest.approx(r2_score(true, pred))


@pytest.mark.slow
def test_concordance_agrees_with_torchmetrics_but_for_its_n_minus_one():
    functional = pytest.importorskip("torchmetrics.functional")
    torch = pytest.importorskip("torch")
    true, pred = random_values(0)
    theirs = float(functional.concordance_corrcoef(torch.tensor(pred), torch.tensor(true)))
    assert ccc(true, pred) == pytest.approx(theirs, abs=2e-3)


def test_concordance_is_pearson_times_the_bias_correction():
    true, pred = random_values(1)
    pearson = np.corrcoef(true, pred)[0, 1]
    ratio = true.std() / pred.std()
    shift = (true.mean() - pred.mean()) / np.sqrt(true.std() * pred.std())
    assert ccc(true, pred) == pytest.approx(pearson * 2 / (ratio + 1 / ratio + shift**2))


def test_perfect_mean_and_reversed_predictions_have_their_known_scores():
    true = np.array([1.0, 2.0, 3.0, 4.0])
    assert (mae(true, true), rmse(true, true), r2(true, true), ccc(true, true)) == (0, 0, 1, 1)
    assert r2(true, np.full(4, 2.5)) == 0
    assert ccc(true, true[::-1]) == pytest.approx(-1)


def test_a_shift_lowers_concordance_but_not_correlation():
    true = np.arange(10.0)
    assert np.corrcoef(true, true + 5)[0, 1] == pytest.approx(1)
    assert ccc(true, true + 5) == pytest.approx(2 * true.var() / (2 * true.var() + 25))


@pytest.mark.parametrize("value", [2.0, 0.1])  # the mean of three 0.1 is not 0.1
def test_scores_without_spread_are_nan(value):
    same = np.full(3, value)
    assert np.isnan(r2(same, [1.0, 2.0, 3.0])) and np.isnan(ccc(same, same))
    assert ccc(same, same + 1) == pytest.approx(0)


def test_bland_altman_limits_are_the_closed_form_and_signed_predicted_minus_true():
    true, pred = random_values(2)
    result = bland_altman(true, pred)
    assert result.bias == pytest.approx((pred - true).mean())
    assert result.sd == pytest.approx(np.std(pred - true, ddof=1))
    assert (result.lower, result.upper) == pytest.approx(
        (result.bias - 1.96 * result.sd, result.bias + 1.96 * result.sd)
    )
    assert result.n == 50
    assert np.isnan(bland_altman([1.0], [2.0]).sd)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        ([], [], r"received shapes \(0,\) and \(0,\)"),
        ([1.0, 2.0], [1.0], r"received shapes \(2,\) and \(1,\)"),
        ([[1.0], [2.0]], [1.0, 2.0], "ravel"),
        ([1.0, 2.0], [1.0, np.nan], "received 0 and 1 values"),
        ([np.inf, 2.0], [1.0, 2.0], "received 1 and 0 values"),
    ],
)
def test_values_that_cannot_be_scored_are_refused(score, true, pred, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred)
