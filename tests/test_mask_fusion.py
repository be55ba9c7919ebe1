"""STAPLE against SimpleITK's, and the fusions beside it."""

import numpy as np
import pytest

from fetal_lib.models.mask_fusion import fuse, majority, squared_mean, staple, uncertainty_map

Y, X = np.mgrid[:48, :48]
TRUTH = (X - 22) ** 2 + (Y - 25) ** 2 < 200


def raters(rates, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([TRUTH ^ (rng.random(TRUTH.shape) < rate) for rate in rates])


@pytest.mark.parametrize("rates", [(0.01, 0.02, 0.03), (0.05, 0.1, 0.15, 0.2, 0.25)])
def test_staple_agrees_with_simple_itk(rates):
    sitk = pytest.importorskip("SimpleITK")
    masks = raters(rates)
    ours = staple(masks)
    reference = sitk.STAPLEImageFilter()
    reference.SetForegroundValue(1)
    reference.SetMaximumIterations(2000)
    theirs = reference.Execute([sitk.GetImageFromArray(m.astype("uint8")) for m in masks])
    np.testing.assert_allclose(ours.probs, sitk.GetArrayFromImage(theirs), atol=1e-4)
    np.testing.assert_allclose(ours.sensitivity, reference.GetSensitivity(), atol=1e-5)
    np.testing.assert_allclose(ours.specificity, reference.GetSpecificity(), atol=1e-5)


def test_staple_finds_each_rater_s_own_error_rate():
    rates = np.array([0.02, 0.1, 0.25])
    result = staple(raters((*rates, 0.05, 0.05, 0.08)))
    np.testing.assert_allclose(1 - result.sensitivity[:3], rates, atol=0.03)
    np.testing.assert_allclose(1 - result.specificity[:3], rates, atol=0.03)


def test_staple_trusts_two_good_raters_over_three_bad_ones_more_than_a_vote_does():
    masks = raters((0.01, 0.01, 0.4, 0.4, 0.4))
    wrong = [(m != TRUTH).mean() for m in (staple(masks).probs > 0.5, majority(masks))]
    assert wrong[0] < 0.5 * wrong[1]


@pytest.mark.parametrize("fill", [False, True])
def test_members_that_all_say_one_thing_are_followed(fill):
    masks = np.full((3, 4, 4), fill)
    assert (fuse(masks.astype(float)) == fill).all()
    assert not uncertainty_map(masks).any()


def test_an_empty_ensemble_has_no_sensitivity():
    result = staple(np.zeros((3, 4, 4), bool))
    assert np.isnan(result.sensitivity).all() and (result.specificity == 1).all()


def test_majority_needs_more_than_half():
    assert not majority(np.array([[[1]], [[0]]])).any()
    assert majority(np.array([[[1]], [[1]], [[0]]])).all()


def test_the_released_fusion_is_the_squared_mean_and_not_staple():
    masks = raters((0.05, 0.1, 0.3)).astype(float)
    mean = masks.mean(0)
    released = np.mean([m * mean for m in masks], 0)  # one pass of "STAPLE" in the released code
    np.testing.assert_allclose(released, squared_mean(masks), atol=1e-12)
    assert np.abs(released - staple(masks).probs).max() > 0.2


def test_bad_members_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); stack the members"):
        staple(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="threshold the members"):
        staple(np.full((2, 4, 4), 0.5))
    with pytest.raises(ValueError, match="how='vote'"):
        fuse(np.zeros((2, 4, 4)), "vote")
