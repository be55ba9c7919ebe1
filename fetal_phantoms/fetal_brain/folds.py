"""Fissures and sulci: where they run, when they appear, how deep they are.

A sulcus is a sheet that hangs from the hemispheres' smooth surface: the fluid in it lies within
half a width of the sheet. Primary sulci are arcs at fixed places; secondary and tertiary ones
run where a random field changes its sign, and differ between fetuses. Depth and number rise
with age: smooth before 20-22 weeks, primary sulci from 22-26, secondary from 30, tertiary from
34. The Sylvian fossa is an open dimple that the opercula close.

References
----------
Garel C et al. Fetal cerebral cortex: normal gestational landmarks identified using prenatal MR
imaging. AJNR Am J Neuroradiol 2001;22:184-189 (the order in which sulci are seen).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain.noise import read_field, slopes, smooth_field
from fetal_phantoms.fetal_brain.shapes import ellipsoid, smoothstep

MIDDLE = np.array([0.30, 0.0, 0.14], np.float32)  # of the right hemisphere
RADII = np.array([0.45, 0.98, 0.66], np.float32)
CLOSED_MM = 1.0  # a sulcus that is yet to come ends this far above the surface
GAP_MM, FUNNEL_MM, FUNNEL_DEPTH_MM = 0.35, 0.8, 2.2  # half width: deep down, more at the mouth
RISE_WEEKS = 3.0, 7.0  # before and after the week in which a sulcus is seen


@dataclass(frozen=True)
class Arc:
    """Hold a primary sulcus: directions from the hemisphere's middle, and its growth.

    x of a direction points away from the midline, y forward, z up. `onset` is the week in which
    it is first seen, `depth` its final depth in units of the brain.
    """

    name: str
    onset: float
    depth: float
    path: tuple[tuple[float, float, float], ...]


PRIMARY = (
    Arc("parieto-occipital", 22.0, 0.25, ((-0.95, -0.40, 0.20), (-0.40, -0.80, 0.55))),
    Arc("calcarine", 23.0, 0.25, ((-0.95, -0.35, -0.05), (-0.45, -0.95, -0.02))),
    Arc(
        "cingulate",
        23.5,
        0.18,
        ((-0.85, 0.60, -0.15), (-0.80, 0.62, 0.35), (-0.80, 0.05, 0.62), (-0.60, -0.35, 0.75)),
    ),
    Arc("central", 25.5, 0.25, ((-0.05, -0.12, 1.0), (0.88, 0.20, 0.15))),
    Arc("superior temporal", 26.0, 0.22, ((0.75, 0.55, -0.55), (0.85, -0.50, 0.02))),
    Arc("intraparietal", 26.5, 0.21, ((0.60, -0.35, 0.75), (0.50, -0.85, 0.30))),
    Arc("precentral", 27.0, 0.20, ((0.30, 0.28, 0.92), (0.88, 0.48, 0.10))),
    Arc("postcentral", 27.5, 0.19, ((0.25, -0.38, 0.92), (0.90, -0.12, 0.30))),
    Arc("superior frontal", 27.0, 0.17, ((0.30, 0.92, 0.30), (0.30, 0.35, 0.90))),
    Arc("inferior frontal", 28.5, 0.17, ((0.65, 0.80, 0.05), (0.85, 0.45, 0.40))),
    Arc("collateral", 25.5, 0.16, ((-0.10, 0.25, -0.95), (-0.15, -0.70, -0.60))),
    Arc("inferior temporal", 29.5, 0.16, ((0.60, 0.40, -0.75), (0.65, -0.60, -0.35))),
)
# correlation length on the hemisphere's sphere, first week, weeks to full depth, final depth
SECONDARY = (0.60, 27.5, 9.5, 0.13)
TERTIARY = (0.36, 32.0, 7.5, 0.07)
TILT = np.deg2rad(18.0)  # of the Sylvian fissure: its hind end is higher
WAVE_LENGTH, WAVES = 0.40, 0.065  # sulci wander along the surface and into the depth


@dataclass(frozen=True)
class Hemisphere:
    """Hold where points lie in a hemisphere.

    Attributes
    ----------
    direction : float32 (3, N), from the hemisphere's middle, length about 1, bent a little.
    reach : float32 (N,), distance from the middle, 1 on the sphere.
    side : bool (N,), whether it is the right hemisphere.
    """

    direction: np.ndarray
    reach: np.ndarray
    side: np.ndarray


def in_hemisphere(points: np.ndarray, waves: np.ndarray) -> Hemisphere:
    """Return where points (3, N) lie in their hemisphere; waves bend it: no sulcus is flat."""
    side = points[0] >= 0
    offset = np.stack([np.abs(points[0]), points[1], points[2]]) - MIDDLE[:, None]
    offset /= RADII[:, None]
    reach = np.sqrt(np.maximum((offset * offset).sum(axis=0), np.float32(1e-6)))
    offset /= reach
    offset += np.float32(WAVES) * np.stack([read_field(wave, points) for wave in waves])
    return Hemisphere(offset, reach, side)


def gaps(
    points: np.ndarray,
    depth_mm: np.ndarray,
    unit_mm: float,
    weeks: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the distance in mm to the fluid in fissures and sulci, float32 (N,), negative in it.
    What is taken from `rng` does not depend on the stage of folding.
    """
    drawn = _draw_courses(rng)
    place = in_hemisphere(points, drawn["waves"])
    half_width = GAP_MM + FUNNEL_MM * np.exp(-np.maximum(depth_mm, 0) / np.float32(FUNNEL_DEPTH_MM))
    sheet = _primary(place, depth_mm, unit_mm, weeks, drawn)
    for key, (_, onset, rise, depth) in (("secondary", SECONDARY), ("tertiary", TERTIARY)):
        grown = float(smoothstep(weeks, onset, onset + rise))
        if grown > 0.0:
            field, extent = drawn[key]
            hung = _random_sheets(place, depth_mm, unit_mm, depth * grown, field, extent)
            np.minimum(sheet, hung, out=sheet)
    sheet -= half_width
    np.minimum(sheet, sylvian(points, weeks) * np.float32(unit_mm), out=sheet)
    return np.minimum(sheet, interhemispheric(points, unit_mm), out=sheet)


