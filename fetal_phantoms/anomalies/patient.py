"""Draw the fetus, its skull and the way it is looked at; only the skull knows the class."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fetal_phantoms.anatomy import Pose, Skull, bump, outline_points
from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.plan import Plan, change, normal_plan
from fetal_phantoms.head_sampling import (
    Fetus,
    View,
    draw_fetus,
    fit_skull,
    sector_in_view,
    truncated_normal,
)

MIN_GA_DAYS, MAX_GA_DAYS = 133.0, 252.0  # 19-36 weeks: the standards of the brain's structures
HC18_SHAPE = (540, 800)  # the image for which sizes on the screen were matched
ACROSS_SHARE = 0.85  # of heads lie with the midline across the beam, as the guideline asks
LEMON_RAD = 0.85  # where the frontal bones are dented, from the forehead
CENTERED = Pose(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Patient:
    """Describe one pregnancy; all its images share these values.

    Attributes
    ----------
    seed, label : what it was drawn from.
    fetus : size, skull and probe; `pixel_size_mm` is that of the image asked for.
    skull : in image pixels.
    plan : measures of the anatomy.
    turn_rad : direction of the forehead in the image.
    gap : (direction, width mm, reach mm) of a skull defect, or None.
    """

    seed: int
    label: str
    fetus: Fetus
    skull: Skull
    plan: Plan
    turn_rad: float
    gap: tuple[float, float, float] | None


def draw_ga_days(rng: np.random.Generator) -> float:
    """Draw a gestational age in days: most around the anomaly scan, a tail to 35 weeks."""
    if rng.random() < 0.6:
        weeks = truncated_normal(rng, 22.0, 2.0, 19.0, 28.0)
    else:
        weeks = rng.uniform(19.0, 35.0)
    return float(round(np.clip(weeks * 7.0, MIN_GA_DAYS, MAX_GA_DAYS)))


def _draw_gap(fetus: Fetus, rng: np.random.Generator) -> tuple[float, float]:
    """Return direction and width (mm) of a skull defect: occipital in three of four."""
    turn = np.pi + rng.normal(0, 0.12)
    if rng.random() < 0.25:
        turn = rng.choice([0.0, 0.9, -0.9, 1.9, -1.9]) + rng.normal(0, 0.12)
    return float(turn), float(rng.uniform(0.07, 0.16) * fetus.hc_mm / 2.82)


def _deform(fetus: Fetus, plan: Plan) -> Fetus:
    """Return the fetus with the dents of a lemon skull."""
    dents = bump(LEMON_RAD, 0.3) + bump(-LEMON_RAD, 0.3)
    return replace(fetus, relief=(fetus.relief * (1 - plan.lemon * dents)).astype(np.float32))


def _open_gap(skull: Skull, turn: float, wide_px: float) -> tuple[Skull, float]:
    """Return the skull without bone over the gap, and the outline's reach there in pixels."""
    points = outline_points(skull, CENTERED)
    at = int(np.argmax(points @ (np.cos(turn), np.sin(turn)) / np.hypot(*points.T)))
    hidden = np.hypot(*(points - points[at]).T) < wide_px / 2
    echo_db = np.where(hidden, -90.0, skull.echo_db).astype(np.float32)
    return replace(skull, echo_db=echo_db), float(np.hypot(*points[at]))


