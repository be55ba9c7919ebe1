"""How well two masks agree: overlap as a fraction, boundary distance in millimetres.

An empty mask is decided, not left to a division: overlap scores are 1 when both masks are empty
and 0 when one is. A boundary distance is 0 when both are empty, and NaN when one is, because
there is no boundary to measure to; report how many images that were.

References
----------
Taha AA, Hanbury A. Metrics for evaluating 3D medical image segmentation: analysis, selection,
and tool. BMC Med Imaging 2015; 15:29. DOI 10.1186/s12880-015-0068-x
Maier-Hein L et al. Metrics reloaded: recommendations for image analysis validation. Nature
Methods 2024; 21:195-212. DOI 10.1038/s41592-023-02151-z
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SPACING = float | Sequence[float]


def _checked(name: str, mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype == bool:
        return mask
    if mask.size and not np.isin(mask, (0, 1)).all():
        raise ValueError(
            f"{name}: received {mask.dtype} values from {mask.min()} to {mask.max()}; a mask is "
            "bool or holds 0 and 1 only. Threshold it first, for example probs >= 0.5."
        )
    return mask.astype(bool)


def _pair(mask_true: np.ndarray, mask_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, pred = _checked("mask_true", mask_true), _checked("mask_pred", mask_pred)
    if true.shape != pred.shape:
        raise ValueError(
            f"mask_pred: received shape {pred.shape}, mask_true has {true.shape}; both must be "
            "the same. Resize the prediction to the reference's grid (nearest neighbour)."
        )
    return true, pred


def _ratio(part: int, whole: int, both_empty: bool) -> float:
    if whole == 0:
        return 1.0 if both_empty else 0.0
    return float(part / whole)


def dice(mask_true: np.ndarray, mask_pred: np.ndarray) -> float:
    """Compute the Dice coefficient, 2 |A ∩ B| / (|A| + |B|).

    Parameters
    ----------
    mask_true, mask_pred : bool (or 0/1) arrays of one shape, (H, W) or (D, H, W).

    Returns
    -------
    float in [0, 1]; both empty = 1, one empty = 0.

    Examples
    --------
    >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    0.6666666666666666
    """
    true, pred = _pair(mask_true, mask_pred)
    total = int(true.sum()) + int(pred.sum())
    return _ratio(2 * int((true & pred).sum()), total, both_empty=total == 0)


def iou(mask_true: np.ndarray, mask_pred: np.ndarray) -> float:
    """Compute intersection over union (Jaccard), |A ∩ B| / |A ∪ B|.

    Parameters and empty masks as for ``dice``.

    Examples
    --------
    >>> iou(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    0.5
    """
    true, pred = _pair(mask_true, mask_pred)
    union = int((true | pred).sum())
    return _ratio(int((true & pred).sum()), union, both_empty=union == 0)


def precision(mask_true: np.ndarray, mask_pred: np.ndarray) -> float:
    """Compute the part of the prediction that is right, |A ∩ B| / |B|.

    Parameters and empty masks as for ``dice``.

    Examples
    --------
    >>> precision(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    1.0
    """
    true, pred = _pair(mask_true, mask_pred)
    return _ratio(int((true & pred).sum()), int(pred.sum()), both_empty=not true.any())


def recall(mask_true: np.ndarray, mask_pred: np.ndarray) -> float:
    """Compute the part of the reference that is found, |A ∩ B| / |A|.

    Parameters and empty masks as for ``dice``.

    Examples
    --------
    >>> recall(np.array([[1, 1, 0]]), np.array([[0, 1, 0]]))
    0.5
    """
    true, pred = _pair(mask_true, mask_pred)
    return _ratio(int((true & pred).sum()), int(true.sum()), both_empty=not pred.any())


def boundary_points_mm(mask: np.ndarray, spacing_mm: SPACING) -> np.ndarray:
    """List the boundary pixels: those of the mask with a neighbour (by a face) outside it.

    Parameters
    ----------
    mask : bool array of n axes; beyond the array counts as outside.
    spacing_mm : float, or one float per array axis: (row, column) or (slice, row, column).

    Returns
    -------
    float array (N, n): positions in mm, in the order of the array's axes.

    Raises
    ------
    ValueError
        When the spacing is not positive or has the wrong length.
    """
    from scipy.ndimage import binary_erosion

    spacing = np.asarray(spacing_mm, float)
    if spacing.shape not in ((), (1,), (mask.ndim,)) or not (spacing > 0).all():
        raise ValueError(
            f"spacing_mm: received {spacing_mm!r} for a mask of shape {mask.shape}; it must be "
            f"one positive number or {mask.ndim}, one per array axis. Rows come first."
        )
    return np.argwhere(mask & ~binary_erosion(mask)) * spacing


def _nearest(points_a: np.ndarray, points_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial import cKDTree

    return cKDTree(points_b).query(points_a)[0], cKDTree(points_a).query(points_b)[0]


def _boundary_distances(
    mask_true: np.ndarray, mask_pred: np.ndarray, spacing_mm: SPACING
) -> tuple[np.ndarray, np.ndarray] | float:
    true, pred = _pair(mask_true, mask_pred)
    points = boundary_points_mm(true, spacing_mm), boundary_points_mm(pred, spacing_mm)
    if not len(points[0]) or not len(points[1]):
        return 0.0 if len(points[0]) == len(points[1]) else float("nan")
    return _nearest(*points)


def hausdorff_mm(
    mask_true: np.ndarray, mask_pred: np.ndarray, spacing_mm: SPACING, percentile: float = 100
) -> float:
    """Compute the symmetric Hausdorff distance of two boundaries.

    ``max(P(d(A→B)), P(d(B→A)))`` over the boundary pixels, P the percentile: 100 for the
    distance proper, 95 for HD95 (the larger of the two directed percentiles, as MONAI does).

    Parameters
    ----------
    mask_true, mask_pred : bool (or 0/1) arrays of one shape.
    spacing_mm : float, or one float per array axis, rows first.
    percentile : float in (0, 100].

    Returns
    -------
    float, mm; both empty = 0, one empty = NaN.

    Examples
    --------
    >>> a, b = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
    >>> a[0, 1], b[0, 5] = True, True
    >>> hausdorff_mm(a, b, spacing_mm=0.5)
    2.0
    """
    if not 0 < percentile <= 100:
        raise ValueError(
            f"percentile: received {percentile!r}; it must be above 0 and at most 100. Use 95."
        )
    found = _boundary_distances(mask_true, mask_pred, spacing_mm)
    if isinstance(found, float):
        return found
    return float(max(np.percentile(distances, percentile) for distances in found))


def assd_mm(mask_true: np.ndarray, mask_pred: np.ndarray, spacing_mm: SPACING) -> float:
    """Compute the average symmetric surface distance: the mean over both boundaries' pixels.

    Parameters and empty masks as for ``hausdorff_mm``.

    Examples
    --------
    >>> a, b = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
    >>> a[0, 1], b[0, 5] = True, True
    >>> assd_mm(a, b, spacing_mm=0.5)
    2.0
    """
    found = _boundary_distances(mask_true, mask_pred, spacing_mm)
    return found if isinstance(found, float) else float(np.concatenate(found).mean())


def hausdorff_points(points_a: np.ndarray, points_b: np.ndarray) -> float:
    """Compute the symmetric Hausdorff distance of two point sets.

    Parameters
    ----------
    points_a : float array (N, n)
    points_b : float array (M, n), for example two outlines in mm.

    Returns
    -------
    float, unit of the points; both empty = 0, one empty = NaN.

    Examples
    --------
    >>> hausdorff_points(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0]]))
    5.0
    """
    a, b = np.asarray(points_a, float), np.asarray(points_b, float)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"points_a, points_b: received shapes {a.shape} and {b.shape}; both must be (N, n) "
            "with the same n. Give one x, y row per point."
        )
    if not len(a) or not len(b):
        return 0.0 if len(a) == len(b) else float("nan")
    return float(max(distances.max() for distances in _nearest(a, b)))
