"""The head as an ellipse: draw it, stretch it, and take its circumference.

Coordinates are pixel centres: the pixel in row i, column j has its centre at (x, y) = (j, i),
x to the right, y down. ``mask``, every fit and ``resized`` keep to this.

References
----------
Ramanujan S. Modular equations and approximations to π. Q J Math 1914; 45:350-372.
van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D ultrasound
images. PLOS ONE 2018; 13(8):e0200412. DOI 10.1371/journal.pone.0200412
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.geometry.conic import shape_to_axes


def ramanujan_perimeter(semi_major: float, semi_minor: float) -> float:
    """Compute the perimeter of an ellipse (Ramanujan's second formula).

    ``π (a + b) (1 + 3h / (10 + sqrt(4 - 3h)))`` with ``h = ((a - b) / (a + b))²``; the relative
    error is below 1e-9 at the shape of a fetal head.

    Parameters
    ----------
    semi_major, semi_minor : float or float array, > 0, any one unit of length.

    Returns
    -------
    float or float array, same unit.

    Examples
    --------
    >>> round(float(ramanujan_perimeter(1.0, 1.0)), 6)
    6.283185
    """
    total = semi_major + semi_minor
    h = ((semi_major - semi_minor) / total) ** 2
    return np.pi * total * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))


@dataclass(frozen=True)
class Ellipse:
    """Hold an ellipse by centre, semi-axes and the angle of its long axis.

    Attributes
    ----------
    center_x, center_y : float
        Pixel-centre coordinates (or millimetres after ``scaled``).
    semi_major, semi_minor : float, > 0
        Given in the wrong order they are exchanged and the angle turned by 90 degrees.
    angle_rad : float
        From +x towards +y (clockwise on the screen), kept in [0, π).

    Examples
    --------
    >>> head = Ellipse(400, 270, 200, 160, 0.3)
    >>> round(head.scaled(0.1, 0.1).perimeter, 2)
    113.45
    """

    center_x: float
    center_y: float
    semi_major: float
    semi_minor: float
    angle_rad: float

    def __post_init__(self) -> None:
        values = [float(getattr(self, name)) for name in self.__dataclass_fields__]
        if not np.all(np.isfinite(values)) or min(values[2:4]) <= 0:
            raise ValueError(
                f"Ellipse: received {tuple(values)}; all five numbers must be finite and both "
                "semi-axes positive. Give (center_x, center_y, semi_major, semi_minor, angle_rad)."
            )
        if values[2] < values[3]:
            values[2:] = values[3], values[2], values[4] + np.pi / 2
        values[4] = values[4] % np.pi % np.pi  # a tiny negative angle comes out of one % as π
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def perimeter(self) -> float:
        """Give the perimeter (Ramanujan II), in the unit of the axes."""
        return float(ramanujan_perimeter(self.semi_major, self.semi_minor))

    @property
    def half_extents(self) -> tuple[float, float]:
        """Give half the width and half the height of the upright bounding box."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return (
            float(np.hypot(self.semi_major * cos, self.semi_minor * sin)),
            float(np.hypot(self.semi_major * sin, self.semi_minor * cos)),
        )

    def scaled(self, scale_x: float, scale_y: float) -> Ellipse:
        """Stretch about the origin: x' = scale_x · x, y' = scale_y · y, exactly.

        Parameters
        ----------
        scale_x, scale_y : float, > 0; for example millimetres per pixel.
        """
        if not (np.isfinite([scale_x, scale_y]).all() and scale_x > 0 and scale_y > 0):
            raise ValueError(
                f"scale_x, scale_y: received {scale_x!r}, {scale_y!r}; both must be finite and "
                "positive. Give the factor along each axis, for example millimetres per pixel."
            )
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        half = np.array([[cos, -sin], [sin, cos]]) * (self.semi_major, self.semi_minor)
        half = np.array([[scale_x], [scale_y]]) * half
        axes = shape_to_axes(half @ half.T)
        return Ellipse(self.center_x * scale_x, self.center_y * scale_y, *axes)

    def enlarged(self, factor: float) -> Ellipse:
        """Multiply both axes about the centre by a factor, > 0."""
        axes = self.semi_major * factor, self.semi_minor * factor
        return Ellipse(self.center_x, self.center_y, *axes, self.angle_rad)

    def moved(self, by_x: float, by_y: float) -> Ellipse:
        """Shift the centre."""
        x, y = self.center_x + by_x, self.center_y + by_y
        return Ellipse(x, y, self.semi_major, self.semi_minor, self.angle_rad)

    def resized(self, from_hw: tuple[int, int], to_hw: tuple[int, int]) -> Ellipse:
        """Follow an image from one size to another: x' = (x + 0.5) s - 0.5, as ``cv2.resize``.

        Parameters
        ----------
        from_hw, to_hw : (height, width) in pixels.

        Examples
        --------
        >>> small = Ellipse(399.5, 269.5, 200, 160, 0.3).resized((540, 800), (256, 256))
        >>> small.center_x, small.center_y
        (127.5, 127.5)
        """
        scale_y, scale_x = to_hw[0] / from_hw[0], to_hw[1] / from_hw[1]
        return self.moved(0.5, 0.5).scaled(scale_x, scale_y).moved(-0.5, -0.5)

    def boundary(self, n: int = 360) -> np.ndarray:
        """Give n points of the outline, float array (n, 2): x, y."""
        t = np.linspace(0, 2 * np.pi, n, endpoint=False)
        along, across = self.semi_major * np.cos(t), self.semi_minor * np.sin(t)
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        x = self.center_x + along * cos - across * sin
        y = self.center_y + along * sin + across * cos
        return np.stack([x, y], axis=1)

    def level(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Evaluate (u/a)² + (v/b)² at points: below 1 inside, 1 on the outline."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        dx, dy = x - self.center_x, y - self.center_y
        u = (dx * cos + dy * sin) / self.semi_major
        v = (dy * cos - dx * sin) / self.semi_minor
        return u * u + v * v

    def distance(self, points_xy: np.ndarray) -> np.ndarray:
        """Measure how far points lie off the outline (first order, signed, outside positive).

        Parameters
        ----------
        points_xy : float array (N, 2)

        Returns
        -------
        float array (N,), same unit as the axes.
        """
        radius = np.sqrt(self.level(points_xy[:, 0], points_xy[:, 1]))
        offset = points_xy - (self.center_x, self.center_y)
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        u = (offset @ (cos, sin)) / self.semi_major**2
        v = (offset @ (-sin, cos)) / self.semi_minor**2
        slope = np.hypot(u, v) / np.maximum(radius, 1e-12)
        return (radius - 1) / np.maximum(slope, 1e-12)

    def mask(self, shape_hw: tuple[int, int]) -> np.ndarray:
        """Fill the ellipse: bool array (H, W), True where a pixel's centre is inside."""
        mask = np.zeros(shape_hw, bool)
        half_x, half_y = self.half_extents
        left, right = max(int(self.center_x - half_x), 0), int(self.center_x + half_x) + 2
        top, bottom = max(int(self.center_y - half_y), 0), int(self.center_y + half_y) + 2
        window = mask[top : max(bottom, 0), left : max(right, 0)]
        x = np.arange(left, left + window.shape[1])[None, :]
        y = np.arange(top, top + window.shape[0])[:, None]
        window[...] = self.level(x, y) <= 1
        return mask


def head_circumference_mm(ellipse_px: Ellipse, spacing_xy_mm: tuple[float, float]) -> float:
    """Compute the head circumference: scale the axes to millimetres, then take the perimeter.

    Parameters
    ----------
    ellipse_px : Ellipse in pixels.
    spacing_xy_mm : (width, height) of a pixel in mm. After an anisotropic resize the two
        differ: 800 × 540 squashed to 256 × 256 gives (s · 800 / 256, s · 540 / 256).

    Examples
    --------
    >>> round(head_circumference_mm(Ellipse(0, 0, 1000, 800, 0), (0.1, 0.1)), 1)
    567.2
    """
    spacing = np.asarray(spacing_xy_mm, float)
    if spacing.shape != (2,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise ValueError(
            f"spacing_xy_mm: received {spacing_xy_mm!r}; it must be the width and the height of a "
            "pixel, both finite and above 0. Give (s, s) for square pixels."
        )
    return ellipse_px.scaled(*spacing).perimeter
