"""Hiding pixels in the order of a map moves the answer at once where the map is right."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras")

from fetal_book.chapters.gestational_age import maps
from fetal_book.chapters.gestational_age.maps import (
    Maps,
    cams_of_all,
    coarse_noise,
    deletion,
    gate_text,
)
from fetal_book.parameters.gestational_age import GestationalAgeParameters
from fetal_lib.explain.deletion_verdict import deletion_verdict
from fetal_lib.models.vgg16_attention import PLANES, get_age_network
from fetal_lib.predict.gestational_age_maps import plane_cams

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


@pytest.mark.slow
def test_maps_of_many_fetuses_are_those_of_each_alone(monkeypatch):
    monkeypatch.setattr(maps, "AT_ONCE", 2)
    network = get_age_network(32, width=0.0625, batch_norm=True, n_pools=3, hidden=8)
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3)).astype(np.uint8)
    together = cams_of_all(network, images, PLANES)
    alone = np.stack([plane_cams(network, image, PLANES) for image in images])
    assert together.shape == (3, 3, 32, 32) and together.dtype == np.float32
    assert together.max() > 0
    np.testing.assert_allclose(together, alone, atol=1e-5 * alone.max())


def test_the_range_of_the_gate_is_told():
    gates = np.linspace(0.46, 0.54, SIDE * SIDE * 3).reshape(3, SIDE, SIDE)
    fetus = Maps("a", 200.0, None, gates, gates, gates, gates, {})
    assert "from 0.46 to 0.54" in gate_text([fetus])


def test_a_map_no_better_than_chance_fails_and_uneven_steps_count_by_their_span():
    share = np.array([0.0, 0.1, 1.0])
    curves = {"good": share * 10, "even": share * 4, "random": share * 4}
    text = deletion_verdict(share, curves, "random", "years")
    assert "random order moves the answer by 2.00 years" in text
    assert "`good` by **5.00 years** (passes" in text and "`even` by **2.00 years** (fails" in text
