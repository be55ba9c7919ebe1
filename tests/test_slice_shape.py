"""Plain measures of slices follow what is drawn, and know no size."""

import numpy as np
import pytest

from fetal_lib.baselines.slice_shape import PER_PLANE, slice_measures


def disc(side=64, radius=20.0, stretch=1.0, level=180, stripes=0):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    image = np.where((x / stretch) ** 2 + (y * stretch) ** 2 < radius**2, level, 0)
    return np.where(image > 0, image + stripes * (-1) ** (x // 2 % 2), 0).astype(np.uint8)


def measures(*planes):
    return slice_measures(np.stack(planes, -1)[None])[0]


def test_outline_brightness_and_roughness_are_measured():
    plain = measures(disc())
    assert plain.shape == (PER_PLANE,)
    assert plain[0] == pytest.approx(np.pi * 20**2 / 64**2, rel=0.02)
    assert plain[1:3] == pytest.approx(10 / 64, rel=0.02)
    assert np.allclose(plain[3:8], 180 / 255) and plain[8] == 0
    wide = measures(disc(stretch=1.2))
    assert wide[1] / wide[2] == pytest.approx(1.44, rel=0.05)
    assert measures(disc(stripes=20))[8] > 0.05


def test_a_picture_twice_as_fine_measures_the_same():
    coarse, fine = measures(disc()), measures(disc(128, 40.0))
    assert np.allclose(coarse[:8], fine[:8], rtol=0.02)


def test_planes_are_measured_apart_and_a_black_one_is_zero():
    both = measures(disc(), disc() * 0)
    assert np.array_equal(both[:PER_PLANE], measures(disc()))
    assert not both[PER_PLANE:].any()
