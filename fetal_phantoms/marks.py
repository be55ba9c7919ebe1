"""What the scanner's screen and the publisher of an image set lay over a B-mode image.

None of it looks at the head, so a model that uses it has found a leak.
"""

from __future__ import annotations

import cv2
import numpy as np

MAKER_TEXT = ("SONO", "FetalScan", "OB 2/3", "C1-5", "MI 1.1", "TIs 0.2", "4.0 cm", "Fr 38")


def grey_bar(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw the grey map's bar at the left border, white on top; a low image cuts it off."""
    top, height = int(rng.integers(15, 40)), int(rng.integers(140, 180))
    ramp = np.linspace(255, 0, height).astype(np.uint8)
    bar = image[top : top + height, 2:10]
    bar[:] = ramp[: len(bar), None]


def blank_boxes(image: np.ndarray, rng: np.random.Generator) -> None:
    """Black out the screen's text fields as HC18 does: lower right, often upper right."""
    height, width = image.shape
    left = int(rng.uniform(0.74, 0.84) * width)
    top = int((rng.uniform(0.62, 0.7) if rng.random() < 0.25 else rng.uniform(0.77, 0.86)) * height)
    bottom = height if rng.random() < 0.4 else int(rng.uniform(0.95, 1.0) * height)
    if rng.random() < 0.9:
        image[top:bottom, left:] = 0
    if rng.random() < 0.45:
        image[: int(rng.uniform(0.15, 0.22) * height), int(rng.uniform(0.87, 0.93) * width) :] = 0
    if rng.random() < 0.05:
        image[20:45, 25:60] = 0


def maker_text(image: np.ndarray, rng: np.random.Generator) -> None:
    """Write short dim lines near the upper left corner, where the maker's name stands."""
    grey = int(rng.integers(12, 60)) if rng.random() < 0.8 else int(rng.integers(120, 255))
    y = int(rng.integers(22, 40))
    for _ in range(int(rng.integers(1, 4))):
        text = MAKER_TEXT[int(rng.integers(len(MAKER_TEXT)))]
        at, size = (int(rng.integers(50, 80)), y), float(rng.uniform(0.3, 0.5))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, grey, 1)
        y += 14


def callipers(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a pair of crosses, sometimes with a dotted ellipse, anywhere in the image."""
    height, width = image.shape
    center = rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * height
    size = rng.uniform(30, 230), rng.uniform(30, 180)
    turn, grey = rng.uniform(0, np.pi), int(rng.integers(150, 255))
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(40, 120)), endpoint=False)
    along, across = size[0] * np.cos(angles), size[1] * np.sin(angles)
    x = center[0] + along * np.cos(turn) - across * np.sin(turn)
    y = center[1] + along * np.sin(turn) + across * np.cos(turn)
    if rng.random() < 0.5:
        for spot in range(angles.size):
            cv2.circle(image, (round(x[spot]), round(y[spot])), 1, grey, -1)
    for spot in (0, angles.size // 2):
        at = round(x[spot]), round(y[spot])
        cv2.drawMarker(image, at, grey, cv2.MARKER_CROSS, 11, 1)


def draw_marks(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a copy of a grey image with bar, blanked boxes, text and, at times, callipers.

    Examples
    --------
    >>> marked = draw_marks(np.full((540, 800), 60, np.uint8), np.random.default_rng(3))
    >>> marked.shape, int(marked[:60, 5].max())
    ((540, 800), 255)
    """
    marked = image.copy()
    blank_boxes(marked, rng)
    if rng.random() < 0.95:
        grey_bar(marked, rng)
    if rng.random() < 0.9:
        maker_text(marked, rng)
    for _ in range(int(rng.random() < 0.12) + int(rng.random() < 0.03)):
        callipers(marked, rng)
    return marked
