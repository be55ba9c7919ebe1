"""Sizes in mm from maps: those that were drawn, through a network's small square and back."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.data.images import squash
from fetal_lib.geometry.biometry import SIZES, sizes_mm
from fetal_lib.geometry.callipers import band_mask
from fetal_lib.geometry.ellipse import Ellipse

SCAN = (661, 959)


def small(mask: np.ndarray, side: int) -> np.ndarray:
    return squash(mask.astype(np.uint8) * 255, (side, side)) / 255


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.4, 2.2])
@pytest.mark.parametrize("side", [96, 256])
def test_a_squashed_map_gives_the_sizes_that_were_drawn(angle, side):
    ellipse = Ellipse(480, 330, 260, 200, angle)
    corners = ellipse.boundary(4)
    found = sizes_mm("head", small(ellipse.mask(SCAN), side), SCAN, 0.2)
    drawn = {"hc_mm": ellipse.perimeter * 0.2, "bpd_mm": 80.0, "ofd_mm": 104.0}
    assert found == pytest.approx(drawn, rel=0.01)
    probs = small(ellipse.mask(SCAN), side)
    for line, tad, apad in ((corners[[0, 2]], 104, 80), (corners[[3, 1]], 80, 104)):
        turned = sizes_mm("abdomen", probs, SCAN, 0.2, line + [[0, 0], [20, -20]])
        assert [turned["tad_mm"], turned["apad_mm"]] == pytest.approx([tad, apad], rel=0.01)
    femur = (
        np.array([[480.0, 330.0]]) + [[-1], [1]] * np.array([np.cos(angle), np.sin(angle)]) * 190
    )
    length = sizes_mm("femur", small(band_mask(femur, SCAN), side), SCAN, 0.2)["fl_mm"]
    assert length == pytest.approx(76, rel=0.03 if side == 96 else 0.015)


def test_an_outline_alone_does_not_say_which_axis_is_transverse():
    found = sizes_mm("abdomen", Ellipse(480, 330, 260, 200, 0.3).mask(SCAN), SCAN, 0.2)
    assert found["ac_mm"] > 0 and np.isnan([found["tad_mm"], found["apad_mm"]]).all()


@pytest.mark.parametrize("structure", SIZES)
def test_where_nothing_is_found_nothing_is_measured(structure):
    found = sizes_mm(structure, np.zeros((64, 64)), SCAN, 0.2)
    assert set(found) == set(SIZES[structure]) and np.isnan(list(found.values())).all()
    with pytest.raises(ValueError, match="structure: received 'brain'"):
        sizes_mm("brain", np.zeros((64, 64)), SCAN, 0.2)
