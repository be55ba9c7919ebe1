"""From probabilities to millimetres, or to a reason."""

import math

import numpy as np
import pytest

from fetal_lib.data.layouts.heads import coverage_mask
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.predict.head_measure import cut_share, measure_head
from fetal_lib.predict.pixel_sizes import check_pixel_size

SCAN = (540, 800)
HEAD = Ellipse(400.0, 270.0, 240.0, 190.0, 0.3)


def soft_map(ellipse: Ellipse, shape=(128, 128)) -> np.ndarray:
    return coverage_mask(ellipse, SCAN, shape) / 255


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1, -0.7])
@pytest.mark.parametrize("shape", [(128, 128), (256, 256), (128, 192)])
def test_a_squashed_ellipse_gives_its_circumference_back(angle, shape):
    head = Ellipse(410.0, 260.0, 240.0, 180.0, angle)
    result = measure_head(soft_map(head, shape), SCAN, 0.13)
    assert result.hc_mm == pytest.approx(head.perimeter * 0.13, rel=0.003)
    assert result.reason == ""


def test_scaling_both_axes_by_one_factor_would_be_wrong():
    """The classic failure: forgetting that 800 x 540 becomes a square."""
    squashed = HEAD.resized(SCAN, (128, 128))
    wrong = squashed.perimeter * 800 / 128
    assert abs(wrong / HEAD.perimeter - 1) > 0.05


def test_the_interval_is_a_share_of_the_size():
    result = measure_head(soft_map(HEAD), SCAN, 0.1, relative_half_width=0.02)
    assert result.hc_high_mm - result.hc_mm == pytest.approx(0.02 * result.hc_mm)
    assert result.hc_mm - result.hc_low_mm == pytest.approx(0.02 * result.hc_mm)


def test_both_ages_are_given_within_their_ranges_only():
    result = measure_head(soft_map(HEAD), SCAN, 0.13)
    assert 18 < result.ga_days / 7 < 22
    assert abs(result.ga_days - result.ga_hadlock_days) < 7
    small = measure_head(soft_map(Ellipse(400, 270, 120, 95, 0.0)), SCAN, 0.07)
    assert small.hc_mm == pytest.approx(47.3, abs=0.5)
    assert math.isnan(small.ga_hadlock_days)


@pytest.mark.parametrize(
    ("probs", "pixel_size", "reason"),
    [
        (np.zeros((128, 128)), 0.1, "no head found"),
        (soft_map(Ellipse(400, 270, 300, 60, 0.0)), 0.1, "axis ratio"),
        (soft_map(Ellipse(760, 270, 240, 190, 0.0)), 0.1, "cut by the image"),
        (soft_map(HEAD), 0.5, "unreasonable size: HC 678 mm"),
        (soft_map(Ellipse(400, 270, 60, 50, 0.0)), 0.08, "unreasonable size"),
    ],
)
def test_what_is_no_head_is_declined_with_its_reason(probs, pixel_size, reason):
    result = measure_head(probs, SCAN, pixel_size)
    assert reason in result.reason
    assert math.isnan(result.hc_mm) and math.isnan(result.ga_days)


def test_a_region_that_is_no_ellipse_is_declined():
    probs = np.zeros((128, 128))
    probs[20:40, 10:110] = probs[20:110, 10:30] = 1
    assert "no head found" in measure_head(probs, SCAN, 0.1).reason


@pytest.mark.parametrize("size", [0, -0.1, 12.0, 0.001, math.nan, math.inf])
def test_a_pixel_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="side of a pixel in millimetres"):
        check_pixel_size(size)


def test_cut_share_counts_the_outline_outside():
    assert cut_share(HEAD, SCAN) == 0
    assert cut_share(Ellipse(0.0, 270.0, 200, 150, 0.0), SCAN) == pytest.approx(0.5, abs=0.01)
