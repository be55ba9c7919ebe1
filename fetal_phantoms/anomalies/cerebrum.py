"""The cerebral hemispheres: cortex and its folds, midline, cavum, thalami."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.plan import Plan
from fetal_phantoms.anomalies.section import Section, band, ellipse
from fetal_phantoms.anomalies.ventricles import midline


def draw_cortex(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the fluid under the skull, the brain's surface and the folds of its week."""
    section.fill(section.inner, "brain", level=rng.uniform(-12, -5), fluid=0.25)
    rim = rng.uniform(0.03, 0.075) * section.semi_minor
    section.fill(section.inner * (1 - rim / section.semi_minor), "brain", level=0.0)
    _patches(section, rng)
    depth = np.clip((plan.ga_weeks - 19) / 14, 0.02, 1.0)
    for _ in range(int(rng.integers(3, 7) + 22 * depth)):
        _fold(section, rng, depth)
    for side in (-1, 1):
        _sylvian(section, plan, side, rng)
    for _ in range(int(rng.integers(4, 12))):  # short echoes of vessels and white matter
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.75)
        axes = np.array([section.semi_major, section.semi_minor])
        at = reach * axes * (np.cos(turn), np.sin(turn))
        half = rng.uniform(0.03, 0.09) * section.semi_major * np.array([1.0, rng.normal(0, 0.2)])
        section.line(np.stack([at - half, at + half]), rng.uniform(0.15, 0.5), 0.5)


def _patches(section: Section, rng: np.random.Generator) -> None:
    """Draw faint areas that are lighter or darker."""
    for _ in range(int(rng.integers(3, 8))):
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.6)
        at = reach * section.semi_major * np.cos(turn), reach * section.semi_minor * np.sin(turn)
        size = rng.uniform(0.08, 0.28, 2) * section.semi_minor
        section.shade(ellipse(at, size, rng.uniform(0, 3), 32), rng.normal(0, 2.0))


def _fold(section: Section, rng: np.random.Generator, depth: float) -> None:
    """Draw a sulcus: a bright line that enters from the surface."""
    turn = rng.uniform(0, 2 * np.pi)
    start = np.array([section.semi_major * np.cos(turn), section.semi_minor * np.sin(turn)])
    share = np.linspace(0.95, 0.95 - rng.uniform(0.05, 0.1 + 0.2 * depth), 5)[:, None]
    sway = np.cumsum(rng.normal(0, 0.02 * section.semi_minor, (5, 2)), axis=0)
    section.line(start * share + sway, rng.uniform(0.15, 0.3 + 0.5 * depth), 0.6)


def _sylvian(section: Section, plan: Plan, side: int, rng: np.random.Generator) -> None:
    """Draw the Sylvian fissure: a notch before 24 weeks, a box with the insula later."""
    b, middle = section.semi_minor, rng.uniform(-0.02, 0.16) * section.semi_major
    half = rng.uniform(0.14, 0.24) * section.semi_major
    floor = (0.72 if plan.ga_weeks < 25 else 0.64) * b
    place = np.linspace(-1.25, 1.25, 21)
    sag = rng.uniform(-0.05, 0.05) * place + 0.02 * np.cumsum(rng.normal(0, 0.3, 21))
    v = floor * (1 + sag) + (0.9 * b - floor) * np.clip(np.abs(place) - 0.7, 0, 1) ** 2 * 3.5
    strength = rng.uniform(0.15, 0.6)
    start, stop = sorted(rng.choice(21, 2, replace=False)) if rng.random() < 0.4 else (0, 20)
    path = np.stack([middle + half * place, side * v], 1)[start : max(stop, start + 6) + 1]
    section.line(path, strength, 0.6)


def draw_midline(
    section: Section, plan: Plan, spans: list[tuple[float, float]], rng: np.random.Generator
) -> None:
    """Draw the falx over spans along the midline, given in long semi-axes."""
    strength, thick = rng.uniform(0.55, 1.0), rng.uniform(0.5, 1.0)
    for start, stop in spans:
        u = np.linspace(start, stop, 9) * section.semi_major
        sway = 0.004 * section.semi_minor * np.cumsum(rng.normal(0, 1, 9))
        v = midline(section, plan, u) + sway
        path = np.stack([u, v], 1)
        strip = band(path, np.full(9, max(thick, 2.2 * section.cell_mm)))
        section.fill(strip, "falx", level=4.0)
        section.line(path, strength * rng.uniform(0.75, 1.0), thick)


def draw_cavum(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the cavum septi pellucidi: a fluid box between two lines across the midline."""
    middle, half = rng.uniform(0.34, 0.42) * section.semi_major, 0.12 * section.semi_major
    wide = rng.uniform(0.055, 0.095) * section.semi_minor
    shift = float(midline(section, plan, middle))
    u = middle + half * np.array([-1.0, -0.6, 0.6, 1.0])
    v = wide * np.array([0.5, 1.0, 1.0, 0.6])
    box = np.concatenate([np.stack([u, v + shift], 1), np.stack([u, shift - v], 1)[::-1]])
    section.fill(box, "cavum", level=-4.0, fluid=0.9)
    strength = rng.uniform(0.5, 1.0)
    for side in (-1, 1):
        wall = np.stack([u[1:3], side * v[1:3] + shift], 1)
        section.line(wall, strength * rng.uniform(0.6, 1.0), 0.6)


def draw_thalami(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the thalami and the third ventricle between them."""
    middle, level = rng.uniform(0.0, 0.1) * section.semi_major, -rng.uniform(3, 7)
    long, wide = rng.uniform(0.17, 0.22) * section.semi_major, 0.19 * section.semi_minor
    shift = float(midline(section, plan, middle))
    for side in (-1, 1):
        center = middle, shift + side * 1.02 * wide
        section.fill(ellipse(center, (long, wide), -side * 0.25), "thalamus", level=level)
    u = middle + long * np.array([-0.8, 0.8])
    section.line(np.stack([u, [shift, shift]], 1), rng.uniform(0.3, 0.7), 0.6)


def draw_parieto_occipital(section: Section, plan: Plan, rng: np.random.Generator) -> None:
    """Draw the parieto-occipital fissure of both sides: it deepens from 20 weeks on."""
    deep = np.clip((plan.ga_weeks - 18.5) / 10, 0.05, 1.0) * 0.3 * section.semi_minor
    u = (-0.62 + rng.normal(0, 0.03)) * section.semi_major
    for side in (-1, 1):
        start = float(midline(section, plan, u))
        path = [(u, start), (u + 0.2 * deep, start + side * deep)]
        section.line(np.array(path), rng.uniform(0.3, 0.8), 0.6)
