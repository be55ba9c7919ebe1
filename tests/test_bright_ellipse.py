"""The learning-free baseline finds clear skulls, and says when there is none."""

import numpy as np
import pytest

from fetal_lib.baselines.bright_ellipse import fit_bright_ellipse
from fetal_phantoms.head import make_head


def test_a_clean_ring_is_found():
    import cv2

    image = np.random.default_rng(0).integers(0, 30, (540, 800), np.uint8)
    cv2.ellipse(image, (400, 270), (230, 180), 20, 0, 360, 220, 12)
    found = fit_bright_ellipse(image)
    assert found.semi_major == pytest.approx(230, rel=0.04)
    assert found.semi_minor == pytest.approx(180, rel=0.04)
    assert abs(found.center_x - 400) < 6 and abs(found.center_y - 270) < 6


def test_it_beats_guessing_on_phantoms():
    phantoms = [make_head(seed, ga_days=150) for seed in range(6)]
    errors = []
    for phantom in phantoms:
        found = fit_bright_ellipse(phantom.image)
        errors.append(abs(found.perimeter * phantom.pixel_size_mm - phantom.hc_mm))
    assert np.median(errors) < 25


def test_a_black_image_has_no_skull():
    with pytest.raises(ValueError, match="too few for an ellipse|no ellipse"):
        fit_bright_ellipse(np.zeros((540, 800), np.uint8))
