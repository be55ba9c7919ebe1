"""Callipers: an ellipse has the axes of its two lines, a band the length of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fetal_lib.geometry.callipers import (
    band_ends,
    band_mask,
    diameters_off,
    ellipse_from_diameters,
    line_length,
)
from fetal_lib.geometry.ellipse import Ellipse, ramanujan_perimeter
from fetal_lib.geometry.fit import ellipse_from_mask


def lines_of(ellipse: Ellipse) -> tuple[np.ndarray, np.ndarray]:
    corners = ellipse.boundary(4)
    return corners[[0, 2]], corners[[1, 3]]


def misfit(ends: np.ndarray, ellipse: Ellipse) -> float:
    away = np.linalg.norm(ends[:, None] - ellipse.boundary(4), axis=2)
    return float((away.min(axis=1) ** 2).sum())


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, np.pi / 2, 2.5, 3.1])
@pytest.mark.parametrize("flips", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_axes_of_an_ellipse_give_it_back_whatever_their_order(angle, flips):
    head = Ellipse(400, 270, 200, 160, angle)
    along, across = (line[::flip] for line, flip in zip(lines_of(head), flips, strict=True))
    for found in (ellipse_from_diameters(along, across), ellipse_from_diameters(across, along)):
        assert np.allclose(found.boundary(7), head.boundary(7), atol=1e-9) or np.allclose(
            found.boundary(8), np.roll(head.boundary(8), 4, axis=0), atol=1e-9
        )


def test_oblique_lines_keep_their_lengths_and_the_angle_is_the_nearest_by_search():
    rng = np.random.default_rng(0)
    for _ in range(20):
        along, across = lines_of(Ellipse(400, 270, 200, 160, rng.uniform(0, 3)))
        along, across = along + rng.normal(0, 15, (2, 2)), across + rng.normal(0, 15, (2, 2))
        found = ellipse_from_diameters(along, across)
        lengths = sorted([line_length(along), line_length(across)])
        assert [2 * found.semi_minor, 2 * found.semi_major] == pytest.approx(lengths)
        assert found.perimeter == pytest.approx(ramanujan_perimeter(*np.array(lengths) / 2))

        ends = np.concatenate([along, across])
        others = [found.moved(*step) for step in ((2, 0), (-2, 0), (0, 2), (0, -2))]
        others += [replace(found, angle_rad=found.angle_rad + turn) for turn in (-0.02, 0.02)]
        assert misfit(ends, found) < min(misfit(ends, other) for other in others)


def test_lines_that_are_no_axes_are_told_by_angle_and_offset():
    skew, offset = diameters_off([[0, 0], [100, 0]], [[20, -40], [100, 40]])
    assert skew == pytest.approx(45) and offset == pytest.approx(10 / 100)
    assert diameters_off([[0, 0], [100, 0]], [[50, 7], [50, 7]]) == (90.0, np.inf)


def test_the_mask_of_callipers_measures_as_the_callipers():
    along, across = lines_of(Ellipse(390.3, 280.6, 211, 166, 0.4))
    found = ellipse_from_mask(ellipse_from_diameters(along, across).mask((560, 800)))
    assert 2 * found.semi_major == pytest.approx(line_length(along), rel=1e-3)
    assert 2 * found.semi_minor == pytest.approx(line_length(across), rel=1e-3)


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 9)[:-1])
@pytest.mark.parametrize("length", [40, 170, 450])
def test_a_band_is_as_long_as_its_line_at_every_angle(angle, length):
    half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    line = np.array([[300.4, 270.7] - half, [300.4, 270.7] + half])
    line = line[np.argsort(line[:, 0], kind="stable")]
    mask = band_mask(line, (540, 600))
    found = band_ends(mask)
    assert line_length(found) == pytest.approx(length, abs=0.7)
    assert min(np.abs(found - line).max(), np.abs(found[::-1] - line).max()) < 0.7
    mask[:3, :3] = True  # a second, smaller piece
    assert np.array_equal(band_ends(mask), found)


@pytest.mark.parametrize("mask", [np.zeros((9, 9)), np.ones((20, 30))])
def test_what_is_no_band_is_refused(mask):
    with pytest.raises(ValueError, match="mask: received"):
        band_ends(mask)


@pytest.mark.parametrize("line", [[[0, 0], [0, np.nan]], [0, 1], [[5, 5], [5, 5]]])
def test_what_is_no_line_is_refused(line):
    with pytest.raises(ValueError, match="^first.*: received"):
        ellipse_from_diameters(line, [[0, 0], [1, 1]])
