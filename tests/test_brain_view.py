"""The head is found, turned level and cut out; masks follow; a bar keeps the millimetres."""

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


def test_a_scan_that_shows_nothing_has_no_head():
    ellipse = Ellipse(250, 190, 120, 95, 0.0)
    finder, blank, marked = Finder(ellipse), np.full((400, 540), 7, np.uint8), scan_with(ellipse)
    found = [ellipse for _, ellipse in bv.views_of([blank, marked], 64, "head", finder)]
    assert found[0] is None and found[1] is not None


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


def test_without_a_head_the_middle_of_the_scan_is_taken_and_said_so():
    usual = bv.usual_head((400, 540))
    scan = scan_with(usual)
    ((view, ellipse),) = bv.views_of([scan], 48, "head", Finder(None))
    assert ellipse is None
    np.testing.assert_array_equal(view, bv.head_view(scan, usual, 48))
    whole = next(bv.views_of([scan], 48, "whole"))[0]
    assert whole.shape == (48, 48) and (whole != view).any()


def test_a_region_that_is_no_ellipse_is_no_head():
    probs = Ellipse(64, 64, 40, 30, 0.2).mask((128, 128)).astype(float)
    assert bv.find_head(probs, (400, 540)) is not None
    probs[:, 50:75] = 0  # a shadow cuts it in two
    probs[100:, :60] = 1
    assert bv.find_head(probs, (400, 540)) is None


@pytest.mark.parametrize("side", [48, 64, 128])
@pytest.mark.parametrize(("semi_major_px", "pixel_mm"), [(120, 0.3), (60, 0.6), (130, 0.42)])
def test_the_bar_is_50_mm_long_whatever_the_zoom(side, semi_major_px, pixel_mm):
    ellipse = Ellipse(250, 190, semi_major_px, 0.8 * semi_major_px, 0.4)
    view = bv.head_view(scan_with(ellipse), ellipse, side, pixel_mm)
    bar = (view[-1] == 255).sum()
    view_mm = 2 * bv.BOX[0] * semi_major_px * pixel_mm / side
    assert bar * view_mm == pytest.approx(50, abs=view_mm)
    assert (view[-1, :bar] == 255).all() and not view[side - bv.ruler_rows(side)].any()


def test_mirror_images_leave_the_bar_in_place():
    view = np.random.default_rng(0).integers(0, 255, (2, 24, 24), dtype=np.uint8)
    same, aside, down, both = bv.mirrored(view, 3)
    np.testing.assert_array_equal(same, view)
    for one in (aside, down, both):
        np.testing.assert_array_equal(one[:, -3:], view[:, -3:])
    np.testing.assert_array_equal(aside[:, :21], view[:, :21, ::-1])
    np.testing.assert_array_equal(down[:, :21], view[:, 20::-1])
    np.testing.assert_array_equal(both[:, :21], view[:, 20::-1, ::-1])


def test_without_a_pixel_size_there_is_no_bar():
    ellipse = Ellipse(250, 190, 120, 95, 0.5)
    scans = [scan_with(ellipse)] * 2
    views = bv.views_of(scans, 64, "head", Finder(ellipse), pixel_sizes=[0.3, float("nan")])
    (first, _), (second, _) = views
    rows = bv.ruler_rows(64)
    assert first[-1].any() and not second[-rows:].any()
    np.testing.assert_array_equal(first[:-rows], second[:-rows])


def test_grey_values_are_stretched_over_the_brain_not_the_bone():
    ellipse = Ellipse(250, 190, 120, 95, 0.0)
    scan = Ellipse(250, 190, 124, 99, 0.0).mask((400, 540)).astype(np.uint8) * 250
    inside = Ellipse(250, 190, 112, 87, 0.0).mask((400, 540))
    x = np.broadcast_to(np.arange(540), (400, 540))
    scan[inside] = (20 + 30 * (x > 250))[inside]  # a dim brain, half of it brighter
    view = bv.head_view(scan, ellipse, 64)
    assert view[32, 20] < 10 and view[32, 44] > 245


def test_surroundings_and_head_share_the_view():
    outside = bv.surroundings(64, "head")
    assert not outside[32, 32] and outside[0].all() and 0.3 < outside.mean() < 0.75
    assert not outside[-bv.ruler_rows(64) :].any()
    assert bv.surroundings(64, "whole").mean() == pytest.approx(1 - 0.75**2, abs=0.03)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="view='half': use one of head, whole"):
        list(bv.views_of([], 48, "half"))
    with pytest.raises(ValueError, match="needs load_head_finder"):
        list(bv.views_of([], 48, "head"))
