"""Stacks of thick slices of any contrast, a fetal head among skull, womb and mother in them.

What a network learns from to find the brain in a stack as it was acquired. A head turns as it
likes, is painted with its own scan under a curve or with grey values at random, and lies among
shells of skull, scalp and fluid, a trunk, other organs and flesh. It moves between slices; some
slices lose signal; the field of view, the distance of slices, blur, uneven brightness and noise
are drawn too. Some stacks show no head.

References
----------
Billot B et al. SynthSeg: segmentation of brain MRI scans of any contrast and resolution without
retraining. Med Image Anal 2023;86:102789. doi:10.1016/j.media.2023.102789
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_phantoms.fetal_brain.brain import FetalBrainPhantom
from fetal_phantoms.fetal_brain.fetus import rotation_matrix
from fetal_phantoms.mri import bias_field, knot_noise, rician

PIXEL_MM = 3.0
SIDE, N_SLICES, SLICE_MM = 64, (12, 24), (2.2, 6.0)
FAR_MM = 30.0  # as far from a brain as is told
HEADLESS, MASKED = 0.12, 0.08  # shares of the stacks
DROPPED = 0.07  # share of the slices


@dataclass(frozen=True)
class Head:
    """Hold a head that stacks are drawn of.

    Attributes
    ----------
    labels : uint8 (X, Y, Z), tissues of the brain, 0 outside.
    image : float16 (X, Y, Z), a scan of it and of what is near, bright end 1; -1 beyond.
    away_mm : float16 (X, Y, Z), distance from the brain, at most `FAR_MM`.
    spacing_mm : edge of a voxel.
    """

    labels: np.ndarray
    image: np.ndarray
    away_mm: np.ndarray
    spacing_mm: float


@dataclass(frozen=True)
class DrawnStack:
    """Hold a drawn stack: float32 (64, 64, N) of 0 and above, and the share that is brain."""

    image: np.ndarray
    brain: np.ndarray


def head_of(phantom: FetalBrainPhantom) -> Head:
    """Return the head of a phantom that was made with surroundings."""
    from scipy import ndimage

    edge = float(phantom.affine[0, 0])
    more = int(np.ceil(FAR_MM / 2 / edge))
    labels = np.pad(phantom.labels, more)
    bright = np.percentile(phantom.t2[phantom.labels > 0], 99)
    image = np.pad(phantom.t2 / np.float32(bright), more, constant_values=-1.0)
    away = ndimage.distance_transform_edt(labels == 0, sampling=edge)
    away = np.minimum(away, FAR_MM)
    return Head(labels, image.astype(np.float16), away.astype(np.float16), edge)


def draw_stack(head: Head, rng: np.random.Generator, shown: bool | None = None) -> DrawnStack:
    """Draw a stack of a head, or of a womb without one: now and then, or as ``shown`` says."""
    n = int(rng.integers(*N_SLICES, endpoint=True))
    slice_mm = float(rng.uniform(*SLICE_MM))
    points = _points(n, slice_mm, rng)  # (3, 64, 64, 2 n), mm
    if rng.random() < HEADLESS if shown is None else not shown:
        labels = np.zeros(points.shape[1:], np.uint8)
        image, away = np.full(labels.shape, -1.0), np.full(labels.shape, FAR_MM)
    else:
        labels, image, away = _looked_up(head, points, n, slice_mm, rng)
    signal = _painted(labels, image.astype(np.float32), away.astype(np.float32), points, rng)
    if rng.random() < MASKED:
        signal = np.where(away <= rng.uniform(0.0, 8.0), signal, 0)
    seen = _field_of_view(labels, rng)
    twice = (*labels.shape[:2], n, 2)  # two looks through the thickness of a slice
    data = np.where(seen, signal, 0).reshape(twice).mean(axis=-1)
    brain = (seen & (labels > 0)).reshape(twice).mean(axis=-1)
    return DrawnStack(_scanned(data, rng), brain.astype(np.float32))


def _points(n: int, slice_mm: float, rng: np.random.Generator) -> np.ndarray:
    """Return where each place of a stack lies, two a slice, float32 (3, 64, 64, 2 n)."""
    across = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL_MM
    along = (np.arange(n) - (n - 1) / 2 + rng.uniform(-0.25, 0.25) * n) * slice_mm
    halves = np.repeat(along, 2) + np.tile([-0.25, 0.25], n) * slice_mm
    grid = np.meshgrid(
        across + rng.uniform(-30, 30), across + rng.uniform(-30, 30), halves, indexing="ij"
    )
    return np.stack(grid).astype(np.float32)


def _looked_up(
    head: Head, points: np.ndarray, n: int, slice_mm: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, image and distance of a head that is turned, stretched and moves."""
    if rng.random() < 0.5:  # any way round; else as most lie in a stack along their axes
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    else:
        turn = np.eye(3)[rng.permutation(3)] * rng.choice((-1.0, 1.0), 3)[:, None]
        turn = turn @ rotation_matrix(rng.normal(0, 10, 3))
    aspect = np.exp(rng.normal(0, 0.04, 3)) * np.exp(rng.uniform(-0.15, 0.15))
    moves = _walk(n, rng.exponential(1.0), rng)
    at = np.empty_like(points)
    for k in range(n):
        move = rotation_matrix(moves[k, :3])
        matrix = (turn @ move / aspect[:, None] / head.spacing_mm).astype(np.float32)
        part = points[..., 2 * k : 2 * k + 2] - moves[k, 3:].reshape(3, 1, 1, 1)
        at[..., 2 * k : 2 * k + 2] = np.tensordot(matrix, part.astype(np.float32), axes=1)
    shape = np.array(head.labels.shape)
    at = np.rint(at + ((shape - 1) / 2).astype(np.float32).reshape(3, 1, 1, 1)).astype(np.int32)
    out = np.zeros(at.shape[1:], bool)
    for k in range(3):
        out |= (at[k] < 0) | (at[k] >= shape[k])
        np.clip(at[k], 0, shape[k] - 1, out=at[k])
    flat = np.ravel_multi_index(tuple(at), head.labels.shape)
    labels, image, away = (a.reshape(-1)[flat] for a in (head.labels, head.image, head.away_mm))
    labels[out], image[out], away[out] = 0, -1, FAR_MM
    return labels, image, away


