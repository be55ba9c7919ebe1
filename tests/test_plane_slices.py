"""Slices of three planes: directions, scale, middle, and what the size switch does."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import real_data

from fetal_lib.data.plane_slices import find_brain, picture_slices, plane_of, plane_slices
from fetal_lib.readers.volume_grid import Volume, canonical
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.stacks import make_stacks

pytest.importorskip("nibabel")


def ball(radius_mm: float, spot: int = 0, spacing=(1.5, 1.0, 2.0)) -> Volume:
    """Return a ball around (5, -8, 3) mm, bright at its right (0), front (1) or top (2)."""
    sizes = [int(120 / edge) for edge in spacing]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-60.0] * 3
    places = np.indices(sizes) * np.reshape(spacing, (3, 1, 1, 1)) - 60.0
    offset = places - np.reshape([5.0, -8.0, 3.0], (3, 1, 1, 1))
    data = (np.sqrt((offset**2).sum(axis=0)) < radius_mm).astype(np.float32)
    offset[spot] -= 0.6 * radius_mm
    data[np.sqrt((offset**2).sum(axis=0)) < 0.25 * radius_mm] = 2.0
    return canonical(data, affine)


DIRECTIONS = [  # plane, bright side, where it must lie: rows down, columns to the right
    (0, 0, (0, 18)),
    (0, 1, (-18, 0)),
    (1, 0, (0, 18)),
    (1, 2, (-18, 0)),
    (2, 1, (0, -18)),
    (2, 2, (-18, 0)),
]


@pytest.mark.parametrize(("plane", "spot", "wanted"), DIRECTIONS)
def test_directions_of_the_three_planes(plane, spot, wanted):
    image = plane_slices(ball(30.0, spot), size=140).images[0, plane]  # 1 mm a pixel
    found = np.argwhere(image > 0.75).mean(axis=0) - (np.array(image.shape) - 1) / 2
    np.testing.assert_allclose(found, wanted, atol=1.0)


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_the_grid_of_the_file_changes_nothing(order, signs):
    volume = ball(28.0)
    data = volume.data.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for k, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        turn[axis, k] = sign
        turn[axis, 3] = 0 if sign > 0 else data.shape[k] - 1
    turned = canonical(data, volume.affine @ turn)
    np.testing.assert_allclose(
        plane_slices(turned, 3, 64).images, plane_slices(volume, 3, 64).images, atol=1e-4
    )


def test_size_is_kept_or_normalised_away():
    small, large = ball(20.0), ball(40.0)
    kept = [plane_slices(volume, 1, 96) for volume in (small, large)]
    areas = [(slices.images[0, 0] > 0.1).sum() for slices in kept]
    assert kept[0].pixel_mm == kept[1].pixel_mm == pytest.approx(140 / 96)
    assert areas[1] / areas[0] == pytest.approx(4.0, rel=0.05)
    equal = [plane_slices(volume, 1, 96, size_normalised=True) for volume in (small, large)]
    areas = [(slices.images[0, 0] > 0.1).sum() for slices in equal]
    assert areas[1] / areas[0] == pytest.approx(1.0, rel=0.05)
    assert equal[1].pixel_mm / equal[0].pixel_mm == pytest.approx(2.0, rel=0.02)


def test_volume_and_middle_are_found_with_and_without_a_mask():
    volume = ball(30.0)
    for mask in (None, volume.data > 0):
        place = find_brain(volume, mask)
        np.testing.assert_allclose(place.middle_mm, [5, -8, 3], atol=0.3)
        assert place.volume_ml == pytest.approx(4 / 3 * np.pi * 27, rel=0.02)
        assert place.diameter_mm == pytest.approx(60, rel=0.01)


def test_slices_are_spread_around_the_middle():
    slices = plane_slices(ball(30.0), 5, 64)
    assert slices.images.shape == (5, 3, 64, 64)
    np.testing.assert_allclose(slices.offsets_mm, np.linspace(-12, 12, 5), rtol=0.02)
    areas = (slices.images[:, 0] > 0.1).sum(axis=(1, 2)).astype(float)
    assert areas.argmax() == 2
    wanted = np.sqrt(900 - slices.offsets_mm**2) ** 2
    np.testing.assert_allclose(areas / areas[2], wanted / 900, atol=0.04)


def test_values_run_from_black_to_white_whatever_the_scanner():
    volume = ball(30.0)
    scaled = Volume(volume.data * 731.0, volume.affine, volume.spacing_mm)
    first, second = (plane_slices(v, 1, 64).images for v in (volume, scaled))
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert first.min() == 0 and first.max() == pytest.approx(1.0) and first.dtype == np.float32


def test_age_shows_in_the_size_and_in_the_shape_alone():
    images, kept = {}, {}
    for week in (22, 37):
        phantom = make_fetal_brain(3, 7.0 * week, 1.5)
        volume, mask = canonical(phantom.t2, phantom.affine), phantom.labels > 0
        kept[week] = plane_slices(volume, 3, 64, mask)
        images[week] = plane_slices(volume, 3, 64, mask, size_normalised=True).images
    filled = {week: (slices.images > 0).mean() for week, slices in kept.items()}
    assert filled[37] > 2.0 * filled[22]
    shares = {week: (image > 0).mean() for week, image in images.items()}
    assert shares[37] == pytest.approx(shares[22], rel=0.1)
    bright = {  # the fluid around a young brain is a larger part of its head
        week: (image > 0.85).sum() / (image > 0).sum() for week, image in images.items()
    }
    assert bright[22] > 1.25 * bright[37]


def test_stacks_are_cut_each_in_its_own_plane():
    phantom = make_fetal_brain(3, 200, 2.0, surroundings=True)
    stacks = make_stacks(phantom, 1)
    volumes = {}
    masks = {}
    for stack in stacks:
        volume = canonical(stack.data, stack.affine)
        assert plane_of(volume) == stack.plane
        volumes[stack.plane] = volume
        masks[stack.plane] = canonical(stack.labels, stack.affine).data > 0
    slices = plane_slices(volumes, 3, 64, masks, size_normalised=True)
    assert slices.brain_ml == pytest.approx(phantom.volumes_ml["total"], rel=0.05)
    with pytest.raises(ValueError, match="sagittal is missing"):
        plane_slices({plane: volumes[plane] for plane in ("axial", "coronal")})


def test_what_cannot_be_cut_is_refused():
    volume = ball(20.0)
    full = Volume(volume.data + 1, volume.affine, volume.spacing_mm)
    assert np.isnan(plane_slices(full).brain_ml)
    with pytest.raises(ValueError, match="give the brain's mask"):
        plane_slices(full, size_normalised=True)
    for mask in (np.zeros(volume.data.shape, bool), np.ones((2, 2, 2), bool)):
        with pytest.raises(ValueError, match="mask is"):
            plane_slices(volume, mask=mask)
    for options in ({"n_slices": 0}, {"size": 4}, {"field_mm": float("nan")}):
        with pytest.raises(ValueError, match="are cut"):
            plane_slices(volume, **options)


def test_pictures_are_padded_chosen_from_the_middle_and_have_no_millimetres():
    tall = [np.full((40, 20), 10 * k, np.uint8) for k in range(21)]
    slices = picture_slices(dict.fromkeys(("axial", "coronal", "sagittal"), tall), 3, 32)
    assert slices.images.shape == (3, 3, 32, 32) and np.isnan(slices.pixel_mm)
    np.testing.assert_allclose(slices.images[:, 0, 16, 16] * 255, [50, 100, 150], atol=1)
    assert not slices.images[:, :, :, :6].any()
    one = picture_slices(dict.fromkeys(("axial", "coronal", "sagittal"), tall[:1]), 3, 32)
    assert one.images.shape[0] == 3
    with pytest.raises(ValueError, match="none of coronal, sagittal"):
        picture_slices({"axial": tall})


def test_real_templates_are_cut_upright():
    folder = real_data("spina_bifida_atlas")
    from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases

    table = read_cases(folder)
    scan = next(iter_scans(table[table["ga_days"] == 29 * 7]))
    slices = plane_slices(scan.volume, 1, 96, scan.mask)
    axial, coronal, sagittal = slices.images[0] > 0.05
    heights = [np.ptp(np.flatnonzero(plane.any(axis=1))) for plane in (axial, coronal, sagittal)]
    widths = [np.ptp(np.flatnonzero(plane.any(axis=0))) for plane in (axial, coronal, sagittal)]
    assert heights[0] > 1.15 * widths[0]  # longer than wide
    assert widths[2] > widths[1]
    assert abs(axial[:, :48].sum() - axial[:, 48:].sum()) < 0.1 * axial.sum()