def sylvian(points: np.ndarray, weeks: float) -> np.ndarray:
    """Return the distance to the Sylvian fossa, in units: open and shallow, then a deep slit."""
    closed = float(smoothstep(weeks, 21.0, 36.5))
    centre = (0.76, 0.06, -0.06)
    radii = (0.22 + 0.14 * closed, 0.36 + 0.08 * closed, 0.20 - 0.175 * closed)
    y, z = points[1] - np.float32(centre[1]), points[2] - np.float32(centre[2])
    cos, sin = np.cos(np.float32(TILT)), np.sin(np.float32(TILT))
    turned = np.stack([np.abs(points[0]), y * cos - z * sin, y * sin + z * cos])
    return ellipsoid(turned, (centre[0], 0.0, 0.0), radii)


def core(points: np.ndarray) -> np.ndarray:
    """Return the distance to what joins the hemispheres, in the midsagittal plane, in units."""
    return ellipsoid(points[1:], (-0.06, -0.16), (0.44, 0.42))


def interhemispheric(points: np.ndarray, unit_mm: float) -> np.ndarray:
    """Return the distance in mm to the fissure between the hemispheres."""
    inside = np.maximum(-core(points), 0.0)
    half_width = np.float32(0.35 + 0.012 * unit_mm)
    return np.hypot(points[0], inside) * np.float32(unit_mm) - half_width


