"""The section through head or abdomen that an image shows, drawn in millimetres.

Coordinates are (u, v) in mm from the centre; in a head u runs along the midline towards the
forehead and v across it. Everything is drawn as polygons, and measures are taken from the same
polygons, so that the truth is exact and not a count of pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from fetal_phantoms.anatomy import Pose, Skull, outline_points

SHAPE = (416, 520)  # rows across the midline, columns along it
CELLS = 150.0  # canvas pixels per long semi-axis of the head
TISSUES = (
    "outside", "skull", "brain", "ventricle", "choroid_plexus", "cavum", "thalamus",
    "cerebellum", "cisterna_magna", "falx", "lesion_fluid", "lesion_solid",
    "skin", "liver", "stomach", "vessel", "bone",
)  # fmt: skip
CODES = {name: code for code, name in enumerate(TISSUES)}
SHIFT = 4  # fractional bits of OpenCV's polygon corners


def inset(points: np.ndarray, by: float | np.ndarray) -> np.ndarray:
    """Return a closed curve (N, 2) moved inwards along its normals by one distance, or by (N,).

    >>> circle = ellipse((0, 0), (10, 10))
    >>> bool(abs(np.hypot(*inset(circle, 2.0).T) - 8.0).max() < 1e-6)
    True
    """
    ahead = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    normal = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    x, y = points.T
    turn = np.sign(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) or 1.0
    return points + turn * normal * np.reshape(by, (-1, 1))


def ellipse(center: tuple, size: tuple, tilt_rad: float = 0.0, n: int = 72) -> np.ndarray:
    """Return the points of an ellipse of semi-axes `size`, float (n, 2)."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    along, across = size[0] * np.cos(turn), size[1] * np.sin(turn)
    cosine, sine = np.cos(tilt_rad), np.sin(tilt_rad)
    u = center[0] + along * cosine - across * sine
    return np.stack([u, center[1] + along * sine + across * cosine], axis=1)


def blob(
    center: tuple, size: tuple, rough: float, rng: np.random.Generator, tilt_rad: float = 0.0
) -> np.ndarray:
    """Return an ellipse with a wobbling edge; `rough` is the relative size of the wobble."""
    points = ellipse((0, 0), size, tilt_rad)
    turn = np.linspace(0, 2 * np.pi, len(points), endpoint=False)
    wobble = np.ones(len(points))
    for order in range(2, 7):
        wobble += rough * rng.normal() / order**0.5 * np.cos(order * turn + rng.uniform(0, 6.3))
    return points * np.maximum(wobble, 0.35)[:, None] + np.asarray(center)


