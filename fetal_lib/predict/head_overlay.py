"""A scan with the measured ellipse, as a picture file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fetal_lib.predict.head_measure import HeadMeasurement

ORANGE = (0, 159, 230)
"""BGR of the Okabe-Ito palette's orange."""


def draw_overlay(scan: np.ndarray, result: HeadMeasurement) -> np.ndarray:
    """Draw the fitted ellipse and its circumference, or the reason, on a scan.

    Parameters
    ----------
    scan : ndarray, shape (H, W), uint8
    result : HeadMeasurement

    Returns
    -------
    ndarray, shape (H, W, 3), uint8, BGR
    """
    import cv2

    canvas = cv2.cvtColor(scan, cv2.COLOR_GRAY2BGR)
    scale = max(0.4, scan.shape[1] / 1100)
    if result.ellipse is not None:
        points = np.round(result.ellipse.boundary(360) * 16).astype(np.int32)
        cv2.polylines(canvas, [points], True, ORANGE, 2, cv2.LINE_AA, shift=4)
    text = result.reason or (
        f"HC {result.hc_mm:.1f} mm ({result.hc_low_mm:.1f}-{result.hc_high_mm:.1f})"
    )
    origin = (10, scan.shape[0] - 14)
    for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(canvas, text, origin, font, scale, colour, width, cv2.LINE_AA)
    return canvas


def save_overlay(path: str | Path, scan: np.ndarray, result: HeadMeasurement) -> None:
    """Write :func:`draw_overlay`'s picture as PNG.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    import cv2

    _, png = cv2.imencode(".png", draw_overlay(scan, result))
    Path(path).write_bytes(png.tobytes())  # imwrite is silent where it cannot write
