"""The lateral ventricles in the transventricular plane, drawn to the width of their atrium."""

from __future__ import annotations

import numpy as np

from fetal_phantoms.anomalies.plan import Plan
from fetal_phantoms.anomalies.section import Section, eased, ellipse

ATRIUM, FRONT, BACK = -0.36, 0.56, -0.74  # places along the midline in long semi-axes
BEHIND = 0.12  # the widest place lies behind this
MANTLE_MM = 0.8  # the least cortex between a ventricle and the skull
GAP_MM = 0.4  # from the midline to a ventricle's medial wall


def widest_circle_mm(centers: np.ndarray, outline: np.ndarray) -> float:
    """Return the diameter of the widest circle inside an outline, centred on given points: what
    callipers give at right angles to the axis of a ventricle.

    >>> box = np.array([(x, y) for x, y in ((-9, -4), (9, -4), (9, 4), (-9, 4))], float)
    >>> path = np.stack([np.linspace(-6, 6, 9), np.zeros(9)], axis=1)
    >>> round(widest_circle_mm(path, box), 6)
    8.0
    """
    start, along = outline, np.roll(outline, -1, axis=0) - outline
    apart = centers[:, None] - start[None]
    share = (apart * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
    nearest = apart - np.clip(share, 0, 1)[..., None] * along
    return float(2 * np.hypot(nearest[..., 0], nearest[..., 1]).min(axis=1).max())


def centers_within(path: np.ndarray, outline: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return points along the chosen part (bool) of an axis and to both sides of it, (M, 2)."""
    across = (outline[: len(path)] - path)[chosen]
    steps = np.linspace(-0.4, 0.4, 9)[:, None, None]
    return (path[chosen] + steps * across)[:, ::2].reshape(-1, 2)


def _widths(
    section: Section, plan: Plan, wide: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return places along the midline (long semi-axes), the width there (mm), the atrium's place.

    The occipital horn is round, the widest stretch is even, body and frontal horn are narrow.
    """
    dilated = max(0.0, wide - 8.0)
    atrium = ATRIUM + rng.normal(0, 0.025) + 0.007 * dilated
    back = BACK + rng.normal(0, 0.025) - 0.004 * dilated
    front = FRONT + rng.normal(0, 0.03)
    even = 0.3 * min(wide / section.semi_major, 0.5)  # half of the stretch of full width
    body = rng.uniform(0.9, 1.8) + 0.45 * dilated * (plan.label != "colpocephaly")
    u = np.linspace(back, front, 64)
    knots = [(atrium + even, wide), (max(0.08, atrium + even + 0.34), body)]
    width = eased(u, [*knots, (0.44, min(plan.frontal, wide)), (front, 0.2)])
    horn = np.clip((atrium - even - u) / (atrium - even - back), 0, 1)
    return u, np.maximum(width * np.sqrt(1 - horn**2), 0.2), atrium


def _path_and_width(
    section: Section, plan: Plan, side: int, wide: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the axis (N, 2) and the width (N,) of one ventricle, mm."""
    u, width, atrium = _widths(section, plan, wide, rng)
    b, middle = section.semi_minor, rng.uniform(0.36, 0.46) * section.semi_minor
    center = eased(u, [(u[0], 0.86 * middle), (atrium - 0.1, middle), (atrium + 0.1, middle),
                       (0.12, 0.74 * middle), (0.4, 0.2 * b + 0.35 * plan.frontal),
                       (u[-1], 0.22 * b)])  # fmt: skip
    shift = midline(section, plan, u * section.semi_major)
    room = section.half_width(u * section.semi_major) - MANTLE_MM - side * shift
    width = np.minimum(width, np.maximum(room - GAP_MM, 0.2))
    center = np.clip(center, GAP_MM + width / 2, np.maximum(room - width / 2, GAP_MM + width / 2))
    return np.stack([u * section.semi_major, side * center + shift], axis=1), width


def midline(section: Section, plan: Plan, u: np.ndarray | float) -> np.ndarray:
    """Return v of the midline at places along it, mm: pushed aside by a mass."""
    share = np.clip(1 - (np.asarray(u) / section.semi_major) ** 2, 0, 1)
    return -plan.side * plan.bow * share


def draw_ventricle(
    section: Section, plan: Plan, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one lateral ventricle with its choroid plexus; return its axis and width."""
    wide, shape_seed = plan.atrium[side], int(rng.integers(2**31))
    for _ in range(4):  # the drawn width is made equal to the planned one
        path, width = _path_and_width(section, plan, side, wide, np.random.default_rng(shape_seed))
        half = np.stack([np.zeros_like(width), width / 2], axis=1)
        outline = np.concatenate([path + half, (path - half)[::-1]])
        got = widest_circle_mm(
            centers_within(path, outline, path[:, 0] < BEHIND * section.semi_major), outline
        )
        if abs(got - plan.atrium[side]) < 0.02:
            break
        wide *= plan.atrium[side] / got
    lesion = True if side in plan.widened else None
    section.fill(outline, "ventricle", level=-4.0, fluid=1.0, lesion=lesion)
    section.shapes[f"ventricle{side:+d}"] = outline
    section.shapes[f"axis{side:+d}"] = path
    _plexus(section, plan, side, path, width, rng)
    return path, width


def _plexus(
    section: Section,
    plan: Plan,
    side: int,
    path: np.ndarray,
    width: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draw the choroid plexus: it fills a normal atrium and hangs down in a wide one."""
    at = int(np.argmax(np.where(path[:, 0] < 0.05 * section.semi_major, width, 0)))
    room = width[at]
    thick = min(rng.uniform(0.62, 0.86) * room, rng.uniform(4.2, 6.2))
    long = rng.uniform(0.13, 0.2) * section.semi_major
    slack = max(0.0, room - thick - 0.4) / 2
    center = path[at] + (rng.uniform(0.2, 0.8) * long, 0.0)
    fall = slack * np.array(plan.far) if room > 8 else np.zeros(2)
    center = center + fall * (0.4, 1.0)
    lean = np.arctan2(*(path[min(at + 8, len(path) - 1)] - path[at])[::-1])
    blob = ellipse(tuple(center), (long, thick / 2), lean, 40)
    blob *= 1 + 0.015 * rng.standard_normal((40, 1))
    section.fill(blob, "choroid_plexus", level=rng.uniform(8, 15), fluid=0.0)
