"""The ellipse: its perimeter, its image under a stretch, its mask and every fit agree."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.geometry.conic import fit_conic
from fetal_lib.geometry.contour import enclosed, largest_region, level_crossings
from fetal_lib.geometry.ellipse import Ellipse, head_circumference_mm, ramanujan_perimeter
from fetal_lib.geometry.fit import (
    ellipse_from_mask,
    ellipse_from_probs,
    fit_ellipse,
    fit_ellipse_robust,
)
from fetal_lib.geometry.outline import ellipse_from_outline, fill_outline

HEAD = Ellipse(391.3, 268.8, 214.7, 168.2, 0.6)
SHAPE = (540, 800)


def random_head(rng: np.random.Generator, perimeter: float, shape: tuple[int, int]) -> Ellipse:
    ratio, angle = rng.uniform(0.7, 0.95), rng.uniform(0, np.pi)
    unit = Ellipse(0, 0, 1, ratio, angle)
    size = perimeter / unit.perimeter
    jitter = rng.uniform(-0.5, 0.5, 2)
    return unit.scaled(size, size).moved(shape[1] / 2 + jitter[0], shape[0] / 2 + jitter[1])


def draw_ring(ellipse: Ellipse, shape: tuple[int, int]) -> np.ndarray:
    x, y = np.round(ellipse.boundary(6000)).astype(int).T
    seen = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    ring = np.zeros(shape, np.uint8)
    ring[y[seen], x[seen]] = 255
    return ring


def soft_map(ellipse: Ellipse, shape: tuple[int, int], width_px: float = 1.5) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]].reshape(2, -1)
    off = ellipse.distance(np.stack([x, y], 1).astype(float))
    return (1 / (1 + np.exp(np.clip(off / width_px, -50, 50)))).reshape(shape)


@pytest.mark.parametrize("ratio", [1.0, 0.95, 0.8, 0.7, 0.5])
def test_ramanujan_agrees_with_the_elliptic_integral(ratio):
    from scipy.special import ellipe

    exact = 4 * 200 * ellipe(1 - ratio**2)
    assert ramanujan_perimeter(200, 200 * ratio) == pytest.approx(exact, rel=1e-6)


def test_ramanujan_takes_arrays():
    perimeters = ramanujan_perimeter(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert perimeters == pytest.approx([2 * np.pi, 4 * np.pi])


def test_axes_in_the_wrong_order_are_exchanged_and_turned():
    upright = Ellipse(0, 0, 3, 5, 0)
    assert (upright.semi_major, upright.semi_minor) == (5, 3)
    assert upright.angle_rad == pytest.approx(np.pi / 2)
    assert upright.level(np.array([3.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx([1, 1])


@pytest.mark.parametrize("axes", [(0, 1), (-1, 2), (np.nan, 1), (np.inf, 1)])
def test_an_ellipse_without_size_is_refused(axes):
    with pytest.raises(ValueError, match="Ellipse: received .* semi-axes positive"):
        Ellipse(0, 0, *axes, 0)


@pytest.mark.parametrize("scales", [(1, 1), (0.13, 0.13), (256 / 800, 256 / 540), (3, 0.2)])
def test_scaled_is_the_exact_affine_image(scales):
    image = HEAD.boundary(50) * scales
    assert HEAD.scaled(*scales).level(*image.T) == pytest.approx(np.ones(50), abs=1e-9)


@pytest.mark.parametrize("angle", [-1e-17, np.pi, -np.pi, 7.0, -1e-300])
def test_the_angle_is_kept_below_half_a_turn(angle):
    assert 0 <= Ellipse(0, 0, 2, 1, angle).angle_rad < np.pi


def test_scaling_only_the_axes_is_wrong_for_an_oblique_ellipse():
    naive = ramanujan_perimeter(HEAD.semi_major * 256 / 800, HEAD.semi_minor * 256 / 540)
    exact = HEAD.scaled(256 / 800, 256 / 540).perimeter
    assert abs(naive / exact - 1) > 0.02


@pytest.mark.parametrize("scale", [0, -1, np.nan])
def test_a_scale_that_is_not_positive_is_refused(scale):
    with pytest.raises(ValueError, match="scale_x, scale_y: received"):
        HEAD.scaled(scale, 1)


def test_resized_follows_opencv():
    import cv2

    probs = soft_map(HEAD, SHAPE, 8).astype(np.float32)
    small = cv2.resize(probs, (400, 270), interpolation=cv2.INTER_AREA)
    found, expected = ellipse_from_probs(small), HEAD.resized(SHAPE, (270, 400))
    assert found.center_x == pytest.approx(expected.center_x, abs=0.02)
    assert found.center_y == pytest.approx(expected.center_y, abs=0.02)
    there_and_back = expected.resized((270, 400), SHAPE)
    assert there_and_back.boundary(9) == pytest.approx(HEAD.boundary(9))


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.2, 2.5])
def test_a_squashed_mask_gives_back_the_circumference(angle):
    head = Ellipse(391.3, 268.8, 214.7, 168.2, angle)
    squashed = ellipse_from_mask(head.resized(SHAPE, (256, 256)).mask((256, 256)))
    spacing = (0.13 * 800 / 256, 0.13 * 540 / 256)
    expected = head_circumference_mm(head, (0.13, 0.13))
    assert head_circumference_mm(squashed, spacing) == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("perimeter", [150, 300, 700, 1300])
def test_a_mask_gives_back_its_ellipse(perimeter):
    rng = np.random.default_rng(perimeter)
    for _ in range(20):
        head = random_head(rng, perimeter, SHAPE)
        found = ellipse_from_mask(head.mask(SHAPE))
        assert found.perimeter == pytest.approx(head.perimeter, rel=0.002)
        assert abs(found.center_x - head.center_x) < 0.2
        assert abs(found.center_y - head.center_y) < 0.2


def test_mask_has_the_area_of_the_ellipse_and_is_cut_at_the_border():
    assert HEAD.mask(SHAPE).sum() == pytest.approx(
        np.pi * HEAD.semi_major * HEAD.semi_minor, rel=1e-3
    )
    y, x = np.mgrid[:200, :200]
    cut = Ellipse(10.2, 190.7, 60, 40, 0.3)
    assert np.array_equal(cut.mask((200, 200)), cut.level(x, y) <= 1)
    assert not Ellipse(-500, 50, 60, 40, 0).mask((200, 200)).any()


def test_probabilities_are_read_below_the_pixel():
    found = ellipse_from_probs(soft_map(HEAD, SHAPE))
    assert found.boundary(30) == pytest.approx(HEAD.boundary(30), abs=0.02)


def test_a_second_region_a_hole_and_a_bump_do_not_move_the_fit():
    probs = soft_map(HEAD, SHAPE)
    probs[5:60, 5:90] = 0.9
    probs[230:280, 350:420] = 0.1
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    bump = HEAD.boundary(360)[40]
    probs = np.maximum(probs, np.hypot(x - bump[0], y - bump[1]) < 18)
    assert ellipse_from_probs(probs).perimeter == pytest.approx(HEAD.perimeter, rel=0.003)


def test_a_region_cut_by_the_border_is_fitted_on_what_is_seen():
    head = Ellipse(330.0, 40.0, 214.7, 168.2, 0.6)
    assert head.center_y < head.half_extents[1]  # part of it lies above the image
    found = ellipse_from_mask(head.mask(SHAPE))
    assert found.perimeter == pytest.approx(head.perimeter, rel=0.01)


@pytest.mark.parametrize(
    ("probs", "message"),
    [
        (np.zeros((50, 50)), "0 pixels at or above 0.5"),
        (np.ones((50, 50)), "with 0 edge points"),
        (np.eye(50), "with 2 edge points"),
        (np.zeros((1, 50, 50)), "Drop the batch and channel axes"),
        (np.full((50, 50), np.nan), "2500 values not finite"),
    ],
)
def test_a_map_without_a_head_says_so(probs, message):
    with pytest.raises(ValueError, match=message):
        ellipse_from_probs(probs)


def test_a_level_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="level: received 128"):
        ellipse_from_probs(np.zeros((50, 50)), level=128)


def test_fit_is_exact_on_exact_points_and_agrees_with_opencv_and_scikit_image():
    import cv2
    from skimage.measure import EllipseModel

    rng = np.random.default_rng(0)
    for perimeter in rng.uniform(100, 2000, 20):
        head = random_head(rng, perimeter, SHAPE)
        exact = fit_ellipse(head.boundary(50))
        assert exact.boundary(9) == pytest.approx(head.boundary(9), abs=1e-6)
        noisy = head.boundary(400) + rng.normal(0, 1, (400, 2))
        found = fit_ellipse(noisy)
        _, size, _ = cv2.fitEllipseDirect(noisy.astype(np.float32))
        assert sorted(size) == pytest.approx([2 * found.semi_minor, 2 * found.semi_major], rel=1e-4)
        if hasattr(EllipseModel, "from_estimate"):
            model = EllipseModel.from_estimate(noisy)
            expected = [found.semi_minor, found.semi_major]
            assert sorted(model.axis_lengths) == pytest.approx(expected, rel=1e-6)


def test_fit_takes_a_circle_and_an_arc():
    circle = fit_ellipse(Ellipse(5, 6, 10, 10, 0).boundary(12))
    assert (circle.semi_major, circle.semi_minor) == pytest.approx((10, 10))
    arc = fit_ellipse(HEAD.boundary(360)[:90])
    assert arc.perimeter == pytest.approx(HEAD.perimeter, rel=1e-6)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((4, 2)),
        np.zeros((10, 2)),
        np.stack([np.arange(10.0), 2 * np.arange(10.0) + 1], 1),
        np.zeros((10, 3)),
        np.full((10, 2), np.nan),
    ],
)
def test_points_without_an_ellipse_are_refused(points):
    with pytest.raises(ValueError, match="points_xy: received"):
        fit_ellipse(points)


def test_the_conic_of_points_on_a_line_is_refused():
    line = np.stack([np.linspace(-1, 1, 9), np.linspace(-1, 1, 9)], 1)
    with pytest.raises(ValueError, match="one line"):
        fit_conic(line)


@pytest.mark.parametrize("start", [0, 90, 220])
@pytest.mark.parametrize("kind", ["bump", "notch"])
def test_robust_fit_ignores_a_seventh_of_the_outline(start, kind):
    rng = np.random.default_rng(1)
    points = HEAD.boundary(400) + rng.normal(0, 0.3, (400, 2))
    wrong, middle = np.arange(start, start + 57) % 400, (HEAD.center_x, HEAD.center_y)
    points[wrong] = (points[wrong] - middle) * (1.15 if kind == "bump" else 0.85) + middle
    assert abs(fit_ellipse(points).perimeter / HEAD.perimeter - 1) > 0.01
    assert fit_ellipse_robust(points).perimeter == pytest.approx(HEAD.perimeter, rel=0.001)


def test_level_crossings_are_the_vertices_of_marching_squares():
    from skimage.measure import find_contours

    field = soft_map(Ellipse(40, 30, 20, 15, 0.5), (64, 80))
    ours = np.unique(level_crossings(field, 0.5).round(9), axis=0)
    theirs = np.unique(find_contours(field, 0.5)[0][:, ::-1].round(9), axis=0)
    assert ours == pytest.approx(theirs, abs=1e-8)


def test_regions_and_enclosures_keep_to_their_connectivity():
    diagonal = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    assert enclosed(diagonal, 4).sum() == 1
    assert enclosed(diagonal, 8).sum() == 0
    assert largest_region(np.zeros((3, 3), bool)).sum() == 0


def test_a_ring_is_fitted_through_its_centre_line():
    rng = np.random.default_rng(2)
    for perimeter in (300, 800, 1300):
        head = random_head(rng, perimeter, SHAPE)
        found = ellipse_from_outline(draw_ring(head, SHAPE))
        assert found.perimeter == pytest.approx(head.perimeter, rel=0.0005)


@pytest.mark.parametrize("case", ["closed", "gap", "many gaps", "cut"])
def test_an_outline_is_filled_whatever_it_lacks(case):
    head = Ellipse(300, 80, 214.7, 168.2, 0.6) if case == "cut" else HEAD
    ring = draw_ring(head, SHAPE)
    if case == "gap":
        ring[:, 300:340] = 0
    if case == "many gaps":
        ring[::3] = 0
    filled, disc = fill_outline(ring), head.mask(SHAPE)
    assert 2 * (filled & disc).sum() / (filled.sum() + disc.sum()) > 0.999
    assert ellipse_from_mask(filled).perimeter == pytest.approx(head.perimeter, rel=0.002)


def test_counting_the_whole_ring_as_head_would_add_half_a_pixel_all_round():
    ring = draw_ring(HEAD, SHAPE)
    naive = ellipse_from_mask(enclosed(ring) | (ring > 0)).perimeter - HEAD.perimeter
    ours = ellipse_from_mask(fill_outline(ring)).perimeter - HEAD.perimeter
    assert naive > 2 and abs(ours) < 0.3


def test_a_drawn_shape_that_is_no_ellipse_keeps_its_shape():
    import cv2

    ring = np.zeros(SHAPE, np.uint8)
    corners = np.array([[300, 200], [420, 190], [470, 260], [420, 330], [310, 340], [260, 270]])
    cv2.polylines(ring, [corners], True, 255, 1)
    solid = cv2.fillPoly(np.zeros(SHAPE, np.uint8), [corners], 1) > 0
    filled = fill_outline(ring)
    assert (filled ^ solid).sum() <= (ring > 0).sum()


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        (np.zeros(SHAPE, np.uint8), "received 0 non-zero pixels"),
        (np.zeros((*SHAPE, 3), np.uint8), "it must be one image"),
        (HEAD.mask(SHAPE).astype(np.uint8), "draw its edge alone"),
    ],
)
def test_an_outline_that_is_none_says_so(outline, message):
    with pytest.raises(ValueError, match=message):
        fill_outline(outline)


def test_circumference_scales_with_the_pixel():
    assert head_circumference_mm(HEAD, (0.13, 0.13)) == pytest.approx(0.13 * HEAD.perimeter)


@pytest.mark.slow
def test_filling_and_fitting_an_hc18_sized_image_takes_under_20_ms_each():
    from time import perf_counter

    ring = draw_ring(HEAD, SHAPE)
    mask = fill_outline(ring)
    for work, argument in ((fill_outline, ring), (ellipse_from_mask, mask)):
        times = []
        for _ in range(15):
            start = perf_counter()
            work(argument)
            times.append(perf_counter() - start)
        assert min(times) < 0.02


@pytest.mark.slow
def test_circumferences_of_hc18_are_reproduced_from_its_outlines():
    import csv

    from made_up_scans import real_data

    from fetal_lib.readers.image import read_gray

    folder = real_data("hc18", "FETAL_DATA")
    table = folder / "training_set_pixel_size_and_HC.csv"
    errors = []
    for row in csv.DictReader(table.open()):
        name = row["filename"].replace(".png", "_Annotation.png")
        if not (folder / "training_set" / name).exists():
            continue
        pixel_size, hc = (float(row[key]) for key in list(row)[1:3])
        outline = read_gray(folder / "training_set" / name)
        ellipse = ellipse_from_outline(outline)
        errors.append(head_circumference_mm(ellipse, (pixel_size, pixel_size)) - hc)
    assert np.abs(errors).max() < 0.1
    assert np.median(np.abs(errors)) < 0.01
