"""Stacks of slices: geometry, motion, lost signal."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.stacks import make_stacks
from fetal_phantoms.fetal_brain.tissues import LABELS

nibabel = pytest.importorskip("nibabel")


@pytest.fixture(scope="module")
def phantom():
    return make_fetal_brain(2, 196, 1.5, surroundings=True)


def centre(labels: np.ndarray, affine: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    where = np.argwhere(wanted).mean(axis=0)
    return affine[:3, :3] @ where + affine[:3, 3]


def test_spacing_planes_and_handedness(phantom):
    stacks = make_stacks(phantom, 0, thickness_mm=4.0, in_plane_mm=1.2, gap_mm=0.5)
    normals = {"axial": 2, "coronal": 1, "sagittal": 0}
    assert [stack.plane for stack in stacks] == list(normals)
    for stack in stacks:
        sizes = nibabel.affines.voxel_sizes(stack.affine)
        assert sizes == pytest.approx([1.2, 1.2, 4.5])
        normal = stack.affine[:3, 2] / sizes[2]
        assert abs(normal[normals[stack.plane]]) > 0.85
        axes = stack.affine[:3, :3] / sizes
        np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)


def test_a_stack_without_motion_or_tilt_shows_the_phantom_where_it_is(phantom):
    for stack in make_stacks(phantom, 0, motion=0.0, tilt_deg=0.0):
        for name in ("cerebellum", "white", "deep_gray"):
            there = centre(phantom.labels, phantom.affine, phantom.labels == LABELS[name])
            here = centre(stack.labels, stack.affine, stack.labels == LABELS[name])
            np.testing.assert_allclose(here, there, atol=0.8)
        voxel_ml = abs(np.linalg.det(stack.affine[:3, :3])) / 1000
        volume = np.count_nonzero(stack.labels) * voxel_ml
        assert volume == pytest.approx(phantom.volumes_ml["total"], rel=0.03)


def test_a_tilted_stack_shows_the_same_volume_at_the_same_place(phantom):
    stack = make_stacks(phantom, 3, planes=("coronal",), motion=0.0, tilt_deg=15.0)[0]
    there = centre(phantom.labels, phantom.affine, phantom.labels > 0)
    np.testing.assert_allclose(centre(stack.labels, stack.affine, stack.labels > 0), there, atol=1)
    tilt = np.degrees(np.arccos(abs(stack.affine[1, 2]) / 3.3))
    assert tilt > 2.0


@pytest.mark.slow
def test_slices_blur_across_their_thickness():
    phantom = make_fetal_brain(2, 252, 1.0)
    thin, thick = (
        make_stacks(phantom, 0, ("axial",), thickness_mm=t, motion=0.0, tilt_deg=0.0)[0]
        for t in (2.0, 6.0)
    )

    def detail(stack):
        inside = stack.data[:, :, stack.data.shape[2] // 2]
        steps = np.abs(np.diff(inside, axis=0))[inside[1:] > 0.3 * inside.max()]
        return np.percentile(steps, 95) / inside.max()

    assert detail(thick) < detail(thin)


def test_motion_displaces_slices_and_can_be_switched_off(phantom):
    still, moved, wild = (
        make_stacks(phantom, 1, ("axial",), motion=m, tilt_deg=0.0)[0] for m in (0.0, 1.0, 3.0)
    )
    assert not still.motion.any() and still.motion.shape == (still.data.shape[2], 6)
    np.testing.assert_allclose(wild.motion, 3 * moved.motion)
    assert (moved.labels != still.labels).mean() > 0.005
    neighbours = np.abs(np.diff(moved.motion, axis=0)).mean()
    in_time = np.abs(np.diff(moved.motion[::2], axis=0)).mean()
    assert in_time < neighbours  # every second slice was acquired just before


def test_some_slices_lose_signal():
    phantom = make_fetal_brain(2, 196, 2.5, surroundings=True)
    stacks = [stack for seed in range(12) for stack in make_stacks(phantom, seed, in_plane_mm=3.0)]
    share = np.mean(np.concatenate([stack.dropped for stack in stacks]))
    assert 0.02 < share < 0.09
    ratios = []
    for stack in stacks:
        level = stack.data.mean(axis=(0, 1))
        for k in np.flatnonzero(stack.dropped[1:-1]) + 1:
            if not stack.dropped[[k - 1, k + 1]].any():
                ratios.append(level[k] / level[[k - 1, k + 1]].mean())
    assert np.mean(ratios) < 0.85


def test_a_seed_gives_the_same_stacks(phantom):
    first, again, other = (make_stacks(phantom, seed, ("sagittal",))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.data, again.data)
    assert first.data.shape != other.data.shape or not np.array_equal(first.data, other.data)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"planes": ("oblique",)}, "oblique"),
        ({"planes": "axial"}, "axial"),
        ({"thickness_mm": 30.0}, "thickness_mm is 30"),
        ({"in_plane_mm": 0.0}, "in_plane_mm is 0"),
        ({"motion": float("nan")}, "motion is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_nonsense_is_refused(phantom, arguments, word):
    with pytest.raises(ValueError, match=word):
        make_stacks(phantom, **{"seed": 0, **arguments})
