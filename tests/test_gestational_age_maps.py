"""Hiding pixels in the order of a map moves the answer at once where the map is right."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras")

from fetal_lib.chapters.gestational_age.maps import Maps, coarse_noise, deletion
from fetal_lib.parameters.gestational_age import GestationalAgeParameters

SIDE = 16


class CornerNetwork:
    """Answer by the brightness of one corner of the coronal plane."""

    def __call__(self, x, training):
        return x[:, :4, :4, 1].mean((1, 2))[:, None]

    def get_layer(self, name):
        return SimpleNamespace(output=SimpleNamespace(shape=(None, 4, 4, 8)))


def test_each_plane_is_hidden_by_its_own_map():
    corner = np.zeros((3, SIDE, SIDE), np.float32)
    corner[1, :4, :4] = 1
    image = np.full((SIDE, SIDE, 3), 255, np.uint8)
    fetus = Maps("a", 200.0, image, 1 - corner, corner, corner, corner, {})
    one = SimpleNamespace(network=CornerNetwork(), settings=SimpleNamespace(centre=0, scale=10))
    share, changes = deletion([fetus], one, GestationalAgeParameters())
    assert share[0] == 0 and share[-1] == 1
    assert changes["Grad-CAM"][1:] == pytest.approx(10)
    assert changes["gate"][:-1] == pytest.approx(0)
    assert 0 < changes["random"][4] < 10


def test_random_maps_are_as_coarse_as_the_grid():
    drawn = coarse_noise((2, SIDE, SIDE), (4, 4), np.random.default_rng(0))
    steps = np.abs(np.diff(drawn, axis=1))
    assert drawn.shape == (2, SIDE, SIDE) and 0 <= drawn.min() and drawn.max() <= 1
    assert steps.max() < 0.3 and not np.array_equal(drawn[0], drawn[1])
