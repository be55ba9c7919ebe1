"""Random similarity transforms and grey-value changes of an image and its mask.

An image squashed to a square has two axis scales. A rotation is carried out in
the scan's own aspect, so that a turned head stays a possible head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes; every draw is uniform unless stated.

    Attributes
    ----------
    flip : bool
        Mirror left-right and up-down, each with probability one half.
    rotation_deg : float
        Rotation in [-r, r] degrees.
    log_scale : tuple of float
        Natural logarithm of the magnification, low and high.
    shift : float
        Shift in [-s, s] as a share of the image side, for each axis.
    log_gamma : float
        Natural logarithm of the grey-value exponent, in [-g, g].
    gain : float
        Factor on grey values, in [1 - g, 1 + g]; the result is clipped to [0, 1].
    """

    flip: bool = True
    rotation_deg: float = 25.0
    log_scale: tuple[float, float] = (-0.25, 0.2)
    shift: float = 0.08
    log_gamma: float = 0.35
    gain: float = 0.2


def similarity_matrix(
    shape: tuple[int, int], aspect: float, angle_deg: float, scale: float, shift: np.ndarray
) -> np.ndarray:
    """Return the 2x3 matrix that turns, scales and shifts about the centre.

    Parameters
    ----------
    shape : (height, width)
        Size in pixels of the (possibly squashed) image.
    aspect : float
        Width over height of the image *before* it was squashed.
    angle_deg : float
    scale : float
    shift : ndarray, shape (2,)
        Shift in pixels, x then y.

    Returns
    -------
    ndarray, shape (2, 3), float64

    Examples
    --------
    >>> similarity_matrix((4, 4), 1.0, 0.0, 1.0, np.zeros(2)).round(6) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    height, width = shape
    squash = (width / height) / aspect  # x pixels per unit over y pixels per unit
    angle = np.deg2rad(angle_deg)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin * squash], [sin / squash, cos]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([linear, centre - linear @ centre + shift])


def augment_pair(
    image: np.ndarray,
    mask: np.ndarray,
    rng: np.random.Generator,
    ranges: Augmentation,
    aspect: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Change an image and its mask by one random draw.

    Parameters
    ----------
    image, mask : ndarray, shape (H, W), uint8
        The mask may hold values between 0 and 255 where a pixel is partly covered.
    rng : numpy.random.Generator
    ranges : Augmentation
    aspect : float
        Width over height before squashing.

    Returns
    -------
    image, mask : ndarray, shape (H, W), float32, in [0, 1]
    """
    import cv2

    height, width = image.shape
    if ranges.flip:
        for axis in (0, 1):
            if rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
    matrix = similarity_matrix(
        image.shape,
        aspect,
        rng.uniform(-ranges.rotation_deg, ranges.rotation_deg),
        np.exp(rng.uniform(*ranges.log_scale)),
        rng.uniform(-ranges.shift, ranges.shift, 2) * [width, height],
    )
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height))
    mask = cv2.warpAffine(np.ascontiguousarray(mask), matrix, (width, height))
    gamma = np.exp(rng.uniform(-ranges.log_gamma, ranges.log_gamma))
    gain = 1 + rng.uniform(-ranges.gain, ranges.gain)
    grey = np.clip((image.astype(np.float32) / 255) ** gamma * gain, 0, 1)
    return grey.astype(np.float32), mask.astype(np.float32) / 255
