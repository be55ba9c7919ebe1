"""A scan with the measured ellipse, as a picture file."""

from __future__ import annotations

import math
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
    if result.ellipse is not None:
        points = np.round(result.ellipse.boundary(360) * 16).astype(np.int32)
        line = max(2, scan.shape[1] // 500)
        cv2.polylines(canvas, [points], True, ORANGE, line, cv2.LINE_AA, shift=4)
    text = result.reason
    if math.isfinite(result.hc_mm):
        text = f"HC {result.hc_mm:.1f} mm"
    if math.isfinite(result.hc_high_mm):
        text += f" ({result.hc_low_mm:.1f}-{result.hc_high_mm:.1f})"
    return write_below(canvas, text)


def write_below(canvas: np.ndarray, text: str) -> np.ndarray:
    """Return a picture, uint8 (H, W, 3), with a text in its lower left corner, white on black."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = canvas.shape[:2]
    size = max(11, width // 45)
    margin, font = size // 2, ImageFont.load_default(size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width - 2 * margin:
            lines.append(word)
        else:
            lines[-1] = longer
    image = Image.fromarray(canvas)
    ImageDraw.Draw(image).multiline_text(
        (margin, height - margin),
        "\n".join(lines),
        "white",
        font,
        anchor="ld",
        stroke_width=max(1, size // 10),
        stroke_fill="black",
    )
    return np.array(image)


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
