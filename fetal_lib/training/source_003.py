"""Source 003's own protocol, re-enacted on whatever data a chapter has.

Its outlines were never filled, image and mask were divided by 127.5, every image
was joined by its mirror image *before* a random 80/20 split over images, and
the score was Keras' binary accuracy, which counts exact equality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SourceSplit:
    """Arrays as the source's notebook has them after its split.

    Attributes
    ----------
    train, val : tuple of ndarray
        Images and targets, shape (N, H, W), uint8; the source's division by 127.5
        is 255/127.5 times the division by 255 that fits use.
    val_of : ndarray of int
        Which image each validation sample is, or is the mirror of.
    leaked_share : float
        Share of validation samples whose mirror image is in the training part.
    """

    train: tuple[np.ndarray, np.ndarray]
    val: tuple[np.ndarray, np.ndarray]
    val_of: np.ndarray
    leaked_share: float


def source_split(images: np.ndarray, outlines: np.ndarray, seed: int = 42) -> SourceSplit:
    """Mirror everything, then split at random, as the source does.

    Parameters
    ----------
    images, outlines : ndarray, shape (N, H, W), uint8
    seed : int
        42 in the source.

    Returns
    -------
    SourceSplit

    Examples
    --------
    >>> split = source_split(np.zeros((50, 4, 4), np.uint8), np.zeros((50, 4, 4), np.uint8))
    >>> len(split.train[0]), len(split.val[0]), split.leaked_share > 0.5
    (80, 20, True)
    """
    both = [np.concatenate([part, part[:, :, ::-1]]) for part in (images, outlines)]
    origin = np.tile(np.arange(len(images)), 2)
    order = np.random.default_rng(seed).permutation(len(origin))
    n_val = round(0.2 * len(origin))
    val, train = order[:n_val], order[n_val:]
    leaked = float(np.isin(origin[val], origin[train]).mean())
    train_part = tuple(part[train] for part in both)
    return SourceSplit(train_part, tuple(part[val] for part in both), origin[val], leaked)


def source_targets(masks: np.ndarray) -> np.ndarray:
    """Scale masks as the source does: 0 to 2 instead of 0 to 1.

    Parameters
    ----------
    masks : ndarray, uint8

    Returns
    -------
    ndarray, float32
    """
    return masks / np.float32(127.5)


def background_accuracy(targets: np.ndarray) -> float:
    """Return Keras' binary accuracy of a network that never finds anything.

    Parameters
    ----------
    targets : ndarray, any shape
        As trained on; the accuracy counts exact equality with a thresholded output.

    Returns
    -------
    float
        Share of elements that are exactly zero.

    Examples
    --------
    >>> background_accuracy(np.array([0.0, 0.0, 0.0, 0.7]))
    0.75
    """
    return float((np.asarray(targets) == 0).mean())
