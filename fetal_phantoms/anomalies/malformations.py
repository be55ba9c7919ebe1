"""Heads whose hemispheres are not there: holoprosencephaly and hydranencephaly."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.cerebrum import draw_midline, draw_thalami
from fetal_phantoms.anomalies.labels import VENTRICULAR_PLANE
from fetal_phantoms.anomalies.plan import Plan
from fetal_phantoms.anomalies.section import Section, blob, ellipse


def holoprosencephaly(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw one horseshoe ventricle across the midline around fused thalami.

    Alobar: no falx at all. Semilobar (two in five): the falx of the back is there.
    """
    a, b = section.semi_major, section.semi_minor
    long, wide = rng.uniform(0.52, 0.66) * a, rng.uniform(0.62, 0.8) * b
    middle = rng.uniform(-0.12, 0.04) * a
    ventricle = section.within(blob((middle, 0.0), (long, wide), 0.02, rng), 1.5)
    section.fill(ventricle, "ventricle", -5.0, 1.0, True)
    section.line(np.concatenate([ventricle, ventricle[:1]]), rng.uniform(0.2, 0.5), 0.6)
    core = middle - rng.uniform(0.2, 0.34) * a
    for side in (-1, 1):  # the fused thalami bulge into it from behind
        lobe = ellipse((core, side * 0.17 * b), (0.3 * a, 0.25 * b), -side * 0.2)
        section.fill(lobe, "thalamus", rng.uniform(3, 6), 0.0, True)
    root = ellipse((middle - 0.95 * long, 0), (0.28 * a, 0.34 * b))
    section.fill(root, "thalamus", rng.uniform(1, 4), 0.0, True)
    if rng.random() < 0.4:
        draw_midline(section, plan, [(-0.95, middle / a - 0.95 * long / a)], rng)
    section.shapes["monoventricle"] = ventricle


def hydranencephaly(section: Section, plan: Plan, plane: str, rng: np.random.Generator) -> None:
    """Draw fluid up to the skull, the falx, and what the carotids did not feed."""
    a, b = section.semi_major, section.semi_minor
    fluid = section.within(section.inner, 0.4)
    section.fill(fluid, "lesion_fluid", -5.0, 1.0, True)
    stop = -0.35 if plane != VENTRICULAR_PLANE else -0.2
    spans = [(0.2, 0.95), *([(-0.95, stop)] * (plane == VENTRICULAR_PLANE))]
    draw_midline(section, plan, spans, rng)
    stem = blob((-0.02 * a, 0.0), (0.2 * a, 0.2 * b), 0.03, rng)
    section.fill(stem, "thalamus", 2.0, 0.0, False)
    draw_thalami(section, plan, rng)
    if plane == VENTRICULAR_PLANE and rng.random() < 0.5:  # a remnant of occipital cortex
        side = 1 if rng.random() < 0.5 else -1
        spot = blob((-0.82 * a, side * 0.3 * b), (0.1 * a, 0.22 * b), 0.06, rng)
        section.fill(section.within(spot), "brain", 2.0, 0.0, False)
    section.shapes["fluid"] = fluid


MALFORMATIONS = {"holoprosencephaly": holoprosencephaly, "hydranencephaly": hydranencephaly}
