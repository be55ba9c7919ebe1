"""A scan with the measured ellipse, as a picture file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from fetal_lib.predict.head_measure import HeadMeasurement

FoundT = TypeVar("FoundT")
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
    text = result.reason
    if math.isfinite(result.hc_mm):
        text = f"HC {result.hc_mm:.1f} mm"
    if math.isfinite(result.hc_high_mm):
        text += f" ({result.hc_low_mm:.1f}-{result.hc_high_mm:.1f})"
    lines = [] if result.ellipse is None else [result.ellipse.boundary(360)]
    return draw_lines(scan, lines, text)


def draw_lines(scan: np.ndarray, lines: Sequence[np.ndarray], text: str) -> np.ndarray:
    """Draw lines, each (N, 2) of x, y in pixels, and a text on a scan, uint8 (H, W).

    A line of three points or more is closed. Returned is uint8 (H, W, 3), BGR.
    """
    import cv2

    canvas = cv2.cvtColor(scan, cv2.COLOR_GRAY2BGR)
    width = max(2, scan.shape[1] // 500)
    for line in lines:
        points = np.round(line * 16).astype(np.int32)
        cv2.polylines(canvas, [points], len(line) > 2, ORANGE, width, cv2.LINE_AA, shift=4)
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


def with_pictures(
    found: Iterable[FoundT],
    folder: str | Path | None,
    drawn: Callable[[FoundT], tuple[Path, np.ndarray | None]],
) -> Iterator[FoundT]:
    """Return what was found in scans; as it is taken, a picture of each goes into a folder, if any.

    ``drawn`` returns the scan's path, whose name the picture gets, and the picture, None of a scan
    that has none. A missing folder is made.
    """
    if folder is None:
        return iter(found)
    Path(folder).mkdir(parents=True, exist_ok=True)

    def saved(one: FoundT) -> FoundT:
        path, picture = drawn(one)
        if picture is not None:
            save_picture(Path(folder) / f"{path.stem}.png", picture)
        return one

    return map(saved, found)


def save_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 (H, W, 3), as PNG; what cannot be written is an OSError."""
    import cv2

    _, png = cv2.imencode(".png", picture)
    Path(path).write_bytes(png.tobytes())  # imwrite is silent where it cannot write
