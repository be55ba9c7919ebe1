"""Nested folds see nothing of the test part; kernels and weights do what their formulas say."""

import numpy as np
import pytest

from fetal_lib.baselines.age_regression import (
    NestedPrediction,
    choose_on_inner,
    combine,
    conformal_half_widths,
    nested_kernel_ridge,
    nested_predict,
    volume_regressors,
)
from fetal_lib.baselines.tissue_maps import (
    block_means,
    gaussian_kernels,
    linear_kernel,
    map_kernels,
)
from fetal_lib.data.splits.folds import nested_folds
from fetal_lib.metrics.intervals import conformal_quantile

RNG = np.random.default_rng(0)
AGE = RNG.uniform(20, 90, 60)
FEATURES = np.column_stack([AGE + RNG.normal(0, 3, 60), RNG.normal(size=60)])
FOLDS = list(nested_folds([str(i) for i in range(60)], AGE, 3, 3))


@pytest.mark.parametrize("name", volume_regressors())
def test_every_regressor_learns_a_line_and_tests_everyone_once(name):
    estimator, grid = volume_regressors()[name]
    found = nested_predict(estimator, grid, FEATURES, AGE, FOLDS)
    assert np.isfinite(found.outer).all()
    assert np.abs(found.outer - AGE).mean() < 8
    for fold, inner in zip(FOLDS, found.inner, strict=True):
        assert np.isfinite(inner[fold.train]).all() and np.isnan(inner[fold.test]).all()


def test_the_ages_of_the_test_part_play_no_part():
    estimator, grid = volume_regressors()["ridge"]
    before = nested_predict(estimator, grid, FEATURES, AGE, FOLDS)
    other = AGE.copy()
    other[FOLDS[0].test] = 500.0
    after = nested_predict(estimator, grid, FEATURES, other, FOLDS)
    np.testing.assert_array_equal(before.outer[FOLDS[0].test], after.outer[FOLDS[0].test])
    assert before.chosen[0] == after.chosen[0]
    assert not np.allclose(before.outer[FOLDS[1].test], after.outer[FOLDS[1].test])


def test_kernel_ridge_is_scikit_learns():
    from sklearn.kernel_ridge import KernelRidge

    gram = linear_kernel(FEATURES)
    found = nested_kernel_ridge([gram], [0.5], AGE, FOLDS)
    fold = FOLDS[0]
    mean = AGE[fold.train].mean()
    theirs = KernelRidge(alpha=0.5, kernel="precomputed")
    theirs.fit(gram[np.ix_(fold.train, fold.train)], AGE[fold.train] - mean)
    expected = theirs.predict(gram[np.ix_(fold.test, fold.train)]) + mean
    np.testing.assert_allclose(found.outer[fold.test], expected, rtol=1e-8)


def test_the_better_kernel_is_chosen_on_the_inner_folds():
    noise = linear_kernel(RNG.normal(size=(60, 5)))
    kernels = [noise, linear_kernel(FEATURES)]
    found = nested_kernel_ridge(kernels, [1e-2, 1.0], AGE, FOLDS, ["noise", "signal"])
    assert {c["kernel"] for c in found.chosen} == {"signal"}


def prediction(error):
    inner = []
    for fold in FOLDS:
        guess = np.full(60, np.nan)
        guess[fold.train] = AGE[fold.train] + error
        inner.append(guess)
    return NestedPrediction(AGE + error, tuple(inner))


def test_weights_are_the_inverse_squares_of_inner_errors():
    together, weights = combine([prediction(2.0), prediction(-4.0)], AGE, FOLDS)
    np.testing.assert_allclose(weights, [[0.8, 0.2]] * 3)
    np.testing.assert_allclose(together.outer - AGE, 0.8 * 2 - 0.2 * 4)


def test_the_choice_is_by_inner_error_whatever_the_outer_one():
    good_inside = NestedPrediction(AGE + 100, prediction(1.0).inner)
    assert choose_on_inner({"a": prediction(3.0), "b": good_inside}, AGE) == ["b"] * 3


def test_half_widths_are_quantiles_of_the_folds_own_inner_errors():
    half = conformal_half_widths(prediction(5.0), AGE, FOLDS, lambda e: conformal_quantile(e, 0.9))
    np.testing.assert_allclose(half, 5)


def test_a_linear_kernel_has_mean_diagonal_one_and_a_gaussian_one_diagonal_one():
    gram = linear_kernel(FEATURES)
    assert gram.diagonal().mean() == pytest.approx(1)
    for kernel in gaussian_kernels(gram):
        np.testing.assert_allclose(kernel.diagonal(), 1)
        assert np.linalg.eigvalsh(kernel).min() > -1e-8


def test_block_means_keep_the_total_and_cut_what_is_left_over():
    maps = RNG.random((2, 5, 4, 6))
    assert block_means(maps).shape == (2, 2, 2, 3)
    np.testing.assert_allclose(block_means(maps).sum() * 8, maps[:, :4].sum(), rtol=1e-5)


def test_map_kernels_tell_the_like_from_the_unlike():
    maps = np.zeros((6, 3, 8, 8, 8), np.float16)
    maps[:3, 0, 2:5, 2:5, 2:5] = 1
    maps[3:, 0, 5:7, 5:7, 5:7] = 1
    maps += np.float16(0.01) * RNG.random(maps.shape).astype(np.float16)
    _, gaussian = map_kernels(maps, (1.0,))
    kernel = gaussian["width 1, blur 1"]
    assert kernel[0, 1] > 0.9 > kernel[0, 4]
