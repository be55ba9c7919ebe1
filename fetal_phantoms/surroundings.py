"""What lies around a fetal head in the uterus, and the structures that imitate a skull.

Everything is drawn on three half-resolution maps of the image plane and sampled by the
scan lines afterwards: echo level in dB (0 = skull at right angles to the beam), loss in dB
per mm, and the amplitude of mirror-like surfaces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from fetal_phantoms.ultrasound import smooth_noise

STEP_PX = 2  # one map pixel covers 2 x 2 image pixels
MARGIN_PX = 160  # the maps reach this far above and beside the image: beams start there
FLUID_DB = -70.0


@dataclass
class Scenery:
    """Hold the maps of one image plane, each float32 (rows, columns), and its scale."""

    echo_db: np.ndarray
    loss_db_mm: np.ndarray
    mirror: np.ndarray
    patchy: np.ndarray  # 0-1: where mirror-like surfaces show
    pixel_size_mm: float
    tissue_loss_db_mm: float

    def point(self, x: float, y: float) -> tuple[int, int]:
        """Return the map pixel (column, row) of an image point."""
        return round((x + MARGIN_PX) / STEP_PX), round((y + MARGIN_PX) / STEP_PX)

    def size(self, length_mm: float) -> int:
        """Return a length in map pixels, at least 1."""
        return max(1, round(length_mm / self.pixel_size_mm / STEP_PX))

    def fill(self, layer: np.ndarray, echo_db: float | np.ndarray, loss_db_mm: float) -> None:
        """Replace echo and loss under a soft layer 0-255."""
        share = layer.astype(np.float32) / np.float32(255.0)
        self.echo_db += share * (np.float32(echo_db) - self.echo_db)
        self.loss_db_mm += share * (np.float32(loss_db_mm) - self.loss_db_mm)
        self.mirror *= 1.0 - share

    def shine(self, layer: np.ndarray, level_db: float) -> None:
        """Add a mirror-like surface of a level under a layer 0-255."""
        amplitude = self.patchy * np.float32(10.0 ** (level_db / 20.0) / 255.0)
        np.maximum(self.mirror, layer.astype(np.float32) * amplitude, out=self.mirror)

    def sample(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return echo_db, loss_db_mm and mirror at image points x, y."""
        map_x = (x + np.float32(MARGIN_PX)) / np.float32(STEP_PX)
        map_y = (y + np.float32(MARGIN_PX)) / np.float32(STEP_PX)
        return tuple(
            cv2.remap(layer, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for layer in (self.echo_db, self.loss_db_mm, self.mirror)
        )


def tissue(
    shape: tuple[int, int], pixel_size_mm: float, loss_db_mm: float, rng: np.random.Generator
) -> Scenery:
    """Return a scenery of maternal and uterine tissue with texture at three scales."""
    size = tuple((length + 2 * MARGIN_PX) // STEP_PX for length in shape)
    echo = np.full(size, rng.uniform(-36, -22), np.float32)
    flat = rng.uniform(1.0, 3.0)  # layers lie across the beam more often than along it
    for grain_mm, spread in ((25.0, 6.0), (7.0, 4.5), (2.5, 4.0), (1.0, 3.0)):
        grain = grain_mm / pixel_size_mm / STEP_PX * rng.uniform(0.7, 1.4)
        echo += rng.uniform(0.2, 1.3) * spread * smooth_noise(size, (grain / flat, grain), rng)
    return Scenery(
        echo,
        np.full(size, loss_db_mm, np.float32),
        np.zeros(size, np.float32),
        np.clip(0.45 + 0.4 * smooth_noise(size, (12, 20), rng), 0, 1),
        pixel_size_mm,
        loss_db_mm,
    )


def _soft(layer: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(layer, (0, 0), sigma) if sigma > 0 else layer


def _horizontal_edge(layer: np.ndarray) -> np.ndarray:
    """Return 0-255 where the edge of a layer faces the beam from above or below."""
    slope = cv2.Sobel(_soft(layer, 2.0), cv2.CV_32F, 0, 1, ksize=3)
    return np.clip(np.abs(slope) / max(float(np.abs(slope).max()), 1e-6) * 255.0, 0, 255)


def fluid_cavity(
    scene: Scenery, center: tuple, reach_px: tuple, rng: np.random.Generator
) -> np.ndarray:
    """Draw an amniotic cavity around a point and return its layer (0-255)."""
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wobble = sum(
        rng.normal(0, 0.12 / order) * np.cos(order * turn + rng.uniform(0, 6.3))
        for order in range(2, 7)
    )
    points = [
        scene.point(center[0] + reach_px[0] * (1 + w) * np.cos(t),
                    center[1] + reach_px[1] * (1 + w) * np.sin(t))
        for t, w in zip(turn, wobble, strict=True)
    ]  # fmt: skip
    layer = np.zeros(scene.echo_db.shape, np.uint8)
    cv2.fillPoly(layer, [np.array(points, np.int32)], 255)
    layer = _soft(layer, rng.uniform(0.6, 3.0))
    scene.fill(layer, FLUID_DB, 0.02)
    if rng.random() < 0.7:
        scene.shine(_horizontal_edge(layer), rng.uniform(-26, -8))
    return layer


def fluid_pockets(scene: Scenery, rng: np.random.Generator) -> None:
    """Draw scattered pockets of amniotic fluid, vessels and shadowed gaps."""
    grain = rng.uniform(14, 45) / scene.pixel_size_mm / STEP_PX
    field = smooth_noise(scene.echo_db.shape, (grain, grain * rng.uniform(0.8, 2.0)), rng)
    level = rng.uniform(0.3, 1.5)
    layer = (np.clip((field - level) / 0.15, 0, 1) * 255).astype(np.uint8)
    scene.fill(layer, rng.uniform(FLUID_DB, -45), 0.05)
    if rng.random() < 0.5:
        scene.shine(_horizontal_edge(layer), rng.uniform(-28, -12))


def placenta(scene: Scenery, rng: np.random.Generator, width_px: int, height_px: int) -> None:
    """Draw an even, finely speckled mass along one side of the image."""
    side = int(rng.integers(0, 4))
    x = (0, width_px, rng.uniform(0, width_px), rng.uniform(0, width_px))[side]
    y = (rng.uniform(0, height_px), rng.uniform(0, height_px), 0, height_px)[side]
    layer = np.zeros(scene.echo_db.shape, np.uint8)
    size = scene.size(rng.uniform(12, 40)), scene.size(rng.uniform(8, 25))
    cv2.ellipse(layer, scene.point(x, y), size, rng.uniform(-40, 40), 0, 360, 255, -1)
    texture = smooth_noise(layer.shape, (scene.size(1.5), scene.size(1.5)), rng)
    scene.fill(_soft(layer, 2.0), rng.uniform(-30, -14) + 1.2 * texture, scene.tissue_loss_db_mm)


def limb(scene: Scenery, at: tuple, rng: np.random.Generator) -> None:
    """Draw a limb: soft tissue around a long bone that shines and casts a shadow."""
    length, turn = rng.uniform(8, 45), rng.normal(0, 0.7)
    step = length / scene.pixel_size_mm / 2.0
    dx, dy = step * math.cos(turn), step * math.sin(turn)
    ends = scene.point(at[0] - dx, at[1] - dy), scene.point(at[0] + dx, at[1] + dy)
    flesh, bone = np.zeros((2, *scene.echo_db.shape), np.uint8)
    cv2.line(flesh, *ends, 255, scene.size(rng.uniform(8, 16)))
    scene.fill(_soft(flesh, 1.5), rng.uniform(-36, -18), scene.tissue_loss_db_mm)
    cv2.line(bone, *ends, 255, scene.size(rng.uniform(0.8, 3.0)))
    bone = _soft(bone, rng.uniform(1.0, 3.0))
    scene.fill(bone, rng.uniform(-24, -8), rng.uniform(0.5, 5))
    scene.shine(bone, rng.uniform(-20, -2) - 12 * abs(math.sin(turn)))


def arc(scene: Scenery, at: tuple, rng: np.random.Generator) -> None:
    """Draw a bright open arc: a piece of another skull, of a pelvic bone, of a wall."""
    radius = scene.size(rng.uniform(12, 60)), scene.size(rng.uniform(8, 60))
    start = rng.uniform(0, 360)
    layer = np.zeros(scene.echo_db.shape, np.uint8)
    cv2.ellipse(
        layer, scene.point(*at), radius, rng.uniform(0, 180), start,
        start + rng.uniform(25, 120), 255, scene.size(rng.uniform(0.5, 2.5)),
    )  # fmt: skip
    layer = _soft(layer, rng.uniform(0.8, 3.0))
    scene.fill(layer, rng.uniform(-26, -10), rng.uniform(0.3, 2))
    scene.shine(layer, rng.uniform(-24, -5))


def abdomen(scene: Scenery, at: tuple, rng: np.random.Generator) -> None:
    """Draw a round trunk section: thin dim wall, grey content, stomach, ribs."""
    radius = rng.uniform(10, 40)
    size = scene.size(radius), scene.size(radius * rng.uniform(0.75, 1.1))
    layer, wall, stomach = np.zeros((3, *scene.echo_db.shape), np.uint8)
    turn = rng.uniform(0, 180)
    cv2.ellipse(layer, scene.point(*at), size, turn, 0, 360, 255, -1)
    scene.fill(_soft(layer, 1.5), rng.uniform(-36, -22), scene.tissue_loss_db_mm)
    for _ in range(int(rng.integers(1, 5))):
        start = rng.uniform(0, 360)
        end = start + rng.uniform(10, 70)
        cv2.ellipse(wall, scene.point(*at), size, turn, start, end, 255, scene.size(1.0))
    scene.shine(_soft(wall, 1.0), rng.uniform(-24, -10))
    shift = rng.uniform(-0.5, 0.5, 2) * radius / scene.pixel_size_mm
    spot = scene.point(at[0] + shift[0], at[1] + shift[1])
    cv2.circle(stomach, spot, scene.size(radius * rng.uniform(0.1, 0.3)), 255, -1)
    scene.fill(_soft(stomach, 1.0), rng.uniform(-65, -40), 0.05)


def spine(scene: Scenery, at: tuple, rng: np.random.Generator) -> None:
    """Draw a row of bright dots with shadows: vertebrae or ribs in section."""
    turn, bend = rng.uniform(-0.9, 0.9), rng.normal(0, 0.08)
    step = rng.uniform(3, 8) / scene.pixel_size_mm
    x, y = at
    layer = np.zeros(scene.echo_db.shape, np.uint8)
    wide, high = scene.size(rng.uniform(0.8, 2.5)), scene.size(rng.uniform(0.4, 1.2))
    for _ in range(int(rng.integers(4, 12))):
        grey = int(rng.integers(60, 256))
        cv2.ellipse(layer, scene.point(x, y), (wide, high), rng.normal(0, 15), 0, 360, grey, -1)
        x, y, turn = x + step * math.cos(turn), y + step * math.sin(turn), turn + bend
    layer = _soft(layer, rng.uniform(0.8, 2.5))
    scene.fill(layer, rng.uniform(-20, -6), rng.uniform(0.5, 4))
    scene.shine(layer, rng.uniform(-22, -6))


def patch(scene: Scenery, at: tuple, rng: np.random.Generator) -> None:
    """Draw a patch of coarse tissue, bright (bowel, cord, hand) or dark (shadow, bladder)."""
    layer = np.zeros(scene.echo_db.shape, np.uint8)
    size = scene.size(rng.uniform(4, 25)), scene.size(rng.uniform(4, 25))
    cv2.ellipse(layer, scene.point(*at), size, rng.uniform(0, 180), 0, 360, 255, -1)
    grain = scene.size(rng.uniform(1.5, 4))
    texture = rng.uniform(1, 6) * smooth_noise(layer.shape, (grain, grain), rng)
    level = rng.uniform(-26, -10) if rng.random() < 0.7 else rng.uniform(-65, -45)
    scene.fill(_soft(layer, rng.uniform(1, 8)), level + texture, scene.tissue_loss_db_mm)


DISTRACTORS = (limb, arc, abdomen, spine, patch, patch)


def add_distractors(
    scene: Scenery, center: tuple, reach_px: float, n: int, rng: np.random.Generator
) -> None:
    """Draw n structures around a head at `center`, outside `reach_px` more often than not."""
    for _ in range(n):
        turn, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.9) * reach_px
        at = center[0] + far * math.cos(turn), center[1] + 0.75 * far * math.sin(turn)
        DISTRACTORS[int(rng.integers(len(DISTRACTORS)))](scene, at, rng)


def wall_layers(
    depth_mm: np.ndarray, beam_mm: np.ndarray, thick_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the echo (dB) that layers of skin, fat, muscle and fascia add near the face; they fade
    out below `thick_mm`.
    """
    total = np.zeros(np.broadcast_shapes(depth_mm.shape, beam_mm.shape), np.float32)
    for _ in range(int(rng.integers(2, 9))):
        bow = rng.normal(0, 1.5) * np.sin(beam_mm / rng.uniform(12, 60) + rng.uniform(0, 6.3))
        at, thin = rng.uniform(0, thick_mm), rng.uniform(0.3, 2.5)
        total += rng.uniform(-8, 16) * np.exp(-(((depth_mm - at - bow) / thin) ** 2))
    return total
