"""Whether a confidence means what it says, and how to make it so: temperature scaling.

Logits are divided by one number T, fitted on the validation part: the order of the
classes stays, only how sure the network says it is changes. The expected calibration
error (ECE) is the mean gap of confidence and accuracy over bins, weighted by their cases.

References
----------
Guo C et al. On calibration of modern neural networks. ICML 2017. arXiv:1706.04599
Naeini MP et al. Obtaining well calibrated probabilities using Bayesian binning. AAAI
2015. doi:10.1609/aaai.v29i1.9602
Brier GW. Mon Weather Rev 1950;78:1-3. doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.metrics.classification import check_labels

N_BINS = 10
LOG_RANGE = (np.log(0.05), np.log(20.0))


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits : float array (..., K)
    temperature : float, > 0
        Above 1: less sure.

    Examples
    --------
    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    if not temperature > 0:
        raise ValueError(f"temperature: received {temperature}; it must be above 0, 1 for none.")
    scaled = np.asarray(logits, float) / temperature
    scaled = np.exp(scaled - scaled.max(-1, keepdims=True))
    return scaled / scaled.sum(-1, keepdims=True)


def cross_entropy(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Compute the mean negative logarithm of the true class's probability."""
    scaled = np.asarray(logits, float) / temperature
    top = scaled.max(-1)
    log_sum = top + np.log(np.exp(scaled - top[:, None]).sum(-1))
    return float((log_sum - scaled[np.arange(len(scaled)), labels]).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray, n_steps: int = 60) -> float:
    """Find the temperature with the least cross-entropy, between 0.05 and 20.

    The cross-entropy is convex in 1/T, so that golden-section search finds the one minimum.

    Parameters
    ----------
    logits : float array (N, K)
        Of cases that the network was not trained on.
    labels : int array (N,)

    Returns
    -------
    float

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(0, 2, (4000, 3))
    >>> labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)  # calibrated at T = 1
    >>> bool(abs(fit_temperature(3 * logits, labels) - 3) < 0.2)
    True
    """
    logits = np.asarray(logits, float)
    labels = check_labels("labels", labels, logits.shape[1])
    low, high = LOG_RANGE
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(n_steps):
        inner = high - golden * (high - low), low + golden * (high - low)
        loss = [cross_entropy(logits, labels, np.exp(at)) for at in inner]
        low, high = (low, inner[1]) if loss[0] <= loss[1] else (inner[0], high)
    return float(np.exp((low + high) / 2))


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy in bins of confidence; empty bins are left out.

    Attributes
    ----------
    confidence, accuracy : float array (M,)
        Mean confidence, and share that was right, of each bin.
    n : int array (M,)
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    n: np.ndarray


def reliability(
    confidence: np.ndarray, right: np.ndarray, n_bins: int = N_BINS, equal_mass: bool = False
) -> Reliability:
    """Sort cases into bins of confidence.

    Parameters
    ----------
    confidence : float array (N,), in [0, 1]
        Probability of the class that is predicted.
    right : bool array (N,)
    n_bins : int
    equal_mass : bool
        Bins with equally many cases instead of equally wide ones.

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        When lengths differ, or a confidence lies outside [0, 1].
    """
    confidence, right = check_confidence(confidence, right)
    if equal_mass:
        rank = np.argsort(np.argsort(confidence, kind="stable"), kind="stable")
        bins = rank * n_bins // len(rank)
    else:
        bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    n = np.bincount(bins, minlength=n_bins)
    kept = n > 0
    means = [np.bincount(bins, v, n_bins)[kept] / n[kept] for v in (confidence, right)]
    return Reliability(means[0], means[1], n[kept])


def check_confidence(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return confidences and what was right as float arrays (N,); refuse what is neither."""
    confidence, right = np.asarray(confidence, float), np.asarray(right, float)
    if confidence.shape != right.shape or confidence.ndim != 1 or not len(confidence):
        raise ValueError(
            f"right: received shape {right.shape} for confidences {confidence.shape}; both (N,)."
        )
    if not ((confidence >= 0) & (confidence <= 1 + 1e-9)).all():
        raise ValueError(
            "confidence: not all in [0, 1]; give probabilities, not logits or per cent."
        )
    return confidence, right


def ece(
    confidence: np.ndarray, right: np.ndarray, n_bins: int = N_BINS, equal_mass: bool = False
) -> float:
    """Compute the expected calibration error, in [0, 1].

    With few cases it is above zero even for a calibrated model.

    Examples
    --------
    >>> round(ece([0.9, 0.9, 0.9, 0.9], [True, True, True, False]), 3)
    0.15
    """
    bins = reliability(confidence, right, n_bins, equal_mass)
    return float((bins.n * np.abs(bins.accuracy - bins.confidence)).sum() / bins.n.sum())


def brier_score(probs: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean squared distance of probabilities to the truth, 0 to 2.

    Examples
    --------
    >>> brier_score(np.array([[1.0, 0.0], [0.5, 0.5]]), [0, 0])
    0.25
    """
    probs = np.asarray(probs, float)
    truth = np.eye(probs.shape[1])[check_labels("labels", labels, probs.shape[1])]
    return float(((probs - truth) ** 2).sum(1).mean())
