"""Mask scores: closed forms, empty masks, and agreement with MONAI and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.metrics.segmentation import (
    assd_mm,
    boundary_points_mm,
    dice,
    hausdorff_mm,
    hausdorff_points,
    iou,
    precision,
    recall,
)

OVERLAPS = (dice, iou, precision, recall)


def random_pair(seed: int, shape: tuple[int, ...] = (40, 50)) -> tuple[np.ndarray, np.ndarray]:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=shape), 4)
    other = field + 0.5 * gaussian_filter(rng.normal(size=shape), 3)
    return field > 0, other > 0


def squares(shift: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.zeros((60, 80), bool), np.zeros((60, 80), bool)
    a[10:30, 10:30] = True
    b[10:30, 10 + shift : 30 + shift] = True
    return a, b


def test_overlap_of_shifted_squares_is_the_closed_form():
    a, b = squares(5)
    assert dice(a, b) == pytest.approx(0.75)
    assert iou(a, b) == pytest.approx(15 / 25)
    assert precision(a, b) == recall(a, b) == pytest.approx(0.75)


def test_precision_blames_what_is_added_and_recall_what_is_missed():
    a, _ = squares(0)
    larger = a.copy()
    larger[30:50, 10:30] = True
    assert (precision(a, larger), recall(a, larger)) == (0.5, 1.0)
    assert (precision(larger, a), recall(larger, a)) == (1.0, 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_overlaps_agree_with_scikit_learn_and_monai(seed):
    monai_metrics, torch = pytest.importorskip("monai.metrics"), pytest.importorskip("torch")
    from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

    true, pred = random_pair(seed)
    flat = true.ravel(), pred.ravel()
    theirs = [score(*flat) for score in (f1_score, jaccard_score, precision_score, recall_score)]
    assert [score(true, pred) for score in OVERLAPS] == pytest.approx(theirs)
    batch = [torch.tensor(mask)[None, None].float() for mask in (pred, true)]
    assert dice(true, pred) == pytest.approx(float(monai_metrics.DiceMetric()(*batch)))


@pytest.mark.parametrize("score", OVERLAPS)
def test_both_empty_is_one_and_one_empty_is_zero(score):
    empty, full = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    assert score(empty, empty) == 1
    assert score(empty, full) == 0
    assert score(full, empty) == 0


@pytest.mark.parametrize("distance", [hausdorff_mm, assd_mm])
def test_no_boundary_at_all_is_zero_and_one_missing_is_nan(distance):
    empty, full = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    assert distance(empty, empty, 1.0) == 0
    assert np.isnan(distance(empty, full, 1.0))
    assert np.isnan(distance(full, empty, 1.0))


@pytest.mark.parametrize("percentile", [100, 95])
def test_distances_of_shifted_squares_are_the_closed_form(percentile):
    a, b = squares(6)
    assert hausdorff_mm(a, b, 0.5) == pytest.approx(3.0)
    assert hausdorff_mm(a, b, (9.0, 0.5)) == pytest.approx(3.0)
    assert hausdorff_mm(a, a, 1.0, percentile) == 0
    assert assd_mm(a, a, 1.0) == 0


def test_spacing_runs_over_the_array_axes_rows_first():
    a, b = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    a[1, 4], b[6, 4] = True, True
    assert hausdorff_mm(a, b, (2.0, 1.0)) == pytest.approx(10)
    assert assd_mm(a, b, (1.0, 2.0)) == pytest.approx(5)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.13, 0.3)])
def test_distances_agree_with_monai(seed, spacing):
    monai_metrics, torch = pytest.importorskip("monai.metrics"), pytest.importorskip("torch")
    true, pred = random_pair(seed)
    batch = [torch.tensor(mask)[None, None].float() for mask in (pred, true)]
    for percentile in (100, 95):
        metric = monai_metrics.HausdorffDistanceMetric(True, percentile=percentile)
        theirs = float(metric(*batch, spacing=list(spacing)))
        assert hausdorff_mm(true, pred, spacing, percentile) == pytest.approx(theirs, rel=1e-5)
    metric = monai_metrics.SurfaceDistanceMetric(True, symmetric=True)
    theirs = float(metric(*batch, spacing=list(spacing)))
    assert assd_mm(true, pred, spacing) == pytest.approx(theirs, rel=1e-5)


def test_volumes_are_scored_like_images():
    true, pred = random_pair(3, (12, 20, 16))
    there = hausdorff_mm(true, pred, (3.0, 1.0, 1.0))
    assert there == hausdorff_mm(pred, true, (3.0, 1.0, 1.0)) > 0
    assert assd_mm(true, pred, (3.0, 1.0, 1.0)) < there


def test_a_pixel_at_the_image_border_is_a_boundary():
    assert len(boundary_points_mm(np.ones((5, 6), bool), 1.0)) == 2 * (5 + 6) - 4


def test_distance_of_point_sets_agrees_with_scipy():
    from scipy.spatial.distance import directed_hausdorff

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(80, 2)), rng.normal(size=(70, 2))
    theirs = max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])
    assert hausdorff_points(a, b) == pytest.approx(theirs)
    assert hausdorff_points(a[:0], b[:0]) == 0
    assert np.isnan(hausdorff_points(a, b[:0]))


@pytest.mark.parametrize("score", OVERLAPS)
def test_probabilities_are_refused(score):
    with pytest.raises(ValueError, match=r"mask_pred: received float64 .* Threshold it first"):
        score(np.zeros((3, 3), bool), np.full((3, 3), 0.4))


@pytest.mark.parametrize("score", OVERLAPS)
def test_other_shapes_are_refused(score):
    with pytest.raises(ValueError, match=r"shape \(3, 4\), mask_true has \(3, 3\)"):
        score(np.zeros((3, 3), bool), np.zeros((3, 4), bool))


@pytest.mark.parametrize("spacing", [0, -1, (1, 1, 1), (1, 0), float("nan")])
def test_a_spacing_that_cannot_be_is_refused(spacing):
    a, b = squares(2)
    with pytest.raises(ValueError, match="spacing_mm: received"):
        hausdorff_mm(a, b, spacing)


@pytest.mark.parametrize("percentile", [0, 101, -5])
def test_a_percentile_that_cannot_be_is_refused(percentile):
    a, b = squares(2)
    with pytest.raises(ValueError, match="percentile: received"):
        hausdorff_mm(a, b, 1.0, percentile)


def test_point_sets_of_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"received shapes \(3, 2\) and \(3, 3\)"):
        hausdorff_points(np.zeros((3, 2)), np.zeros((3, 3)))