def _walk(n: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return rotation (deg) and shift (mm) at each slice, (n, 6); even slices come first."""
    steps = rng.standard_normal((n, 6)) * ([0.5] * 3 + [0.4] * 3)
    jerks = rng.random(n) < 0.06
    steps[jerks] += rng.standard_normal((int(jerks.sum()), 6)) * ([4.0] * 3 + [2.0] * 3)
    walk = np.cumsum(steps, axis=0)
    moves = np.empty_like(walk)
    moves[np.r_[0:n:2, 1:n:2]] = strength * (walk - walk.mean(axis=0))
    return moves


def _painted(
    labels: np.ndarray,
    image: np.ndarray,
    away: np.ndarray,
    points: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Give the brain and what lies around it grey values."""
    inside, as_scanned = labels > 0, rng.random() < 0.65
    around = _around(away, points, rng)
    if as_scanned and rng.random() < 0.75:  # T2, more or less
        power = np.float32(np.exp(rng.uniform(-0.5, 0.5)))
        curved = np.clip(image, 0, 1.6) ** power
        if rng.random() < 0.5:
            around = np.where(image >= 0, curved, around)
        return np.where(inside, curved, around)
    if as_scanned:
        curved = np.interp(image, np.linspace(0, 1.3, 6), rng.uniform(0.05, 1.0, 6))
        return np.where(inside, curved, around)
    groups = labels.astype(int)
    if rng.random() < 0.5:  # by brightness and not by tissue
        groups = 1 + _regions(image, rng)
    spread = 1.0 if rng.random() < 0.4 else rng.uniform(0.05, 0.3)
    means = np.clip(rng.uniform(0.1, 0.95) + spread * rng.uniform(-0.5, 0.5, 12), 0.03, 1)
    sds = rng.uniform(5, 25, 12) / 255
    noise = rng.standard_normal(labels.shape, np.float32)
    return np.where(inside, means[groups] + sds[groups] * noise, around)


def _around(away: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the signal outside the brain: skull, scalp, fluid, a trunk, organs, flesh."""
    shape, usual = away.shape, rng.random() < 0.6
    flesh = _textured(shape, rng, (0.1, 0.6) if usual else (0.02, 1.0))
    skull, scalp, fluid = (
        rng.uniform(*limits) if usual else rng.uniform(0.02, 1.0)
        for limits in ((0.02, 0.3), (0.2, 0.7), (0.7, 1.2))
    )
    skull_mm = rng.uniform(0.8, 3.0)
    scalp_mm = skull_mm + rng.uniform(0.8, 5.0)
    wall_mm = scalp_mm + rng.uniform(0, 12) * np.clip(0.4 + 0.6 * _noise(shape, 4, rng), 0, 1.5)
    signal = np.where(away < wall_mm, np.float32(fluid), flesh)
    for _ in range(int(rng.integers(0, 4))):  # bladder, trunk, kidney, another ball of fluid
        far = _ball(points, rng)
        rim, level = rng.uniform(0.02, 1.0, 2)
        kind = rng.random()
        within = _textured(shape, rng, (0.02, 1.0)) if kind < 0.6 else np.float32(level)
        signal = np.where(far < 1, np.where(far > 0.85, np.float32(rim), within), signal)
    if rng.random() < 0.7:  # the trunk hangs on to the head
        far = _ball(points, rng, near=True)
        signal = np.where((far < 1) & (away > skull_mm), _textured(shape, rng, (0.1, 0.9)), signal)
    signal = np.where(away < scalp_mm, np.float32(scalp), signal)
    return np.where(away < skull_mm, np.float32(skull), signal)


def _ball(points: np.ndarray, rng: np.random.Generator, near: bool = False) -> np.ndarray:
    """Return how far places lie out in an ellipsoid whose surface is 1."""
    radii = rng.uniform(12, 55, 3).astype(np.float32)
    away = rng.normal(size=3)
    away *= (rng.uniform(45, 80) if near else rng.uniform(0, 110)) / np.linalg.norm(away)
    turn = rotation_matrix(rng.uniform(-90, 90, 3)).astype(np.float32)
    at = np.tensordot(turn, points - away.astype(np.float32).reshape(3, 1, 1, 1), axes=1)
    return np.sqrt(((at / radii.reshape(3, 1, 1, 1)) ** 2).sum(axis=0))


def _textured(
    shape: tuple[int, ...], rng: np.random.Generator, limits: tuple[float, float]
) -> np.ndarray:
    """Return a smooth signal within limits, in levels or not."""
    field = _noise(shape, int(rng.integers(4, 14)), rng)
    if rng.random() < 0.5:
        groups = _regions(field, rng)
        return rng.uniform(*limits, 12).astype(np.float32)[groups]
    low, high = np.sort(rng.uniform(*limits, 2)).astype(np.float32)
    return low + (high - low) * np.clip(0.5 + 0.4 * field, 0, 1)


def _noise(shape: tuple[int, ...], knots: int, rng: np.random.Generator) -> np.ndarray:
    return knot_noise(shape, knots, rng)


def _regions(field: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Split values into one to six groups at random quantiles; int, same shape."""
    some = field.reshape(-1)[:: max(1, field.size // 4000)]
    cuts = np.quantile(some, np.sort(rng.random(int(rng.integers(0, 6)))))
    return np.searchsorted(cuts, field)


def _field_of_view(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which places were acquired: a box that may cut what it shows."""
    shown = np.ones(labels.shape, bool)
    if rng.random() < 0.6:
        for axis in range(2):
            low, high = rng.integers(0, SIDE // 4), rng.integers(3 * SIDE // 4, SIDE + 1)
            along = (np.arange(SIDE) >= low) & (np.arange(SIDE) < high)
            shown &= along.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return shown


def _scanned(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return slices with blur, uneven brightness, gamma, lost signal and noise."""
    from scipy import ndimage

    sigma = (*np.full(2, rng.uniform(0.0, 0.6)), 0)
    shown = ndimage.gaussian_filter(signal.astype(np.float32), sigma, truncate=2.5)
    shown *= bias_field(shown.shape, float(rng.uniform(0, 0.35)), rng)
    shown = np.maximum(shown, 0) ** np.float32(np.exp(0.2 * rng.normal()))
    n = shown.shape[2]
    shown *= np.float32(1 + rng.uniform(0, 0.12) * rng.normal(size=n))
    for k in np.flatnonzero(rng.random(n) < DROPPED):
        shown[:, :, k] *= _hole(shown.shape[:2], rng)
    empty = signal == 0
    shown = rician(np.maximum(shown, 0), float(rng.uniform(0, 0.07)), rng)
    if rng.random() < 0.5:
        shown[empty] = 0
    return shown


def _hole(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return what is left of a slice's signal."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    middle, width = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.3, 2.0)
    hole = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / width**2)
    return (1 - rng.uniform(0.4, 1.0) * hole).astype(np.float32)