def band(path: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return the outline of a band of a width (N,) along a path (N, 2)."""
    ahead = np.gradient(path, axis=0)
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * width[:, None] / 2
    return np.concatenate([path + side, (path - side)[::-1]])


def eased(at: np.ndarray, knots: list[tuple[float, float]]) -> np.ndarray:
    """Return values between knots (place, value), level at each of them."""
    places, values = np.array(knots, float).T
    step = np.clip(np.searchsorted(places, at) - 1, 0, len(places) - 2)
    share = np.clip((at - places[step]) / (places[step + 1] - places[step]), 0, 1)
    share = (1 - np.cos(np.pi * share)) / 2
    return values[step] + share * (values[step + 1] - values[step])


def head_section(
    skull: Skull, pixel_size_mm: float, tissues: tuple[str, str] = ("skull", "brain")
) -> Section:
    """Return an empty section in mm of an outline in pixels."""
    outer = outline_points(skull, Pose(0.0, 0.0, 0.0))
    inner = outer * (1 - skull.thickness / np.hypot(*outer.T))[:, None]
    long_mm = skull.semi_major * pixel_size_mm
    return Section(outer * pixel_size_mm, inner * pixel_size_mm, long_mm, tissues)


class Section:
    """Draw on maps of the head's own frame.

    Parameters
    ----------
    outer, inner : float (N, 2), outlines of the skull in mm, from the same angles.
    semi_major_mm : long semi-axis of the outer outline.
    tissues : what the wall is called, and what it encloses; of ``TISSUES``.

    Attributes
    ----------
    level : float32 SHAPE, echo in dB relative to the brain's.
    fluid : float32 SHAPE, 1 where there is fluid.
    lines : float32 SHAPE, strength 0-1 of thin bright membranes.
    tissue : uint8 SHAPE, codes of ``TISSUES``.
    lesion, outside : uint8 SHAPE, 1 on the finding, and on what is drawn beyond the skull.
    shapes : dict, polygons in mm by name, for measuring.
    """

    def __init__(
        self,
        outer: np.ndarray,
        inner: np.ndarray,
        semi_major_mm: float,
        tissues: tuple[str, str] = ("skull", "brain"),
    ) -> None:
        self.cell_mm = semi_major_mm / CELLS
        self.inner = inner
        self.level, self.fluid, self.lines = np.zeros((3, *SHAPE), np.float32)
        self.tissue, self.lesion, self.outside = np.zeros((3, *SHAPE), np.uint8)
        self.shapes: dict[str, np.ndarray] = {}
        self._reach = np.hypot(*inner.T)
        self._turn = np.arctan2(inner[:, 1], inner[:, 0])
        order = np.argsort(self._turn)
        self._reach, self._turn = self._reach[order], self._turn[order]
        self.fill(outer, tissues[0])
        self.fill(inner, tissues[1])

    @property
    def semi_major(self) -> float:
        """Return the reach of the inner skull towards the forehead and back, mean, mm."""
        return float(np.ptp(self.inner[:, 0]) / 2)

    @property
    def semi_minor(self) -> float:
        """Return half of the inner width, mm."""
        return float(np.ptp(self.inner[:, 1]) / 2)

    def half_width(self, u: np.ndarray | float) -> np.ndarray:
        """Return half of the inner width at places along the midline, mm; 0 beyond the ends."""
        share = np.clip(1 - (np.asarray(u) / self.semi_major) ** 2, 0, 1)
        return self.semi_minor * np.sqrt(share)

    def within(self, points: np.ndarray, margin_mm: float = 0.0) -> np.ndarray:
        """Return points pulled in towards the centre until they lie inside the inner skull."""
        reach = np.hypot(*points.T)
        turn = np.arctan2(points[:, 1], points[:, 0])
        limit = np.interp(turn, self._turn, self._reach, period=2 * np.pi) - margin_mm
        return points * np.minimum(1.0, limit / np.maximum(reach, 1e-9))[:, None]

    def corners(self, points: np.ndarray) -> np.ndarray:
        """Return points as corners on the canvas for OpenCV, int32 with SHIFT fractional bits."""
        pixel = points / self.cell_mm + ((SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2)
        return np.round(pixel * (1 << SHIFT)).astype(np.int32)

    def fill(
        self,
        points: np.ndarray,
        tissue: str | None = None,
        level: float = 0.0,
        fluid: float = 0.0,
        lesion: bool | None = None,
    ) -> None:
        """Fill a polygon; what was drawn there before is replaced.

        `lesion` True or False sets the finding's mask there, None leaves it.
        """
        corners = [self.corners(inset(points, 0.5 * self.cell_mm))]  # OpenCV paints the rim too
        for canvas, value in ((self.level, level), (self.fluid, fluid), (self.lines, 0.0)):
            cv2.fillPoly(canvas, corners, float(value), shift=SHIFT)
        if tissue is not None:
            cv2.fillPoly(self.tissue, corners, CODES[tissue], shift=SHIFT)
        if lesion is not None:
            cv2.fillPoly(self.lesion, corners, int(lesion), shift=SHIFT)

    def shade(self, points: np.ndarray, level: float) -> None:
        """Change only the echo inside a polygon."""
        corners = [self.corners(inset(points, 0.5 * self.cell_mm))]
        cv2.fillPoly(self.level, corners, float(level), shift=SHIFT)

    def line(self, points: np.ndarray, strength: float, thick_mm: float) -> None:
        """Draw a thin bright membrane."""
        thick = max(1, round(thick_mm / self.cell_mm))
        path = [self.corners(np.asarray(points, float))]
        cv2.polylines(self.lines, path, False, float(strength), thick, cv2.LINE_8, SHIFT)

    def mark(self, points: np.ndarray) -> None:
        """Count a polygon to the finding without drawing it."""
        cv2.fillPoly(self.lesion, [self.corners(points)], 1, shift=SHIFT)

    def beyond(self, points: np.ndarray) -> None:
        """Mark a polygon as drawn also where it lies outside the skull."""
        cv2.fillPoly(self.outside, [self.corners(points)], 1, shift=SHIFT)
