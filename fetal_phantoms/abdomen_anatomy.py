"""The fetal abdomen in the plane of its circumference: stomach, umbilical vein, spine, ribs.

Places are given by direction from the front (degrees, positive towards the fetus's left) and by
the share of the way from the centre to the skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fetal_phantoms.anomalies.section import SHAPE, SHIFT, Section, band, blob, eased, ellipse


@dataclass(frozen=True)
class Trunk:
    """Hold a section of the abdomen, the direction of its front and which way left lies.

    `bone` is float32 SHAPE: what gives a bright echo and a shadow.
    """

    section: Section
    front_rad: float
    left: int
    bone: np.ndarray

    def at(self, share: float | np.ndarray, degrees: float | np.ndarray) -> np.ndarray:
        """Return the point (u, v) in mm at a share of the way to the skin, (..., 2)."""
        turn = self.front_rad + self.left * np.radians(degrees)
        point = np.stack([np.cos(turn) * self.section.semi_major,
                          np.sin(turn) * self.section.semi_minor], axis=-1)  # fmt: skip
        return point * np.asarray(share)[..., None]

    @property
    def radius(self) -> float:
        """Return the mean radius inside the skin in mm."""
        return (self.section.semi_major + self.section.semi_minor) / 2

    def ossify(self, points: np.ndarray, strength: float) -> None:
        """Draw bone."""
        self.section.fill(points, "bone", level=6.0)
        cv2.fillPoly(self.bone, [self.section.corners(points)], float(strength), shift=SHIFT)


def draw_trunk(section: Section, front_rad: float, left: int, seed: int) -> Trunk:
    """Draw the anatomy of an abdomen into an empty section; its navel lies at front_rad."""
    rng = np.random.default_rng(seed)
    trunk = Trunk(section, front_rad, left, np.zeros(SHAPE, np.float32))
    for draw in (_wall, _liver, _vessels, _stomach, _umbilical_vein, _spine, _ribs):
        draw(trunk, rng)
    return trunk


def _wall(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw the dim muscle under the skin and the peritoneal line."""
    section = trunk.section
    section.fill(section.inner, "skin", level=-rng.uniform(3, 8))
    share = 1 - rng.uniform(0.05, 0.1)
    section.fill(section.inner * share, "liver", level=0.0)
    start, stop = sorted(rng.integers(0, len(section.inner), 2))
    section.line(section.inner[start:stop:8] * share, rng.uniform(0.1, 0.4), 0.5)


def _liver(trunk: Trunk, rng: np.random.Generator) -> None:
    """Shade liver, spleen and bowel, and draw the small echoes of vessel walls."""
    for _ in range(int(rng.integers(3, 7))):
        at = trunk.at(rng.uniform(0.1, 0.6), rng.uniform(0, 360))
        size = rng.uniform(0.1, 0.35, 2) * trunk.radius
        trunk.section.shade(ellipse(tuple(at), tuple(size), rng.uniform(0, 3)), rng.normal(0, 1.8))
    for _ in range(int(rng.integers(4, 14))):
        at = trunk.at(rng.uniform(0.1, 0.75), rng.uniform(0, 360))
        half = rng.normal(0, 0.05, 2) * trunk.radius
        trunk.section.line(np.stack([at - half, at + half]), rng.uniform(0.1, 0.45), 0.5)