def _draw_courses(rng: np.random.Generator) -> dict:
    drawn: dict = {"waves": smooth_field(rng, WAVE_LENGTH, 3)}
    drawn["reach"] = rng.uniform(0.85, 1.15, (len(PRIMARY), 2))
    drawn["delay"] = 0.25 * rng.standard_normal((len(PRIMARY), 2))
    for key, (length, *_) in (("secondary", SECONDARY), ("tertiary", TERTIARY)):
        fields = [smooth_field(rng, length)[0] for _ in range(2)]  # right, left
        drawn[key] = fields, smooth_field(rng, 0.6)[0]
    return drawn


def _primary(
    place: Hemisphere, depth_mm: np.ndarray, unit_mm: float, weeks: float, drawn: dict
) -> np.ndarray:
    """Return the distance in mm to the sheets of the primary sulci."""
    sheet = np.full(depth_mm.shape, 99.0, np.float32)
    for arc, reach, delay in zip(PRIMARY, drawn["reach"], drawn["delay"], strict=True):
        for side in (0, 1):
            mine = np.flatnonzero(place.side == bool(side))
            seen = weeks - arc.onset - delay[side]
            grown = float(smoothstep(seen, -RISE_WEEKS[0], RISE_WEEKS[1]))
            if not grown or not mine.size:
                continue
            near, inside = _arc_distance(arc, place.direction[:, mine], place.reach[mine])
            deep = unit_mm * arc.depth * reach[side] * grown * inside
            deep -= np.float32(CLOSED_MM) * (1 - inside * np.float32(min(1.0, 4 * grown)))
            hung = np.hypot(near * np.float32(unit_mm), np.maximum(depth_mm[mine] - deep, 0.0))
            sheet[mine] = np.minimum(sheet[mine], hung)
    return sheet


def _arc_distance(
    arc: Arc, direction: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance in units to an arc's sheet, and 1 along its course, 0 beyond."""
    near, inside = None, None
    for start, end in zip(arc.path[:-1], arc.path[1:], strict=True):
        first, last = (np.array(v, np.float32) / np.linalg.norm(v) for v in (start, end))
        normal = np.cross(first, last)
        normal /= np.linalg.norm(normal)
        along = np.cross(normal, first)
        length = float(np.arctan2(last @ along, last @ first))
        height = normal @ direction
        where = np.arctan2(along @ direction, first @ direction)
        slope = (normal[:, None] - height * direction) / RADII[:, None]
        distance = np.abs(height) * reach / np.sqrt((slope * slope).sum(axis=0))
        over = np.maximum(np.maximum(-where, where - np.float32(length)), 0.0)
        part = 1 - smoothstep(over, 0.0, 0.22)
        distance = distance + np.float32(0.15) * over
        if near is None:
            near, inside = distance, part
        else:
            inside = np.maximum(inside, part)
            near = np.minimum(near, distance)
    return near, inside


def _random_sheets(
    place: Hemisphere,
    depth_mm: np.ndarray,
    unit_mm: float,
    depth: float,
    fields: list[np.ndarray],
    extent: np.ndarray,
) -> np.ndarray:
    """Return the distance in mm to sheets where a random field changes its sign."""
    near = np.empty_like(depth_mm)
    for side, field in zip((True, False), fields, strict=True):
        mine = np.flatnonzero(place.side == side)
        direction = place.direction[:, mine]
        value = read_field(field, direction)
        slope = np.stack([read_field(part, direction) for part in slopes(field)])
        slope -= (slope * direction).sum(axis=0) * direction
        slope /= RADII[:, None]
        steep = np.sqrt((slope * slope).sum(axis=0)) + np.float32(0.8)
        near[mine] = np.abs(value) / steep * place.reach[mine]
    spread = np.clip(0.75 + 0.5 * read_field(extent, place.direction), 0.0, 1.3)
    spread *= 1.0 - np.float32(0.8) * smoothstep(-place.direction[2], 0.25, 0.6)  # a flat base
    closed = np.float32(CLOSED_MM) * (1 - np.minimum(spread, 1))
    deep = np.float32(unit_mm * depth) * spread - closed
    return np.hypot(near * np.float32(unit_mm), np.maximum(depth_mm - deep, 0.0))
