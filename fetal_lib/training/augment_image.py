"""Random changes of an image that keep its class: flip, rotate, scale, shift, grey values."""

from __future__ import annotations

import numpy as np

from fetal_lib.training.augment import Augmentation, similarity_matrix

GENTLE = Augmentation(
    flip=True, rotation_deg=15.0, log_scale=(-0.12, 0.12), shift=0.06, log_gamma=0.25, gain=0.15
)
"""For classes that are told apart by sizes: scale changes little."""
ALIGNED = Augmentation(
    flip=True, rotation_deg=8.0, log_scale=(-0.04, 0.04), shift=0.03, log_gamma=0.3, gain=0.15
)
"""For heads that lie level and fill the view; a scale bar keeps its length."""


def augment_image(
    image: np.ndarray,
    rng: np.random.Generator,
    ranges: Augmentation,
    aspect: float = 1.0,
    strip: int = 0,
    hide_strip: float = 0.0,
) -> np.ndarray:
    """Change an image by one random draw.

    Parameters
    ----------
    image : ndarray, shape (H, W), uint8
    rng : numpy.random.Generator
    ranges : Augmentation
    aspect : float
        Width over height before the image was squashed.
    strip : int
        Rows at the lower edge that keep their place, such as a scale bar's.
    hide_strip : float
        Probability that these rows are made black.

    Returns
    -------
    ndarray, shape (H, W), float32, in [0, 1]

    Examples
    --------
    >>> image = np.arange(16, dtype="uint8").reshape(4, 4)
    >>> none = Augmentation(False, 0.0, (0.0, 0.0), 0.0, 0.0, 0.0)
    >>> bool(np.allclose(augment_image(image, np.random.default_rng(0), none) * 255, image))
    True
    """
    import cv2

    height, width = image.shape
    below = image[height - strip :]
    if ranges.flip:
        for axis in (0, 1):
            if rng.random() < 0.5:
                image = np.flip(image, axis)
    matrix = similarity_matrix(
        image.shape,
        aspect,
        rng.uniform(-ranges.rotation_deg, ranges.rotation_deg),
        np.exp(rng.uniform(*ranges.log_scale)),
        rng.uniform(-ranges.shift, ranges.shift, 2) * [width, height],
    )
    moved = cv2.warpAffine(np.ascontiguousarray(image), matrix, (width, height))
    if strip:
        moved[height - strip :] = 0 if rng.random() < hide_strip else below
    gamma = np.exp(rng.uniform(-ranges.log_gamma, ranges.log_gamma))
    gain = 1 + rng.uniform(-ranges.gain, ranges.gain)
    return np.clip((moved.astype(np.float32) / 255) ** np.float32(gamma) * np.float32(gain), 0, 1)