def _vessels(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw the aorta left in front of the spine, the vena cava right of it, a vein or two."""
    r = trunk.radius
    spots = [(0.52, 168.0, 0.055), (0.4, 200.0, 0.045)][: 1 + int(rng.random() < 0.75)]
    for share, degrees, size in spots:
        at = trunk.at(share + rng.normal(0, 0.02), degrees + rng.normal(0, 4))
        radius = size * rng.uniform(0.8, 1.2) * r
        trunk.section.fill(ellipse(tuple(at), (radius, radius)), "vessel", -4.0, 1.0)
    for _ in range(int(rng.integers(0, 4))):
        at = trunk.at(rng.uniform(0.3, 0.65), rng.uniform(200, 330))
        path = at + np.linspace(-0.09, 0.09, 7)[:, None] * r * rng.normal(0, 1, 2)
        strip = band(path, np.full(7, rng.uniform(0.015, 0.03) * r))
        trunk.section.fill(strip, "vessel", -4.0, 0.8)


def _stomach(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw the stomach: a fluid bubble on the left, nearly always seen."""
    if rng.random() < 0.04:
        return
    r = trunk.radius
    at = trunk.at(rng.uniform(0.42, 0.56), rng.uniform(80, 125))
    size = rng.uniform(0.17, 0.33) * r, rng.uniform(0.11, 0.19) * r
    tilt = trunk.front_rad + trunk.left * np.radians(rng.uniform(-10, 60))
    outline = blob(tuple(at), size, 0.03, rng, tilt)
    trunk.section.fill(outline, "stomach", -5.0, 1.0)
    trunk.section.line(np.concatenate([outline, outline[:1]]), rng.uniform(0.05, 0.35), 0.5)


def _umbilical_vein(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw the vein's run into the portal sinus: a J that bends to the right."""
    r, start = trunk.radius, rng.uniform(0.45, 0.66)
    bend, end = rng.uniform(0.1, 0.18), rng.uniform(0.22, 0.4)
    stops = np.array([trunk.at(start, 0.0), trunk.at((start + bend) / 2, rng.uniform(-3, 3)),
                      trunk.at(bend, -10.0), trunk.at(0.6 * end, -95.0),
                      trunk.at(end, -115 - rng.uniform(0, 25))])  # fmt: skip
    place = np.linspace(0, 4, 33)
    path = np.stack([np.interp(place, range(5), stops[:, k]) for k in (0, 1)], axis=1)
    padded = np.concatenate([path[:1].repeat(5, 0), path, path[-1:].repeat(5, 0)])
    path = np.stack([np.convolve(padded[:, k], np.ones(11) / 11, "valid") for k in (0, 1)], 1)
    wide = rng.uniform(0.085, 0.13) * r
    width = eased(place, [(0, 0.7 * wide), (2, wide), (3, 0.9 * wide), (4, 0.35 * wide)])
    outline = band(path, width)
    trunk.section.fill(outline, "vessel", -4.0, 1.0)
    strength = rng.uniform(0.2, 0.7)
    for edge in (outline[:33], outline[33:]):
        trunk.section.line(edge, strength, 0.5)


def _spine(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw the three ossification centres of a vertebra."""
    r, behind = trunk.radius, 180 + rng.normal(0, 3)
    spots = [(0.7, 0.0, 0.07, 0.05), (0.86, 8.0, 0.055, 0.03), (0.86, -8.0, 0.055, 0.03)]
    for share, aside, long, wide in spots:
        at = trunk.at(share, behind + aside * rng.uniform(0.8, 1.2))
        size = long * r * rng.uniform(0.8, 1.2), wide * r * rng.uniform(0.8, 1.2)
        trunk.ossify(ellipse(tuple(at), size, trunk.front_rad + np.pi / 2 + 0.06 * aside, 24), 1.0)
    canal = trunk.at(0.79, behind)
    trunk.section.fill(ellipse(tuple(canal), (0.035 * r, 0.035 * r)), "vessel", -4.0, 0.7)


def _ribs(trunk: Trunk, rng: np.random.Generator) -> None:
    """Draw parts of ribs along the back half of the wall; a good plane shows few."""
    for side in (-1, 1):
        for _ in range(int(rng.integers(0, 4))):
            start, share = rng.uniform(95, 160), rng.uniform(0.86, 0.93)
            turn = side * (start + np.linspace(0, rng.uniform(7, 24), 9))
            path = trunk.at(np.full(9, share), turn)
            strip = band(path, np.full(9, rng.uniform(0.025, 0.045) * trunk.radius))
            trunk.ossify(strip, rng.uniform(0.4, 1.0))
