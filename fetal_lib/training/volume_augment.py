"""Random crops, mirror images, gain and shifts for volumes, in the form that torch_fit takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Augment = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def crop_augment(side: int, gain: float = 0.1, noise: float = 0.05, tries: int = 5) -> Augment:
    """Return an augmentation that cuts a random cube out of each volume and its labels.

    Parameters
    ----------
    side : voxels of the cube; 0 keeps the whole volume.
    gain : SD of the factor on contrast, and of the shift, inside the brain.
    noise : largest SD of the noise that is added inside the brain.
    tries : a cube with less than a fifth of labelled voxels is drawn again, so often.

    Returns
    -------
    callable
        Of ``(x, y, rng)``: float32 (B, C, D, H, W) and int64 (B, D, H, W).
    """

    def augment(
        x: np.ndarray, y: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        pairs = [_cut(a, b, side, tries, rng) for a, b in zip(x, y, strict=True)]
        inputs, targets = (np.stack(part) for part in zip(*pairs, strict=True))
        return _contrast(inputs, gain, noise, rng), targets

    return augment


def _cut(
    x: np.ndarray, y: np.ndarray, side: int, tries: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if side:
        room = [n - side for n in y.shape]
        for _ in range(tries):
            corner = [int(rng.integers(r + 1)) for r in room]
            box = tuple(slice(c, c + side) for c in corner)
            if (y[box] > 0).mean() > 0.2:
                break
        x, y = x[(slice(None), *box)], y[box]
    if rng.random() < 0.5:  # the left of the brain for its right
        x, y = x[:, ::-1], y[::-1]
    return x, y


def _contrast(x: np.ndarray, gain: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    shape = (len(x), *[1] * (x.ndim - 1))
    factor = np.exp(gain * rng.standard_normal(shape)).astype(np.float32)
    shift = (gain * rng.standard_normal(shape)).astype(np.float32)
    spread = (noise * rng.random(shape)).astype(np.float32)
    out = x * factor + shift + spread * rng.standard_normal(x.shape, dtype=np.float32)
    return np.where(x == 0, np.float32(0), out)


def shift_augment(
    largest: int = 1, gain: float = 0.05, noise: float = 0.1, age_noise: float = 0.0
) -> Augment:
    """Return an augmentation for whole volumes: shifts by whole voxels, mirror images, contrast.

    Parameters
    ----------
    largest : voxels of the largest shift along each axis.
    gain, noise : as in `crop_augment`.
    age_noise : SD of what is added to the target.

    Returns
    -------
    callable
        Of ``(x, y, rng)``: float32 (B, C, D, H, W) and float32 (B, 1).
    """

    def augment(
        x: np.ndarray, y: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        moved = []
        for volume in x:
            by = rng.integers(-largest, largest + 1, 3)
            volume = np.roll(volume, by, axis=(1, 2, 3))
            moved.append(volume[:, ::-1] if rng.random() < 0.5 else volume)
        target = y + (age_noise * rng.standard_normal(y.shape)).astype(np.float32)
        return _contrast(np.stack(moved), gain, noise, rng), target

    return augment
