"""The head is found, turned level and cut out; masks follow; scans without a head stay whole."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from fetal_lib.geometry.ellipse import Ellipse  # noqa: E402
from fetal_lib.predict import brain_view as bv  # noqa: E402


def scan_with(ellipse, shape=(400, 540)):
    """Grey head on black, a bright dot at the right end of its long axis."""
    scan = ellipse.mask(shape).astype(np.uint8) * 120
    a = 0.8 * ellipse.semi_major
    x = ellipse.center_x + a * np.cos(ellipse.angle_rad)
    y = ellipse.center_y + a * np.sin(ellipse.angle_rad)
    return cv2.circle(scan, (round(x), round(y)), 9, 250, -1)


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.5, 2.4])
def test_a_turned_head_lies_level_and_fills_the_same_box(angle):
    ellipse = Ellipse(250, 190, 120, 95, angle)
    view = bv._warp(scan_with(ellipse), ellipse, 64)  # before grey values are stretched
    y, x = np.nonzero(view > 60)
    assert x.max() - x.min() + 1 == pytest.approx(64 / bv.BOX[0], abs=2.5)
    assert y.max() - y.min() + 1 == pytest.approx(64 * 95 / 120 / bv.BOX[1], abs=2.5)
    dot_y, dot_x = np.nonzero(view > 200)
    assert dot_y.mean() == pytest.approx(31.5, abs=1.5)
    assert dot_x.mean() == pytest.approx(31.5 + 0.8 * 32 / bv.BOX[0], abs=1.5)


def test_masks_are_cut_like_their_scans():
    ellipse = Ellipse(260, 200, 110, 90, 0.9)
    scan = scan_with(ellipse)
    seen = bv.mask_view(scan > 200, ellipse, 64)
    view = bv._warp(scan, ellipse, 64)
    assert (seen & (view > 200)).sum() > 0.8 * (view > 200).sum() > 0


def test_grey_values_do_not_depend_on_gain():
    ellipse = Ellipse(250, 190, 120, 95, 0.3)
    rng = np.random.default_rng(0)
    scan = np.clip(scan_with(ellipse) + rng.normal(0, 15, (400, 540)), 0, 255)
    views = [bv.head_view((scan * g).astype(np.uint8), ellipse, 64) for g in (0.4, 0.9)]
    assert np.abs(views[0].astype(int) - views[1]).mean() < 4


class Finder:
    """Knows one ellipse, or none."""

    shape = (64, 64)

    def __init__(self, ellipse):
        self.ellipse = ellipse

    def probs(self, images, batch_size=32):
        found = np.zeros((64, 64)) if self.ellipse is None else self._mask()
        return np.repeat(found[None], len(images), axis=0)

    def _mask(self):
        return cv2.resize(self.ellipse.mask((400, 540)).astype(np.float32), (64, 64))


def test_views_come_one_a_scan_with_the_ellipse_that_was_found():
    ellipse = Ellipse(250, 190, 120, 95, 0.5)
    scans = [scan_with(ellipse)] * 3
    views = list(bv.views_of(scans, 48, "head", Finder(ellipse)))
    assert len(views) == 3 and views[0][0].shape == (48, 48)
    assert views[0][1].semi_major == pytest.approx(120, rel=0.03)


def test_without_a_head_the_whole_scan_is_taken_and_said_so():
    scan = scan_with(Ellipse(250, 190, 120, 95, 0.5))
    ((view, ellipse),) = bv.views_of([scan], 48, "head", Finder(None))
    assert ellipse is None
    whole = next(bv.views_of([scan], 48, "whole"))[0]
    np.testing.assert_array_equal(view, bv.stretch(whole))


def test_surroundings_and_head_share_the_view():
    outside = bv.surroundings(64, "head")
    assert not outside[32, 32] and outside[0].all() and 0.4 < outside.mean() < 0.75
    assert bv.surroundings(64, "whole").mean() == pytest.approx(1 - 0.75**2, abs=0.03)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="view='half': use one of head, whole"):
        list(bv.views_of([], 48, "half"))
    with pytest.raises(ValueError, match="needs load_head_model"):
        list(bv.views_of([], 48, "head"))


@pytest.mark.slow
def test_the_shipped_network_finds_phantom_heads():
    pytest.importorskip("keras")
    from fetal_lib.phantoms.anomalies import make_anomaly

    phantoms = [make_anomaly(seed, "normal") for seed in range(12)]
    finder = bv.single_view_finder()
    overlaps = []
    for phantom, (_, ellipse) in zip(
        phantoms, bv.views_of([p.image for p in phantoms], 64, "head", finder), strict=True
    ):
        found = np.zeros_like(phantom.head) if ellipse is None else ellipse.mask(phantom.head.shape)
        overlaps.append(2 * (found & phantom.head).sum() / (found.sum() + phantom.head.sum()))
    assert np.median(overlaps) > 0.93
