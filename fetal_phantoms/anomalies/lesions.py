"""Findings that are added to a head: cyst, mass, clot, cavity, vein, sac.

Each painter draws on a section that already holds the anatomy of its plane, marks the finding,
and leaves its outline in ``section.shapes`` for measuring.
"""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.labels import VENTRICULAR_PLANE
from fetal_phantoms.anomalies.plan import Plan
from fetal_phantoms.anomalies.section import Section, band, blob, eased, ellipse
from fetal_phantoms.anomalies.ventricles import midline


def _closed(outline: np.ndarray) -> np.ndarray:
    return np.concatenate([outline, outline[:1]])


def arachnoid_cyst(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw a smooth cyst that lies against the skull or in the midline, clear of ventricles."""
    a, b = section.semi_major, section.semi_minor
    where = rng.choice(3, p=(0.5, 0.3, 0.2))
    if where == 0:  # over a hemisphere, flat side on the skull
        turn = plan.side * rng.uniform(0.5, 2.3)
        size = rng.uniform(0.26, 0.42) * b, rng.uniform(0.2, 0.32) * b
        at = 0.86 * np.array([a * np.cos(turn), b * np.sin(turn)])
        tilt = np.arctan2(a * np.cos(turn) * b / a, -a * np.sin(turn))
    elif where == 1 or plane == VENTRICULAR_PLANE:  # between the hemispheres
        size = rng.uniform(0.24, 0.4) * a, rng.uniform(0.2, 0.34) * b
        span = (-0.5, 0.0) if plane == VENTRICULAR_PLANE else (0.05, 0.3)
        at, tilt = np.array([rng.uniform(*span) * a, plan.side * rng.uniform(0, 0.2) * b]), 0.0
    else:  # behind the cerebellum, to one side
        size = rng.uniform(0.2, 0.28) * a, rng.uniform(0.3, 0.42) * b
        at, tilt = np.array([-0.78 * a, plan.side * rng.uniform(0.35, 0.5) * b]), 0.3 * plan.side
    cyst = section.within(blob(tuple(at), size, 0.025, rng, float(tilt)), 0.2)
    section.fill(cyst, "lesion_fluid", -6.0, 1.0, True)
    section.line(_closed(cyst), rng.uniform(0.15, 0.6), 0.5)
    section.shapes["cyst"] = cyst


def intracranial_tumor(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw a lobed bright mass with bright and dark spots that pushes the midline away."""
    a, b = section.semi_major, section.semi_minor
    size = rng.uniform(0.36, 0.62) * b * np.array([rng.uniform(1.0, 1.35), 1.0])
    span = (-0.25, 0.45) if plane != VENTRICULAR_PLANE else (-0.45, 0.45)
    at = np.array([rng.uniform(*span) * a, plan.side * rng.uniform(0.3, 0.52) * b])
    mass = section.within(blob(tuple(at), tuple(size), 0.06, rng, rng.uniform(-0.4, 0.4)), 0.4)
    level = rng.uniform(8, 14)
    section.fill(mass, "lesion_solid", level, 0.0, True)
    for _ in range(int(rng.integers(10, 24))):  # uneven: bright nodules, dark cysts
        turn, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 0.6))
        spot = at + reach * size * (np.cos(turn), np.sin(turn))
        radius = rng.uniform(0.05, 0.2, 2) * size.min()
        piece = section.within(ellipse(tuple(spot), tuple(radius), rng.uniform(0, 3), 24), 0.6)
        if rng.random() < 0.25:
            section.fill(piece, "lesion_solid", level - 14, 0.8, True)
        else:
            section.shade(piece, level + rng.normal(2, 4))
    if rng.random() < 0.5:  # chalk
        half = 0.12 * size
        for _ in range(int(rng.integers(1, 4))):
            start = at + rng.uniform(-0.5, 0.5, 2) * size
            section.line(np.stack([start - half, start + half]), 1.0, 0.8)
    section.shapes["mass"] = mass


def intracranial_hemorrhage(
    section: Section, plan: Plan, plane: str, rng: np.random.Generator
) -> None:
    """Draw a clot: in the ventricle where it is in the plane, or in the brain's substance."""
    axis = section.shapes.get(f"axis{plan.side:+d}")
    if axis is not None and rng.random() < 0.7:
        _clot_in_ventricle(section, plan, axis, rng)
    else:
        _clot_in_brain(section, plan, plane, rng)


def _clot_in_ventricle(
    section: Section, plan: Plan, axis: np.ndarray, rng: np.random.Generator
) -> None:
    """Fill a stretch of the ventricle with bright clot and brighten its lining."""
    outline = section.shapes[f"ventricle{plan.side:+d}"]
    n = len(axis)
    start, stop = int(rng.uniform(0.05, 0.2) * n), int(rng.uniform(0.5, 0.85) * n)
    wide = np.hypot(*(outline[:n] - outline[n:][::-1]).T)
    path, share = axis[start:stop], rng.uniform(0.8, 0.97)
    lumps = 1 + 0.05 * np.cumsum(rng.normal(0, 0.5, stop - start))
    clot = band(path, np.minimum(wide[start:stop] * share * np.clip(lumps, 0.85, 1.02),
                                 wide[start:stop] * 0.98))  # fmt: skip
    level = rng.uniform(12, 18)
    section.fill(clot, "lesion_solid", level, 0.0, True)
    for _ in range(int(rng.integers(3, 9))):
        at = path[int(rng.integers(len(path)))]
        radius = rng.uniform(0.1, 0.35, 2) * plan.atrium[plan.side] / 2
        section.shade(ellipse(tuple(at), tuple(radius), 0.0, 24), level + rng.normal(0, 4))
    section.line(_closed(outline), rng.uniform(0.3, 0.7), 0.5)
    section.shapes["clot"] = clot


