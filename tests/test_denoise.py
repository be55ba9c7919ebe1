"""Filters lower speckle and keep edges; SRAD does what its paper says."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from fetal_lib.training.denoise import FILTERS, denoise, denoise_all, srad  # noqa: E402


@pytest.fixture(scope="module")
def scene():
    """A step from dark to bright under multiplicative Rayleigh speckle."""
    rng = np.random.default_rng(0)
    clean = np.where(np.arange(64) < 32, 60.0, 160.0) * np.ones((64, 1))
    speckle = rng.rayleigh(1, (64, 64)) / 1.2533
    speckle = cv2.GaussianBlur(speckle, (0, 0), 0.8)
    return clean, np.clip(clean * speckle, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", FILTERS[1:])
def test_a_filter_lowers_speckle_keeps_the_mean_and_the_step(scene, name):
    clean, noisy = scene
    found = denoise(noisy, name).astype(float)
    for side in (slice(4, 26), slice(38, 60)):
        part, before = found[:, side], noisy[:, side].astype(float)
        assert part.std() < 0.95 * before.std()
        assert part.mean() == pytest.approx(before.mean(), rel=0.05)
    assert found[:, 34].mean() - found[:, 29].mean() > 0.6 * 100
    assert np.abs(found - clean).mean() < np.abs(noisy - clean).mean()


def test_srad_smooths_speckle_more_than_the_edge_and_more_with_time(scene):
    _, noisy = scene
    few, many = srad(noisy, 4).astype(float), srad(noisy, 24).astype(float)
    assert many[:, 4:26].std() < few[:, 4:26].std() < noisy[:, 4:26].std()
    assert np.abs(many[:, 33] - many[:, 30]).mean() > 50


def test_a_flat_image_stays_as_it_is():
    flat = np.full((20, 20), 90, np.uint8)
    for name in FILTERS:
        np.testing.assert_allclose(denoise(flat, name).astype(int), 90, atol=1)


def test_unknown_filters_and_unstable_steps_are_refused():
    with pytest.raises(ValueError, match="name='wiener': no such filter; use one of none"):
        denoise(np.zeros((4, 4), np.uint8), "wiener")
    with pytest.raises(ValueError, match="stable in"):
        srad(np.zeros((4, 4), np.uint8), time_step=0.3)
    images = np.zeros((2, 4, 4), np.uint8)
    assert denoise_all(images, "none") is images
