"""Small pictures of single cases, for pages on which a reader sorts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.plots.style import GREEN, ORANGE

if TYPE_CHECKING:
    from fetal_lib.geometry.ellipse import Ellipse

WIDTH_PX, QUALITY = 216, 55


def outlined_tile(scan: np.ndarray, truth: Ellipse | None, found: Ellipse | None) -> bytes:
    """Draw a scan with its reference, green, and what was measured, orange and dashed.

    Parameters
    ----------
    scan : ndarray, shape (H, W), uint8
    truth, found : Ellipse in pixels of the scan, or None where there is none.

    Returns
    -------
    bytes, a WebP picture ``WIDTH_PX`` wide, in the scan's aspect.
    """
    import cv2
    from matplotlib.colors import to_rgb

    size = WIDTH_PX, round(WIDTH_PX * scan.shape[0] / scan.shape[1])
    small = cv2.resize(scan, size, interpolation=cv2.INTER_AREA)
    picture = np.repeat(small[..., None], 3, axis=2)
    for ellipse, colour, step in ((truth, GREEN, 1), (found, ORANGE, 2)):
        if ellipse is None:
            continue
        points = ellipse.resized(scan.shape, size[::-1]).boundary(120) * 16
        ends = np.stack([points, np.roll(points, -1, axis=0)], axis=1)  # 120 short lines
        lines = [line for i, line in enumerate(ends.round().astype(np.int32)) if i // 2 % step == 0]
        bgr = [round(255 * part) for part in to_rgb(colour)[::-1]]
        cv2.polylines(picture, lines, False, bgr, 1, cv2.LINE_AA, shift=4)
    return cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
