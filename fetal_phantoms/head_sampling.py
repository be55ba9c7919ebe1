"""Draw fetuses, views and scanner settings as they vary over HC18's training images.

The distributions were matched to what the set's own table and images show: gestational age,
head circumference in pixels by head size, position and direction of the head, image size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fetal_lib.geometry.ellipse import ramanujan_perimeter
from fetal_lib.geometry.fit import fit_ellipse
from fetal_phantoms.anatomy import (
    Pose,
    Skull,
    bump,
    outline_points,
    periodic_noise,
)
from fetal_phantoms.ultrasound import Probe, Sector

MIN_GA_DAYS, MAX_GA_DAYS = 98.0, 280.0  # the INTERGROWTH-21st size standard: 14-40 weeks
MIN_PIXEL_MM, MAX_PIXEL_MM = 0.05, 0.39
MIN_HC_PX, MAX_HC_PX = 440.0, 1780.0
EARLY_HC_MM = 115.0  # below it heads are rounder and lie in any direction
IMAGE_SHAPE = (540, 800)
_SCREEN_TOP_PX = 70.0  # lines are simulated from this far above the image


@dataclass(frozen=True)
class Fetus:
    """Describe the fetus of one examination; all frames of it share these values.

    `relief`, `bone_share` and `bone_db` are tables over the eccentric angle; `brain_seed`
    makes the anatomy inside; `facing` is +1 where the forehead is at the right.
    """

    ga_days: float
    hc_mm: float
    cephalic_index: float
    relief: np.ndarray
    bone_mm: np.ndarray
    bone_db: np.ndarray
    brain_seed: int
    facing: int
    pixel_size_mm: float
    probe: Probe


@dataclass(frozen=True)
class View:
    """Describe one frame of an examination."""

    shape: tuple[int, int]
    pose: Pose
    skull: Skull
    sector: Sector
    face_px: float
    focus_mm: float


def draw_ga_days(rng: np.random.Generator) -> float:
    """Draw a gestational age in days: most at 18-22 weeks, tails to 14 and 40.

    HC18 reaches down to 11 weeks; those small heads are drawn at 14-15 weeks here, because
    the size standard starts at 14.
    """
    group = rng.choice(5, p=(0.18, 0.09, 0.54, 0.06, 0.13))
    low_high = ((14.0, 15.2), (15.2, 18.5), (0, 0), (22.0, 28.0), (28.0, 40.0))
    weeks = rng.normal(20.1, 0.9) if group == 2 else rng.uniform(*low_high[group])
    return float(round(np.clip(weeks * 7.0, MIN_GA_DAYS, MAX_GA_DAYS)))


def truncated_normal(
    rng: np.random.Generator, mean: float, sd: float, low: float, high: float
) -> float:
    """Draw from a normal distribution until the value lies within low-high."""
    while not low <= (value := rng.normal(mean, sd)) <= high:
        pass
    return float(value)


def draw_circumference_px(hc_mm: float, rng: np.random.Generator) -> float:
    """Draw the circumference on the screen in pixels, as HC18 shows heads of this size in mm."""
    steps = ((110.0, 970.0, 250.0), (150.0, 1150.0, 240.0), (200.0, 1360.0, 185.0))
    mean, sd = next(((m, s) for top, m, s in steps if hc_mm < top), (1300.0, 215.0))
    low = max(MIN_HC_PX, hc_mm / MAX_PIXEL_MM)
    high = min(MAX_HC_PX, hc_mm / MIN_PIXEL_MM)
    return truncated_normal(rng, mean, sd, low, high)


def _relief(rng: np.random.Generator, sutures: list[tuple[float, float]]) -> np.ndarray:
    """Return the radius relative to the ellipse: egg shape, squareness, steps at sutures."""
    angle = np.linspace(0.0, 2.0 * np.pi, len(bump(0.0, 1.0)), endpoint=False)
    egg, square = rng.normal(0, 0.008, 2)
    relief = 1.0 + egg * np.cos(3 * angle) + square * np.cos(4 * angle)
    relief += rng.normal(0, 0.004) * np.cos(3 * angle + np.pi / 2)
    relief += 0.004 * periodic_noise(rng, range(3, 9))
    for at, width in sutures:
        relief += rng.normal(-0.004, 0.008) * bump(at, width * 1.5)
    return relief.astype(np.float32)


def _bone_db(rng: np.random.Generator, sutures: list[tuple[float, float]]) -> np.ndarray:
    """Return how bright the bone is along the ring in dB, with gaps at the sutures."""
    level = rng.uniform(0.5, 3.5) * periodic_noise(rng, range(1, 6), 0.6)
    level += rng.uniform(0.3, 2.0) * periodic_noise(rng, range(5, 40), 0.5)
    for at, width in sutures:
        level -= rng.uniform(4, 26) * bump(at, width)
    for _ in range(int(rng.choice(3, p=(0.6, 0.3, 0.1)))):  # a stretch is not seen
        level -= rng.uniform(8, 30) * bump(rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.6))
    return level.astype(np.float32)


def _probe(rng: np.random.Generator, hc_mm: float) -> Probe:
    late = hc_mm > 220.0
    return Probe(
        frequency_mhz=rng.uniform(3.0, 4.5) if late else rng.uniform(3.5, 6.5),
        aperture_mm=rng.uniform(16, 34),
        radius_mm=rng.uniform(38, 62),
        half_angle_deg=rng.uniform(29, 38),
        dynamic_range_db=rng.uniform(46, 72),
        cycles=rng.uniform(1.6, 4.0),
        attenuation_db_cm_mhz=rng.uniform(0.35, 0.6),
    )


def draw_fetus(rng: np.random.Generator, ga_days: float | None) -> Fetus:
    """Draw the fetus of an examination; ga_days None draws the age too."""
    from fetal_lib.growth.intergrowth_size import mean_mm, sd_mm

    days = draw_ga_days(rng) if ga_days is None else float(ga_days)
    weeks = days / 7.0
    hc_mm = float(mean_mm("HC", weeks)) + float(sd_mm("HC", weeks)) * truncated_normal(
        rng, 0, 1, -3, 3
    )
    n_sutures = int(rng.integers(1, 6))
    cephalic_index = (
        truncated_normal(rng, 0.83, 0.045, 0.70, 0.92)
        if hc_mm < EARLY_HC_MM
        else truncated_normal(rng, 0.79, 0.038, 0.70, 0.86)
    )
    sutures = [(rng.uniform(0, 2 * np.pi), rng.uniform(0.02, 0.09)) for _ in range(n_sutures)]
    pixel_size_mm = hc_mm / draw_circumference_px(hc_mm, rng)
    bone = float(np.clip(rng.uniform(8, 19) * pixel_size_mm, 0.6, 4.0))
    return Fetus(
        ga_days=days,
        hc_mm=hc_mm,
        cephalic_index=cephalic_index,
        relief=_relief(rng, sutures),
        bone_mm=bone * np.clip(1 + 0.15 * periodic_noise(rng, range(1, 8)), 0.5, 1.6),
        bone_db=_bone_db(rng, sutures),
        brain_seed=int(rng.integers(2**31)),
        facing=1 if rng.random() < 0.5 else -1,
        pixel_size_mm=pixel_size_mm,
        probe=_probe(rng, hc_mm),
    )


def _pose(
    rng: np.random.Generator, shape: tuple[int, int], axes_px: tuple[float, float], early: bool
) -> Pose:
    """Draw position and direction; about one head in twenty is cut by the border."""
    spread = 1.0 if rng.random() > 0.06 else 2.6
    across, down = (60.0, 46.0) if early else (39.0, 29.0)
    group = rng.choice(3, p=(0.2, 0.25, 0.55) if early else (0.76, 0.14, 0.10))
    turn_deg = rng.normal(0, (7.0, 25.0)[group]) if group < 2 else rng.uniform(-90, 90)
    turn = math.radians(float(np.clip(turn_deg, -90, 90)))
    height = math.hypot(axes_px[0] * math.sin(turn), axes_px[1] * math.cos(turn))
    room = max(12.0, shape[0] / 2.0 - 0.95 * height) if spread == 1.0 else shape[0]
    rise = float(np.clip(rng.normal(0, down * spread), -room, room))
    return Pose(
        center_x=shape[1] / 2.0 - 6.0 + rng.normal(0, across * spread),
        center_y=shape[0] / 2.0 + rise,
        angle_rad=turn,
    )


def fit_skull(fetus: Fetus, hc_px: float) -> Skull:
    """Return the skull whose fitted ellipse has the wanted perimeter, `hc_px` pixels."""
    major = hc_px / ramanujan_perimeter(1.0, fetus.cephalic_index)
    for _ in range(2):
        skull = Skull(
            major, major * fetus.cephalic_index, fetus.relief,
            (fetus.bone_mm / fetus.pixel_size_mm).astype(np.float32), fetus.bone_db,
        )  # fmt: skip
        fitted = fit_ellipse(outline_points(skull, Pose(0.0, 0.0, 0.0))[::4])
        major *= hc_px / fitted.perimeter
    return skull


def sector_in_view(
    shape: tuple[int, int],
    apex: tuple[float, float],
    face_px: float,
    end_px: float,
    half_rad: float,
) -> Sector:
    """Return the part of a probe's sector that an image shows, with fitting sample counts; the
    probe sees between two distances from the apex, in pixels.
    """
    rows = np.linspace(0, shape[0], 28)[:, None] - apex[1]
    columns = np.linspace(0, shape[1], 41)[None, :] - apex[0]
    shown = np.hypot(rows, columns)
    seen = (shown >= face_px) & (shown <= end_px)
    widest = float(np.abs(np.arctan2(columns, rows)[seen]).max()) + 0.02 if seen.any() else half_rad
    near = max(face_px, -_SCREEN_TOP_PX - apex[1])
    far = min(end_px, float(shown.max()) + 2.0)
    half = min(half_rad, widest)
    return Sector(
        shape, apex[0], apex[1], near, far, half,
        n_samples=max(64, round((far - near) / 1.5)),
        n_lines=max(64, round(2 * half * (near + far) / 2 / 2.4)),
    )  # fmt: skip


def draw_view(rng: np.random.Generator, fetus: Fetus) -> View:
    """Draw a frame: image size, pose of the head and place of the probe."""
    shape = IMAGE_SHAPE
    if rng.random() < 0.03:
        shape = (int(rng.integers(539, 546)), int(rng.integers(780, 800)))
    hc_px = fetus.hc_mm / fetus.pixel_size_mm
    pixel = fetus.pixel_size_mm
    skull = fit_skull(fetus, hc_px)
    axes_px = skull.semi_major, skull.semi_minor
    pose = _pose(rng, shape, axes_px, fetus.hc_mm < EARLY_HC_MM)
    top_y = pose.center_y - skull.semi_minor
    wall_mm = max(4.0, truncated_normal(rng, 22.0, 12.0, 5.0, 60.0))
    face_y = top_y - wall_mm / pixel
    face_px = fetus.probe.radius_mm / pixel
    apex = pose.center_x * 0.15 + shape[1] * 0.425 + rng.normal(0, 35), face_y - face_px
    end_px = shape[0] - apex[1] + rng.uniform(-25, 180)
    half_rad = math.radians(fetus.probe.half_angle_deg)
    depth_mm = (pose.center_y - face_y) * pixel
    sector = sector_in_view(shape, apex, face_px, end_px, half_rad)
    return View(shape, pose, skull, sector, face_px, depth_mm)
