"""The posterior fossa: cerebellum and cisterna magna, drawn to their measures."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.plan import Plan
from fetal_phantoms.anomalies.section import Section, ellipse


def bone_u(section: Section) -> float:
    """Return where the midline meets the inner table of the occiput, mm (negative)."""
    inner = section.inner
    back = inner[:, 0] < 0
    return float(inner[back][np.argmin(np.abs(inner[back][:, 1])), 0])


def draw_fossa(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw midbrain, tentorium, cisterna magna and cerebellum."""
    _midbrain(section, plan, rng)
    if plan.banana:
        _banana(section, plan, rng)
    else:
        _cisterna(section, plan, rng)
        _dumbbell(section, plan, rng)


def _midbrain(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the cerebral peduncles: a dark heart in front of the cerebellum."""
    a, b = section.semi_major, section.semi_minor
    deep = 0.52 * plan.tcd if not plan.banana else 0.3 * plan.tcd
    tip = bone_u(section) + plan.cisterna + deep
    at = min(tip + 0.16 * a, 0.0)
    for side in (-1, 1):
        spot = ellipse((at, side * 0.12 * b), (0.13 * a, 0.13 * b), side * 0.5)
        section.fill(spot, "thalamus", level=-rng.uniform(4, 8))
    section.line(np.array([(at - 0.1 * a, 0), (at + 0.08 * a, 0)]), rng.uniform(0.2, 0.6), 0.5)


def _cisterna(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the fluid behind the cerebellum, between the inner table and the vermis."""
    back = bone_u(section)
    reach = plan.tcd * rng.uniform(0.5, 0.62)
    if plan.label in ("mega_cisterna_magna", "cerebellar_hypoplasia"):
        reach = max(reach, plan.cisterna * rng.uniform(0.9, 1.25))
    front = back + plan.cisterna + 0.3 * plan.tcd
    v = np.linspace(-1, 1, 41)
    shape = np.stack([np.where(np.abs(v) < 2, back - 5.0, 0), v * reach], 1)
    cover = np.stack([front - (front - back) * np.abs(v) ** 3, v * reach], 1)[::-1]
    outline = section.within(np.concatenate([shape, cover]))
    wide = plan.label in ("mega_cisterna_magna", "cerebellar_hypoplasia")
    section.fill(outline, "cisterna_magna", -4.0, 1.0, True if wide else None)
    section.shapes["cisterna"] = outline
    for side in (-1, 1):  # fine septa and the tentorium
        if rng.random() < 0.6:
            path = [(back + 0.2, side * 0.16 * reach), (front, side * 0.12 * reach)]
            section.line(np.array(path), rng.uniform(0.1, 0.35), 0.4)
        tip = front + 0.1 * section.semi_major, side * 0.9 * reach
        section.line(np.array([(front, side * 0.96 * reach), tip]), rng.uniform(0.2, 0.7), 0.7)


def _dumbbell(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw two round hemispheres of tcd from edge to edge, and the bright vermis."""
    tcd, lesion = plan.tcd, True if plan.label == "cerebellar_hypoplasia" else None
    vermis_back = bone_u(section) + plan.cisterna
    half, deep = 0.262 * tcd, rng.uniform(0.24, 0.29) * tcd
    center = vermis_back + 0.85 * deep
    level = rng.uniform(3, 8)
    lobes = {}
    for side in (-1, 1):
        tilt = side * rng.uniform(-0.1, 0.35)
        lobe = ellipse((center, side * (tcd / 2 - half)), (deep, half), tilt)
        section.fill(lobe, "cerebellum", level, 0.0, lesion)
        start = int(rng.integers(72))
        rim = np.roll(lobe, start, axis=0)[: int(rng.integers(50, 73))]
        section.line(rim, rng.uniform(0.4, 0.8), 0.6)
        lobes[side] = lobe
        for _ in range(int(rng.integers(1, 3 + (plan.ga_weeks > 26) * 4))):  # folia
            across = side * (tcd / 2 - half * rng.uniform(0.2, 1.7))
            u = center + deep * rng.uniform(-0.6, 0.4) + 0.15 * deep * np.linspace(-1, 1, 5) ** 2
            v = across + side * 0.3 * half * np.linspace(-1, 1, 5)
            section.line(np.stack([u, v], 1), rng.uniform(0.1, 0.35), 0.4)
    front = center + 0.62 * deep
    vermis = ellipse(((vermis_back + front) / 2, 0), ((front - vermis_back) / 2, 0.11 * tcd))
    section.fill(vermis, "cerebellum", level + rng.uniform(5, 10), 0.0, lesion)
    section.shapes.update(cerebellum=np.concatenate([*lobes.values(), vermis]), vermis=vermis)


def _banana(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw a crescent against the occiput, hollow in front, with next to no cisterna."""
    half = plan.tcd / 2
    outer_v = np.linspace(-half, half, 41)
    back = bone_u(section) * np.sqrt(np.clip(1 - (outer_v / section.semi_minor) ** 2, 0.05, 1))
    section.fill(section.within(np.stack([np.r_[back - 3, back[::-1] + plan.cisterna],
                                          np.r_[outer_v, outer_v[::-1]] * 0.7], 1)),
                 "cisterna_magna", -4.0, 1.0)  # fmt: skip
    curl = rng.uniform(0.05, 0.16) * plan.tcd * (outer_v / half) ** 2  # it wraps the brainstem
    outer = back + plan.cisterna + curl
    thick = plan.tcd * rng.uniform(0.29, 0.38) * np.sqrt(np.clip(1 - (outer_v / half) ** 2, 0, 1))
    inner = outer + thick
    outline = np.stack([np.r_[outer, inner[::-1]], np.r_[outer_v, outer_v[::-1]]], 1)
    section.fill(outline, "cerebellum", rng.uniform(4, 9), 0.0, True)
    section.line(np.stack([inner, outer_v], 1), rng.uniform(0.4, 0.9), 0.6)
    mid = np.abs(np.r_[outer_v, outer_v[::-1]]) < 0.35 * half
    section.shapes.update(cerebellum=outline, vermis=outline[mid])
