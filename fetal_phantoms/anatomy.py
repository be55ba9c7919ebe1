"""The fetal head in the plane of the head circumference: skull outline, skull echo, brain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

N_ANGLES = 1024
CANVAS = (416, 520)  # rows (across the midline), columns (along it)
CANVAS_REACH = 1.08  # the canvas spans -reach..reach of the semi-axes


@dataclass(frozen=True)
class Skull:
    """Describe a skull outline around its midline, without position; lengths in pixels.

    Parameters
    ----------
    semi_major, semi_minor : semi-axes of the ideal ellipse.
    relief : float32 (N_ANGLES,), radius at each eccentric angle relative to the ellipse.
    thickness : float32 (N_ANGLES,), bone thickness at each angle.
    echo_db : float32 (N_ANGLES,), brightness of the bone; sutures are dips.
    """

    semi_major: float
    semi_minor: float
    relief: np.ndarray
    thickness: np.ndarray
    echo_db: np.ndarray


@dataclass(frozen=True)
class Pose:
    """Place a skull in the image: centre in pixels, angle of the midline in radians."""

    center_x: float
    center_y: float
    angle_rad: float


def periodic_noise(rng: np.random.Generator, harmonics: range, decay: float = 1.0) -> np.ndarray:
    """Return a smooth random function of the angle, unit standard deviation, (N_ANGLES,)."""
    angle = np.linspace(0.0, 2.0 * np.pi, N_ANGLES, endpoint=False)
    total = np.zeros(N_ANGLES)
    for order in harmonics:
        cosine, sine = rng.standard_normal(2) / order**decay
        total += cosine * np.cos(order * angle) + sine * np.sin(order * angle)
    return (total / max(total.std(), 1e-9)).astype(np.float32)


def bump(center_rad: float, width_rad: float) -> np.ndarray:
    """Return a Gaussian bump of height 1 on the circle of angles, (N_ANGLES,)."""
    angle = np.linspace(0.0, 2.0 * np.pi, N_ANGLES, endpoint=False)
    apart = np.angle(np.exp(1j * (angle - center_rad)))
    return np.exp(-0.5 * (apart / width_rad) ** 2).astype(np.float32)


def outline_points(skull: Skull, pose: Pose) -> np.ndarray:
    """Return the outer edge of the skull as image points, float64 (N_ANGLES, 2) x and y."""
    angle = np.linspace(0.0, 2.0 * np.pi, N_ANGLES, endpoint=False)
    along = skull.semi_major * skull.relief * np.cos(angle)
    across = skull.semi_minor * skull.relief * np.sin(angle)
    cosine, sine = math.cos(pose.angle_rad), math.sin(pose.angle_rad)
    x = pose.center_x + along * cosine - across * sine
    y = pose.center_y + along * sine + across * cosine
    return np.stack([x, y], axis=1)


@dataclass(frozen=True)
class HeadField:
    """Hold where each sample lies relative to a head; float32 arrays of one shape.

    `along`, `across` are in semi-axes (-1..1 inside), `distance` in pixels (negative inside
    the outer edge), `cosine` is that between the beam and the skull's normal, `index` picks
    the sample's entry in a table over the eccentric angle.
    """

    along: np.ndarray
    across: np.ndarray
    distance: np.ndarray
    cosine: np.ndarray
    index: np.ndarray


def head_field(
    skull: Skull, pose: Pose, x: np.ndarray, y: np.ndarray, beam_angle: np.ndarray
) -> HeadField:
    """Return head coordinates of the samples at image points x, y under beams of an angle."""
    cosine, sine = np.float32(math.cos(pose.angle_rad)), np.float32(math.sin(pose.angle_rad))
    dx, dy = x - np.float32(pose.center_x), y - np.float32(pose.center_y)
    along = (dx * cosine + dy * sine) / np.float32(skull.semi_major)
    across = (dy * cosine - dx * sine) / np.float32(skull.semi_minor)
    radius = np.sqrt(along**2 + across**2) + np.float32(1e-6)
    turn = np.arctan2(across, along) * np.float32(N_ANGLES / (2.0 * np.pi))
    index = turn.astype(np.int32) % N_ANGLES
    slope_along = along / np.float32(skull.semi_major)
    slope_across = across / np.float32(skull.semi_minor)
    steep = np.sqrt(slope_along**2 + slope_across**2) + np.float32(1e-9)
    distance = (radius / skull.relief[index] - 1.0) * radius / steep
    normal_x = (slope_along * cosine - slope_across * sine) / steep
    normal_y = (slope_along * sine + slope_across * cosine) / steep
    facing = np.abs(normal_x * np.sin(beam_angle) + normal_y * np.cos(beam_angle))
    return HeadField(along, across, distance.astype(np.float32), facing, index)


def soft_step(value: np.ndarray, width: float) -> np.ndarray:
    """Return 0 below -width/2, 1 above width/2, and a straight ramp between."""
    return np.clip(value / np.float32(width) + np.float32(0.5), 0.0, 1.0)


def bone_depth(skull: Skull, field: HeadField) -> np.ndarray:
    """Return how deep a sample lies in the bone: 0 at the outer edge, 1 at the inner."""
    return -field.distance / skull.thickness[field.index]


def bone_profile(depth: np.ndarray, peak: float = 0.56, spread: float = 0.54) -> np.ndarray:
    """Return the echo across the bone, a bell that is highest at `peak`.

    Averaged over HC18, the ring is a bell of 20 pixels that peaks 7 pixels inside the
    annotated outline and has fallen to half 3 pixels outside it; blurred, the defaults give that
    for a bone of 14 pixels.
    """
    return np.exp(np.float32(-0.5) * ((depth - np.float32(peak)) / np.float32(spread)) ** 2)


class _Canvas:
    """Draw in semi-axes on a dB map; the anterior end is at +1, the far side at +1."""

    def __init__(self, facing: int) -> None:
        self.level = np.zeros(CANVAS, np.float32)
        self.facing = facing

    def _pixel(self, along: float, across: float) -> tuple[int, int]:
        column = (self.facing * along / CANVAS_REACH + 1.0) * (CANVAS[1] - 1) / 2.0
        row = (across / CANVAS_REACH + 1.0) * (CANVAS[0] - 1) / 2.0
        return round(column), round(row)

    def _size(self, along: float, across: float) -> tuple[int, int]:
        return (
            max(1, round(along * CANVAS[1] / 2.0 / CANVAS_REACH)),
            max(1, round(across * CANVAS[0] / 2.0 / CANVAS_REACH)),
        )

    def blob(self, center: tuple, size: tuple, level_db: float, tilt_deg: float = 0.0) -> None:
        """Add a filled ellipse."""
        layer = np.zeros(CANVAS, np.uint8)
        tilt = tilt_deg * self.facing
        cv2.ellipse(layer, self._pixel(*center), self._size(*size), tilt, 0, 360, 255, -1)
        soft = cv2.GaussianBlur(layer, (0, 0), 2.0).astype(np.float32) / 255.0
        self.level += soft * np.float32(level_db)

    def line(self, points: np.ndarray | list[tuple], level_db: float, thick: int) -> None:
        """Raise a polyline to at least a level."""
        layer = np.zeros(CANVAS, np.uint8)
        path = np.array([self._pixel(*point) for point in points], np.int32)
        cv2.polylines(layer, [path], False, 255, thick, cv2.LINE_AA)
        soft = cv2.GaussianBlur(layer, (0, 0), 0.8 + 0.3 * thick).astype(np.float32) / 255.0
        np.maximum(self.level, self.level + soft * (level_db - self.level), out=self.level)


def _midline(canvas: _Canvas, rng: np.random.Generator, strength: float) -> None:
    bow, offset = rng.normal(0.0, 0.02), rng.normal(0.0, 0.03)
    for start, stop in ((-0.92, -0.25), (-0.2, 0.28), (0.55, 0.9)):
        if rng.random() < 0.12:
            continue
        along = np.linspace(start + rng.uniform(0, 0.25), stop - rng.uniform(0, 0.12), 8)
        jitter = np.cumsum(rng.normal(0, 0.006, along.size))
        across = offset + bow * (1 - along**2) + jitter
        level = strength + rng.normal(0, 3.0)
        canvas.line(np.stack([along, across], 1), level, int(rng.integers(1, 4)))


def _cavum(canvas: _Canvas, rng: np.random.Generator, strength: float) -> None:
    middle, half, gap = rng.uniform(0.33, 0.5), rng.uniform(0.06, 0.13), rng.uniform(0.04, 0.09)
    canvas.blob((middle, 0.0), (half, gap), -8.0)
    for side in (-gap, gap):
        ends = [(middle - half, side), (middle + half, side + rng.normal(0, 0.01))]
        canvas.line(ends, strength + rng.uniform(0, 6), int(rng.integers(2, 5)))


def _ventricle(canvas: _Canvas, rng: np.random.Generator, side: int, early: bool) -> None:
    reach = (0.5, 0.3) if early else (0.3, 0.16)
    size = (reach[0] * rng.uniform(0.75, 1.2), reach[1] * rng.uniform(0.7, 1.2))
    center = (rng.uniform(-0.2, 0.1) if early else rng.uniform(-0.6, -0.35),
              side * rng.uniform(0.32, 0.46))  # fmt: skip
    tilt = side * rng.uniform(-25, 10)
    canvas.blob(center, size, -rng.uniform(3, 12), tilt)
    plexus = (size[0] * rng.uniform(0.5, 0.85), size[1] * rng.uniform(0.5, 0.85))
    shifted = (center[0] + rng.normal(0, 0.05), center[1] + side * rng.uniform(0, 0.06))
    canvas.blob(shifted, plexus, rng.uniform(8, 20), tilt)
    wall = rng.uniform(2, 16)
    for edge in (-1, 1):
        if rng.random() < 0.75:
            along = np.linspace(center[0] - size[0], center[0] + size[0] * 1.6, 7)
            across = center[1] + edge * size[1] * (1 - 0.5 * np.linspace(-1, 1, 7) ** 2)
            path = np.stack([along, across], axis=1)
            canvas.line(path, wall + rng.normal(0, 3), int(rng.integers(1, 4)))


def _folds(canvas: _Canvas, rng: np.random.Generator, ga_weeks: float) -> None:
    n_dashes = int(rng.integers(2, 9)) + (int(rng.integers(4, 14)) if ga_weeks > 25 else 0)
    crowd = int(rng.integers(0, 22)) if rng.random() < 0.6 else 0
    for dash in range(n_dashes + crowd):
        turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.85)
        along, across = radius * np.cos(turn), radius * np.sin(turn)
        if dash >= n_dashes:  # the short echoes that crowd around the midline
            along, across = rng.normal(0, 0.32), rng.normal(0, 0.14)
        length, slant = rng.uniform(0.02, 0.14), rng.normal(0, 0.03)
        ends = [(along - length, across - slant), (along + length, across + slant)]
        canvas.line(ends, rng.uniform(2, 18), int(rng.integers(1, 5)))
    for _ in range(int(rng.integers(0, 5))):  # curved walls and sulci
        start, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 2.5)
        turn, size = np.linspace(start, start + reach, 9), rng.uniform(0.05, 0.3, 2)
        at = rng.uniform(-0.55, 0.55, 2)
        path = np.stack([at[0] + size[0] * np.cos(turn), at[1] + size[1] * np.sin(turn)], axis=1)
        canvas.line(path, rng.uniform(2, 16), int(rng.integers(1, 6)))
    n_blobs = int(rng.integers(2, 10)) + (8 if ga_weeks < 16.5 else 0)
    for _ in range(n_blobs):
        turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.75)
        center = (radius * np.cos(turn), radius * np.sin(turn))
        size = (rng.uniform(0.03, 0.25), rng.uniform(0.03, 0.18))
        canvas.blob(center, size, rng.normal(0, 7), rng.uniform(-60, 60))


def brain_map(rng: np.random.Generator, ga_weeks: float, facing: int) -> np.ndarray:
    """Return the brain's echo level relative to its parenchyma in dB, float32 CANVAS.

    Holds the midline (falx), cavum septi pellucidi, thalami, lateral ventricles with choroid
    plexus (filling the hemispheres before 16 weeks), fluid under the vault, folds. Row 0 is
    the near side. `facing` +1 puts the forehead at the right end, -1 at the left.
    """
    canvas = _Canvas(facing)
    early = ga_weeks < 16.5
    strength = rng.uniform(8, 26)
    _folds(canvas, rng, ga_weeks)
    if rng.random() < 0.75:
        for side in (-1, 1):
            canvas.blob((rng.uniform(-0.1, 0.1), side * 0.16), (0.2, 0.13), -rng.uniform(2, 7))
    _ventricle(canvas, rng, 1, early)
    if early or rng.random() < 0.4:
        _ventricle(canvas, rng, -1, early)
    if rng.random() < 0.92:
        _midline(canvas, rng, strength)
    if not early and rng.random() < 0.85:
        _cavum(canvas, rng, strength)
    if rng.random() < 0.5:  # insula and Sylvian fissure of the far side
        start, across = rng.uniform(-0.4, 0.0), rng.uniform(0.5, 0.7)
        ends = [(start, across), (start + rng.uniform(0.2, 0.5), across + rng.normal(0, 0.05))]
        canvas.line(ends, rng.uniform(4, 14), int(rng.integers(2, 6)))
    return canvas.level


def sample_brain(level: np.ndarray, field: HeadField) -> np.ndarray:
    """Return the brain map at the samples of a head field, 0 outside it; float32."""
    scale_x, scale_y = (CANVAS[1] - 1) / 2.0, (CANVAS[0] - 1) / 2.0
    map_x = (field.along / CANVAS_REACH + 1.0) * np.float32(scale_x)
    map_y = (field.across / CANVAS_REACH + 1.0) * np.float32(scale_y)
    return cv2.remap(level, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