def _clot_in_brain(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw a bright clot whose core is dark where it has begun to dissolve."""
    a, b = section.semi_major, section.semi_minor
    span = (-0.5, 0.5) if plane == VENTRICULAR_PLANE else (-0.1, 0.5)
    at = rng.uniform(*span) * a, plan.side * rng.uniform(0.35, 0.6) * b
    size = rng.uniform(0.2, 0.36) * b, rng.uniform(0.16, 0.3) * b
    clot = section.within(blob(at, size, 0.12, rng, rng.uniform(0, 3)), 1.0)
    section.fill(clot, "lesion_solid", rng.uniform(9, 16), 0.0, True)
    if rng.random() < 0.4:
        core = blob(clot.mean(0), tuple(rng.uniform(0.3, 0.55) * np.array(size)), 0.12, rng)
        section.fill(core, "lesion_solid", -6.0, rng.uniform(0.5, 0.9), True)
    section.shapes["clot"] = clot


def porencephaly(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw a ragged cavity from the wall of a ventricle towards the skull."""
    axis = section.shapes[f"axis{plan.side:+d}"]
    a, b = section.semi_major, section.semi_minor
    at = axis[int(rng.uniform(0.2, 0.75) * len(axis))]
    rim = section.within(np.array([[at[0] + rng.normal(0, 0.1 * a), plan.side * 2 * b]]), 0.8)[0]
    far = at + rng.uniform(0.72, 1.0) * (rim - at)
    path = at + np.linspace(0, 1, 16)[:, None] * (far - at)
    neck, wide = rng.uniform(3.0, 6.0), rng.uniform(0.45, 0.85) * b
    width = eased(np.linspace(0, 1, 16), [(0, neck), (0.6, wide), (1, 0.75 * wide)])
    width[-5:] *= np.sqrt(np.clip(1 - np.linspace(0.2, 1, 5) ** 2, 0.02, 1))
    ragged = 1 + 0.05 * np.cumsum(rng.normal(0, 1, 16)) / 2
    cavity = section.within(band(path, width * np.clip(ragged, 0.8, 1.2)), 0.8)
    cavity[:, 1] = plan.side * np.maximum(plan.side * cavity[:, 1], 1.0)  # its own hemisphere
    section.fill(cavity, "lesion_fluid", -5.0, 1.0, True)
    section.shapes["cavity"] = cavity


def vein_of_galen(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw the wide vein behind the thalami and the sinus that drains it to the occiput."""
    a, b = section.semi_major, section.semi_minor
    long, wide = rng.uniform(0.15, 0.24) * a, rng.uniform(0.14, 0.24) * b
    middle = -rng.uniform(0.16, 0.28) * a
    end = -rng.uniform(0.86, 0.94) * a
    u = np.linspace(middle + long, end, 40)
    sinus = max(0.28 * wide, 1.2)
    place = np.abs(u - middle) / long
    width = 2 * np.maximum(wide * np.sqrt(np.clip(1 - place**2, 0, 1)), sinus * (u < middle))
    width[0] = 0.2
    sway = 0.05 * b * np.sin(np.linspace(0, rng.uniform(1, 5), 40)) * rng.uniform(-1, 1)
    vein = band(np.stack([u, midline(section, plan, u) + sway], 1), width)
    section.fill(vein, "lesion_fluid", -6.0, 1.0, True)
    section.line(_closed(vein), rng.uniform(0.1, 0.45), 0.5)
    section.shapes.update(vein=vein)


def encephalocele(section: Section, plan: Plan, gap: tuple, rng: np.random.Generator) -> None:
    """Draw a sac outside a gap in the skull, with fluid and often brain in it.

    `gap` is (direction from the centre in rad, width in mm, reach of the outline there in mm).
    """
    turn, wide, reach = gap
    outward = np.array([np.cos(turn), np.sin(turn)])
    size = wide * rng.uniform(0.9, 1.9) + 2.0
    size = float(np.clip(size, 0.2 * section.semi_minor, 0.62 * section.semi_minor))
    center = outward * (reach + 0.8 * size)
    sac = blob(tuple(center), (size, size * rng.uniform(0.8, 1.1)), 0.02, rng, turn)
    neck = band(np.stack([outward * (reach - 4.0), center]), np.full(2, 0.85 * wide))
    for piece in (neck, sac):
        section.fill(piece, "lesion_fluid", -4.0, 1.0, True)
        section.beyond(piece)
    if rng.random() < 0.7:  # brain in the sac
        place, extent = tuple(center - 0.25 * size * outward), (0.62 * size, 0.5 * size)
        inside = blob(place, extent, 0.08, rng, turn)
        section.fill(inside, "lesion_solid", rng.uniform(0, 7), 0.0, True)
        section.fill(band(np.stack([outward * (reach - 4.0), center - 0.3 * size * outward]),
                          np.full(2, 0.5 * wide)), "lesion_solid", 2.0, 0.0, True)  # fmt: skip
    section.line(_closed(sac), rng.uniform(0.8, 1.0), 1.1)
    section.shapes.update(sac=sac, neck=neck)


PAINTERS = {
    "arachnoid_cyst": arachnoid_cyst,
    "intracranial_tumor": intracranial_tumor,
    "intracranial_hemorrhage": intracranial_hemorrhage,
    "porencephaly": porencephaly,
    "vein_of_galen": vein_of_galen,
}
