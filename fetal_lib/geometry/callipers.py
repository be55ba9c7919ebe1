"""Callipers: lengths, circumferences, ellipses and bands from the two ends of each line.

A line is an array (2, 2): its two ends as x, y in pixel-centre coordinates. BPD, OFD, TAD, APAD
and FL are the lengths of one line each; HC and AC are the perimeters of the ellipses whose axes
two lines are (Ramanujan II, as everywhere here; ``π (d1 + d2) / 2``, which is often printed, is
0.3 % less at the shape of a head).
"""

from __future__ import annotations

import numpy as np

from fetal_lib.geometry.contour import largest_region
from fetal_lib.geometry.ellipse import Ellipse

BAND_SHARE = 0.12  # width of a femur's band over its length, about that of the shaft
MIN_ELONGATION = 2.0


def line_length(line: np.ndarray) -> float:
    """Measure a line, in pixels (or in millimetres where its ends are).

    >>> line_length(np.array([[0, 0], [30, 40]])) * 0.1
    5.0
    """
    ends = _checked(line)
    return float(np.hypot(*(ends[1] - ends[0])))


def ellipse_from_diameters(first: np.ndarray, second: np.ndarray) -> Ellipse:
    """Lay an ellipse through two diameters, by least squares over the four ends.

    Its axes are as long as the lines, so that its circumference is that of the callipers. Centre
    and angle bring its four vertices nearest to the four ends: the centre is their mean, and the
    angle that of ``d1² u1 + d2² v2``, where ``u1`` is the direction of the first line as a unit
    vector, ``v2`` that of the second turned by 90 degrees to the same side, and ``d`` are the
    lengths. Lines that halve each other at a right angle are the axes exactly; where they do not,
    `diameters_off` says by how much.

    Parameters
    ----------
    first, second : float array (2, 2)
        Ends of each diameter; which is longer does not matter.

    Raises
    ------
    ValueError
        If an array has another shape, is not finite, or a line has no length.

    Examples
    --------
    >>> head = ellipse_from_diameters([[0, 50], [200, 50]], [[100, -30], [100, 130]])
    >>> head.center_x, head.center_y, head.semi_major, head.semi_minor, head.angle_rad
    (100.0, 50.0, 100.0, 80.0, 0.0)
    """
    ends = np.concatenate([_checked(first, "first"), _checked(second, "second")])
    along, across = ends[1] - ends[0], _turned(ends[3] - ends[2])
    lengths = np.hypot(*along), np.hypot(*across)
    if min(lengths) == 0:
        raise ValueError(
            f"first, second: received lengths {lengths[0]:g} and {lengths[1]:g}; a diameter needs "
            "two different ends."
        )
    across = across if across @ along >= 0 else -across
    axis = along * lengths[0] + across * lengths[1]
    return Ellipse(*ends.mean(0), lengths[0] / 2, lengths[1] / 2, np.arctan2(axis[1], axis[0]))


def diameters_off(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Measure how far two lines are from the axes of one ellipse.

    Returns
    -------
    skew_deg : float, 0 to 90
        By how much the angle between them misses 90 degrees.
    offset : float
        Distance of their middles, as a share of the shorter line.

    >>> diameters_off([[0, 0], [10, 0]], [[7, -4], [7, 4]])
    (0.0, 0.25)
    """
    first, second = _checked(first, "first"), _checked(second, "second")
    along, across = first[1] - first[0], second[1] - second[0]
    shorter = min(np.hypot(*along), np.hypot(*across))
    if shorter == 0:
        return 90.0, float("inf")
    cosine = abs(along @ across) / (np.hypot(*along) * np.hypot(*across))
    offset = np.hypot(*(first.mean(0) - second.mean(0))) / shorter
    return float(np.degrees(np.arcsin(min(cosine, 1.0)))), float(offset)


def band_mask(
    line: np.ndarray, shape_hw: tuple[int, int], width_share: float = BAND_SHARE
) -> np.ndarray:
    """Fill the band along a line: bool array (H, W), square at both ends.

    Parameters
    ----------
    line : float array (2, 2)
    shape_hw : (height, width) in pixels.
    width_share : float, > 0
        Width of the band over its length.
    """
    ends = _checked(line)
    length = line_length(ends)
    if length == 0:
        return np.zeros(shape_hw, bool)
    direction = (ends[1] - ends[0]) / length
    x, y = np.arange(shape_hw[1])[None, :], np.arange(shape_hw[0])[:, None]
    dx, dy = x - ends[:, 0].mean(), y - ends[:, 1].mean()
    along = np.abs(dx * direction[0] + dy * direction[1])
    across = np.abs(dy * direction[0] - dx * direction[1])
    return (along <= length / 2) & (across <= length * width_share / 2)


def band_ends(mask: np.ndarray) -> np.ndarray:
    """Find the two ends of the largest band in a mask: float array (2, 2), from left to right.

    The length is that of the even band of the same spread: ``sqrt(12 s² + 1)`` pixels, where
    ``s²`` is the variance of the pixels' centres along their principal axis. A ragged end moves
    it less than it moves the outermost pixel.

    Parameters
    ----------
    mask : bool (or 0 and non-zero) array (H, W)

    Raises
    ------
    ValueError
        If nothing is drawn, or it is no band: less than twice as long as wide.

    Examples
    --------
    >>> line = np.array([[20.0, 30.0], [120.0, 55.0]])
    >>> bool(np.abs(band_ends(band_mask(line, (90, 150))) - line).max() < 0.5)
    True
    """
    import cv2

    region = largest_region(np.asarray(mask) != 0)
    found = cv2.moments(region.astype(np.uint8), binaryImage=True)
    n = int(found["m00"])
    if n < 3:
        raise ValueError(f"mask: received {n} pixels in one piece; a band needs at least 3.")
    spread = np.array([[found["mu20"], found["mu11"]], [found["mu11"], found["mu02"]]]) / n
    squares, axes = np.linalg.eigh(spread)
    width, length = np.sqrt(12 * np.maximum(squares, 0) + 1)
    if length < MIN_ELONGATION * width:
        raise ValueError(
            f"mask: received a region {length:.0f} pixels long and {width:.0f} wide; a band is at "
            f"least {MIN_ELONGATION:g} times as long as wide. Look at the image."
        )
    half = axes[:, 1] * length / 2 * (1 if axes[0, 1] >= 0 else -1)
    middle = np.array([found["m10"], found["m01"]]) / n
    return np.stack([middle - half, middle + half])


def _turned(vector: np.ndarray) -> np.ndarray:
    return np.array([vector[1], -vector[0]])


def _checked(line: np.ndarray, name: str = "line") -> np.ndarray:
    ends = np.asarray(line, float)
    if ends.shape != (2, 2) or not np.isfinite(ends).all():
        raise ValueError(
            f"{name}: received shape {ends.shape}, {int((~np.isfinite(ends)).sum())} values not "
            "finite; it must be the two ends of a line, (2, 2): x, y rows."
        )
    return ends
