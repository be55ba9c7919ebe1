"""Fuse the masks of an ensemble: mean, majority, and STAPLE.

STAPLE estimates the true mask and each member's sensitivity and specificity together, by
expectation and maximisation. What the released code of MedSegDiff calls STAPLE is the squared
mean of the members; :func:`squared_mean` is here to show the difference.

References
----------
Warfield SK, Zou KH, Wells WM. Simultaneous truth and performance level estimation (STAPLE). IEEE
Transactions on Medical Imaging 2004;23(7):903-21. doi:10.1109/TMI.2004.828354
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

START = 0.99999  # sensitivity and specificity before the first iteration
TINY = 1e-12
FUSIONS = ("staple", "mean", "majority")


class Staple(NamedTuple):
    """What STAPLE estimates.

    Attributes
    ----------
    probs : ndarray, float64 (H, W)
        Probability of foreground, in [0, 1].
    sensitivity, specificity : ndarray, float64 (K,)
        Of each member; NaN where no foreground, or no background, is left to judge by.
    n_iterations : int
    """

    probs: np.ndarray
    sensitivity: np.ndarray
    specificity: np.ndarray
    n_iterations: int


def check_members(masks: np.ndarray) -> np.ndarray:
    """Return masks as bool (K, H, W).

    Raises
    ------
    ValueError
        If there are not three axes and at least one member, or values other than 0 and 1.
    """
    masks = np.asarray(masks)
    if masks.ndim != 3 or not len(masks):
        raise ValueError(f"masks: shape {masks.shape}; stack the members to (K, H, W).")
    if masks.dtype != bool and not np.isin(masks, (0, 1)).all():
        raise ValueError("masks: values other than 0 and 1; threshold the members first.")
    return masks.astype(bool)


def staple(masks: np.ndarray, max_iterations: int = 200, tolerance: float = 1e-9) -> Staple:
    """Estimate the mask that the members agree on, weighing each by its own reliability.

    Parameters
    ----------
    masks : ndarray, bool or 0/1, (K, H, W)
        One mask a member.
    max_iterations : int
    tolerance : float
        Stop when no sensitivity or specificity moves by more.

    Returns
    -------
    Staple

    Raises
    ------
    ValueError
        See :func:`check_members`.

    Examples
    --------
    >>> good, empty = np.eye(4, dtype=bool), np.zeros((4, 4), bool)
    >>> result = staple(np.stack([good, good, good, empty]))
    >>> bool(((result.probs > 0.5) == good).all()), result.sensitivity.round(2)
    (True, array([1., 1., 1., 0.]))
    """
    masks = check_members(masks)
    patterns, place, counts = np.unique(
        masks.reshape(len(masks), -1).T, axis=0, return_inverse=True, return_counts=True
    )  # pixels on which all members say the same are one case
    prior = masks.mean()
    sensitivity = np.full(len(masks), START)
    specificity = sensitivity.copy()
    probs, n_iterations, moved = patterns.mean(1), 0, np.inf
    while n_iterations < max_iterations and moved > tolerance:
        probs = _expect(patterns, prior, sensitivity, specificity)
        before = sensitivity, specificity
        sensitivity = _share(patterns.T, probs * counts)
        specificity = _share(~patterns.T, (1 - probs) * counts)
        moved = np.nanmax(np.abs(np.subtract((sensitivity, specificity), before)), initial=0)
        n_iterations += 1
    probs = probs[place.ravel()].reshape(masks.shape[1:])
    return Staple(probs, sensitivity, specificity, n_iterations)


def _expect(
    patterns: np.ndarray, prior: float, sensitivity: np.ndarray, specificity: np.ndarray
) -> np.ndarray:
    """Return the probability of foreground for each pattern of votes (P, K)."""
    p, q = (
        np.clip(np.nan_to_num(a, nan=START), TINY, 1 - TINY) for a in (sensitivity, specificity)
    )
    prior = np.clip(prior, TINY, 1 - TINY)
    inside = np.log(prior) + np.where(patterns, np.log(p), np.log1p(-p)).sum(1)
    outside = np.log1p(-prior) + np.where(patterns, np.log1p(-q), np.log(q)).sum(1)
    return 1 / (1 + np.exp(np.clip(outside - inside, -700, 700)))


def _share(votes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted share of votes of each member; NaN where nothing weighs."""
    total = weights.sum()
    return (votes * weights).sum(1) / total if total > TINY else np.full(len(votes), np.nan)


def majority(masks: np.ndarray) -> np.ndarray:
    """Return bool (H, W): more than half of the members (K, H, W) say foreground."""
    masks = check_members(masks)
    return 2 * masks.sum(0) > len(masks)


def squared_mean(members: np.ndarray) -> np.ndarray:
    """Return the square of the members' mean, which the released code calls STAPLE.

    Parameters
    ----------
    members : ndarray, float (K, H, W)

    Examples
    --------
    >>> squared_mean(np.array([[[1.0]], [[0.0]]]))
    array([[0.25]])
    """
    return np.mean(members, axis=0) ** 2


def fuse(members: np.ndarray, how: str = "staple") -> np.ndarray:
    """Fuse an ensemble's masks into one.

    Parameters
    ----------
    members : ndarray, float (K, H, W)
        Probabilities, or masks, in [0, 1].
    how : str
        ``"staple"`` or ``"majority"`` of the members' own masks at 0.5, or ``"mean"`` of their
        probabilities at 0.5.

    Returns
    -------
    ndarray, bool (H, W)

    Raises
    ------
    ValueError
        If ``how`` is none of the three.

    Examples
    --------
    >>> fuse(np.array([[[0.9]], [[0.4]], [[0.4]]]), "mean"), fuse(np.full((3, 1, 1), 0.4))
    (array([[ True]]), array([[False]]))
    """
    members = np.asarray(members)
    if how not in FUSIONS:
        raise ValueError(f"how={how!r}: use one of {FUSIONS}.")
    if how == "mean":
        return members.mean(0) > 0.5
    masks = members > 0.5
    return majority(masks) if how == "majority" else staple(masks).probs > 0.5


def uncertainty_map(members: np.ndarray) -> np.ndarray:
    """Return the members' standard deviation at each pixel.

    Parameters
    ----------
    members : ndarray, float (K, H, W), in [0, 1]

    Returns
    -------
    ndarray, float64 (H, W)
        In [0, 0.5]; 0 where all say the same.

    Examples
    --------
    >>> uncertainty_map(np.array([[[1.0, 1.0]], [[0.0, 1.0]]]))
    array([[0.5, 0. ]])
    """
    return np.asarray(members, dtype="float64").std(0)