def draw_patient(
    seed: int, label: str, ga_days: float | None, image_size: tuple[int, int]
) -> Patient:
    """Draw a pregnancy of a class.

    Size, age, skull, probe, magnification and direction come from streams that the class does
    not touch, so that none of them tells it.
    """
    body = np.random.default_rng([seed, 1])
    days = draw_ga_days(body)  # drawn also when it is given: what follows stays the same
    fetus = draw_fetus(body, days if ga_days is None else float(ga_days))
    scale = min(image_size[0] / HC18_SHAPE[0], image_size[1] / HC18_SHAPE[1])
    zoom = float(body.uniform(0.82, 1.08))
    fetus = replace(fetus, pixel_size_mm=fetus.pixel_size_mm / (scale * zoom))
    turn = body.normal(0, 0.25) if body.random() < ACROSS_SHARE else body.uniform(-1, 1)
    turn = float(turn + (np.pi if fetus.facing < 0 else 0.0))
    hc_px = fetus.hc_mm / fetus.pixel_size_mm
    plain = fit_skull(fetus, hc_px)
    inner_minor = plain.semi_minor * fetus.pixel_size_mm - float(fetus.bone_mm.mean())
    plan = normal_plan(fetus.ga_days / 7.0, np.random.default_rng([seed, 5]))
    plan.far = (math.sin(turn), math.cos(turn))
    plan.side = 1 if plan.far[1] >= 0 else -1
    own = np.random.default_rng([seed, 6, LABELS.index(label)])
    change(plan, label, inner_minor, own)
    fetus = _deform(fetus, plan)
    skull, gap = fit_skull(fetus, hc_px), None
    if label == "encephalocele":
        for _ in range(50):  # neither under the probe nor in the skull's shadow
            toward, wide = _draw_gap(fetus, own)
            if -0.6 < math.sin(turn + toward) < 0.6:
                break
        skull, reach = _open_gap(skull, toward, wide / fetus.pixel_size_mm)
        gap = toward, wide, reach * fetus.pixel_size_mm
    return Patient(seed, label, fetus, skull, plan, turn, gap)


def draw_view(rng: np.random.Generator, patient: Patient, image_size: tuple[int, int]) -> View:
    """Draw one frame: pose of the head, place and opening of the probe."""
    for _ in range(40):
        view = _any_view(rng, patient, image_size)
        if patient.gap is None or _shows_sac(view, patient):
            break
    return view


def _any_view(rng: np.random.Generator, patient: Patient, image_size: tuple[int, int]) -> View:
    height, width = image_size
    pixel, probe, skull = patient.fetus.pixel_size_mm, patient.fetus.probe, patient.skull
    turn = patient.turn_rad + rng.normal(0, 0.12)
    off, aside = rng.uniform(0, 0.11) * height, rng.uniform(0, 2 * np.pi)
    x = width / 2 + 1.3 * off * math.cos(aside) + rng.normal(0, 0.015) * width
    y = height * 0.53 + off * math.sin(aside) + rng.normal(0, 0.015) * height
    tall = math.hypot(skull.semi_major * math.sin(turn), skull.semi_minor * math.cos(turn))
    wall_mm = truncated_normal(rng, 22.0, 12.0, 5.0, 60.0)
    face_y = y - tall - wall_mm / pixel
    face_px = probe.radius_mm / pixel
    apex = x * 0.15 + width * 0.425 + rng.normal(0, 0.04) * width, face_y - face_px
    end_px = height - apex[1] + rng.uniform(-0.05, 0.33) * height
    half = math.radians(probe.half_angle_deg * rng.uniform(1.0, 1.15))
    sector = sector_in_view(image_size, apex, face_px, end_px, half)
    return View(image_size, Pose(x, y, turn), skull, sector, face_px, (y - face_y) * pixel)


def _shows_sac(view: View, patient: Patient) -> bool:
    """Tell whether the place of the sac lies in the picture and in the sector."""
    toward, _, reach_mm = patient.gap
    reach = reach_mm / patient.fetus.pixel_size_mm + 0.35 * view.skull.semi_minor
    x = view.pose.center_x + reach * math.cos(view.pose.angle_rad + toward)
    y = view.pose.center_y + reach * math.sin(view.pose.angle_rad + toward)
    apart = abs(math.atan2(x - view.sector.apex_x, y - view.sector.apex_y))
    inside = 0 < x < view.shape[1] and 0 < y < view.shape[0]
    return inside and apart < 0.93 * view.sector.half_angle_rad
