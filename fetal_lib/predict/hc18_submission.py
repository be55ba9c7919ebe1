"""The table that the HC18 challenge takes: an ellipse for each of its test images.

Centre and half-axes are in mm, from the middle of the image's first pixel to the right and down;
the angle is that of the long axis, from right towards down, 0 to pi. The challenge's own site
shows the columns; that the angle turns so is what participants' published scripts agree on.

References
----------
van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D ultrasound
images. PLoS One 2018; 13: e0200412. DOI 10.1371/journal.pone.0200412
"""

from __future__ import annotations

from fetal_lib.geometry.ellipse import Ellipse

COLUMNS = (
    "filename",
    "center_x_mm",
    "center_y_mm",
    "semi_axes_a_mm",
    "semi_axes_b_mm",
    "angle_rad",
)


def submission_row(filename: str, ellipse: Ellipse, pixel_size_mm: float) -> dict[str, str]:
    """Return the row of an image; the ellipse is in its pixels.

    >>> submission_row("000_HC.png", Ellipse(400, 270, 200, 160, 0.3), 0.1)["semi_axes_a_mm"]
    '20.000000'
    """
    lengths = ellipse.center_x, ellipse.center_y, ellipse.semi_major, ellipse.semi_minor
    values = [length * pixel_size_mm for length in lengths] + [ellipse.angle_rad]
    return dict(zip(COLUMNS, [filename, *(f"{value:.6f}" for value in values)], strict=True))
