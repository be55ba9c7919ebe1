"""Volumes keep their place through SimpleITK, and come out normalised on the grid asked for."""

import numpy as np
import pytest

pytest.importorskip("SimpleITK")

from fetal_lib.training.mri_input import (
    correct_bias_field,
    from_sitk,
    network_input,
    normalise,
    resample,
    to_sitk,
)

AFFINE = np.array([[-2.0, 0, 0, 30], [0, 0, 2.5, -40], [0, 2.0, 0, -20], [0, 0, 0, 1]])


def ball(shape=(30, 30, 30), radius=9):
    grid = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    return np.sqrt(sum(g**2 for g in grid)) < radius


def test_there_and_back_keeps_values_and_place():
    volume = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    values, affine = from_sitk(to_sitk(volume, AFFINE))
    np.testing.assert_array_equal(values, volume)
    np.testing.assert_allclose(affine, AFFINE, atol=1e-6)


def test_a_voxel_is_where_its_affine_says():
    point = to_sitk(np.zeros((9, 9, 9), np.float32), AFFINE).TransformIndexToPhysicalPoint(
        (1, 2, 3)
    )
    ras = AFFINE @ [1, 2, 3, 1]
    np.testing.assert_allclose(point, [-ras[0], -ras[1], ras[2]])


def test_the_resampled_cube_has_the_same_centre_and_volume():
    labels = ball().astype(np.uint8) * 3
    affine = np.diag([2.0, 2, 2, 1])
    cube, its = resample(labels, affine, 3.0, 24, nearest=True)
    assert cube.shape == (24, 24, 24) and cube.dtype == np.uint8 and set(np.unique(cube)) == {0, 3}
    assert (cube > 0).sum() * 27 == pytest.approx((labels > 0).sum() * 8, rel=0.05)
    middles = [
        a[:3, :3] @ (np.argwhere(v > 0).mean(0)) + a[:3, 3]
        for v, a in ((labels, affine), (cube, its))
    ]
    np.testing.assert_allclose(*middles, atol=0.1)


@pytest.mark.parametrize("side", [24, 31, 40])
def test_voxels_of_the_same_size_are_cut_out_and_not_mixed(side):
    volume = np.random.default_rng(0).random((31, 30, 29)).astype(np.float32)
    affine = np.diag([2.0, 2, 2, 1])
    cube, its = resample(volume, affine, 2.0, side)
    values = set(np.round(volume.ravel(), 5).tolist()) | {0.0}
    assert set(np.round(cube.ravel(), 5).tolist()) <= values
    assert np.allclose(its[:3, 3] / 2, np.rint(its[:3, 3] / 2))


def test_inside_the_mask_mean_0_and_variance_1_and_outside_0():
    mask = ball()
    t1 = np.random.default_rng(0).normal(100, 20, mask.shape)
    out = normalise(t1, mask)
    assert abs(out[mask].mean()) < 1e-5 and out[mask].std() == pytest.approx(1, abs=1e-5)
    assert not out[~mask].any()
    with pytest.raises(ValueError, match="one intensity"):
        normalise(np.ones(mask.shape), mask)


def test_splines_do_not_spill_out_of_the_brain():
    mask = ball()
    t1 = np.where(mask, 100 + 20 * np.random.default_rng(0).normal(size=mask.shape), 0)
    cube = network_input(t1, np.diag([2.0, 2, 2, 1]), mask, 3.0, 24)
    assert cube.shape == (24, 24, 24) and cube.dtype == np.float32
    assert not cube[:3].any() and cube[12, 12, 12] != 0


@pytest.mark.slow
@pytest.mark.parametrize("shrink", [2, 4])
def test_a_known_brightness_is_found(shrink):
    mask = ball((40, 40, 40), 17)
    x = np.linspace(-1, 1, 40)[:, None, None]
    true = np.broadcast_to(np.exp(0.3 * x), mask.shape)
    tissue = np.where(np.random.default_rng(0).random(mask.shape) < 0.5, 100.0, 160.0)
    t1 = np.where(mask, tissue * true, 0)
    corrected, field = correct_bias_field(t1, np.diag([2.0, 2, 2, 1]), mask, shrink)
    assert np.corrcoef(np.log(field[mask]), np.log(true[mask]))[0, 1] > 0.95
    left, right = mask.copy(), mask.copy()
    left[20:], right[:20] = False, False
    before = t1[right].mean() / t1[left].mean()
    after = corrected[right].mean() / corrected[left].mean()
    assert abs(after - 1) < 0.3 * abs(before - 1)
