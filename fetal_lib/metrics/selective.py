"""Answers that may be several classes, or none: conformal sets, abstention, strangeness.

*Conformal sets*: the smallest sets of classes that hold the true one with a promised
probability, for new cases like those of the validation part. *Abstention*: what accuracy
is left when the least sure cases are handed back. *Strangeness*: how far the features of
an image lie from those of all classes, for images that show no such thing at all.

References
----------
Sadinle M, Lei J, Wasserman L. Least ambiguous set-valued classifiers with bounded error
levels. JASA 2019;114:223-234. doi:10.1080/01621459.2017.1395341
Geifman Y, El-Yaniv R. Selective classification for deep neural networks. NeurIPS 2017.
arXiv:1705.08500
Lee K et al. A simple unified framework for detecting out-of-distribution samples and
adversarial attacks. NeurIPS 2018. arXiv:1807.03888 (the distance to the nearest class).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetal_lib.metrics.calibration import check_confidence
from fetal_lib.metrics.classification import check_labels
from fetal_lib.metrics.intervals import conformal_quantile


def set_threshold(probs: np.ndarray, labels: np.ndarray, coverage: float = 0.9) -> float:
    """Return the probability from which on a class belongs to the set.

    Parameters
    ----------
    probs : float array (N, K)
        Of held-out cases, one per patient for the promise to hold.
    labels : int array (N,)
    coverage : float in (0, 1)

    Returns
    -------
    float
        0, so that every class is in the set, when N is too small for the promise.

    Examples
    --------
    >>> probs = np.linspace(0.05, 0.95, 19)
    >>> threshold = set_threshold(np.column_stack([probs, 1 - probs]), np.zeros(19, int), 0.9)
    >>> round(threshold, 3)
    0.1
    """
    probs = np.asarray(probs, float)
    labels = check_labels("labels", labels, probs.shape[1])
    missing = conformal_quantile(1 - probs[np.arange(len(probs)), labels], coverage)
    return float(max(0.0, 1 - missing))


def prediction_sets(probs: np.ndarray, threshold: float) -> np.ndarray:
    """Return which classes each set holds; the most probable one always.

    Keeping the first class can only raise the coverage above the promise.

    Parameters
    ----------
    probs : float array (N, K)
    threshold : float
        From :func:`set_threshold`.

    Returns
    -------
    bool array (N, K)
    """
    probs = np.asarray(probs, float)
    sets = probs >= threshold - 1e-12
    sets[np.arange(len(probs)), probs.argmax(1)] = True
    return sets


@dataclass(frozen=True)
class RiskCoverage:
    """What accuracy is left when only the surest cases are answered.

    Attributes
    ----------
    answered : float array (N,)
        Share of cases that are answered, from 1/N to 1.
    accuracy : float array (N,)
        Of those.
    thresholds : float array (N,)
        The least confidence among them.
    area : float
        Mean error over all shares; smaller is better.
    """

    answered: np.ndarray
    accuracy: np.ndarray
    thresholds: np.ndarray
    area: float


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> RiskCoverage:
    """Compute accuracy over the share of cases that are answered, the surest first.

    Cases of one confidence are answered in no order: each counts with the mean of them all.

    Examples
    --------
    >>> risk_coverage([0.9, 0.5], [True, False]).accuracy.tolist()
    [1.0, 0.5]
    """
    confidence, right = check_confidence(confidence, right)
    _, level = np.unique(confidence, return_inverse=True)
    right = (np.bincount(level, right) / np.bincount(level))[level]
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(right[order]) / n
    return RiskCoverage(n / len(order), accuracy, confidence[order], float((1 - accuracy).mean()))


def abstention_threshold(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float:
    """Return the least confidence at which answers reach an accuracy on held-out cases.

    Of all thresholds whose answered cases are right often enough, the one that answers
    most; infinity when there is none.

    Examples
    --------
    >>> abstention_threshold([0.9, 0.8, 0.6, 0.5], [True, True, False, True], 0.9)
    0.8
    """
    curve = risk_coverage(confidence, right)
    same = np.append(np.diff(curve.thresholds) == 0, False)  # ties are answered together
    good = np.flatnonzero((curve.accuracy >= accuracy - 1e-12) & ~same)
    return float(curve.thresholds[good[-1]]) if len(good) else float("inf")


@dataclass(frozen=True)
class FeatureDistance:
    """Measures how far features lie from the nearest class, in standard deviations.

    Squared Mahalanobis distance to the nearest class mean with one covariance for all
    classes, shrunk towards a sphere so that few cases are enough.

    Attributes
    ----------
    means : float array (C, F)
        Of the classes that have cases.
    whitener : float array (F, F)
        Turns features so that the shared covariance is the identity; lower triangular, so that
        half of it takes no room in a file.
    """

    means: np.ndarray
    whitener: np.ndarray

    @classmethod
    def fit(
        cls, features: np.ndarray, labels: np.ndarray, shrinkage: float = 0.1
    ) -> FeatureDistance:
        """Learn means and covariance from the training part.

        Parameters
        ----------
        features : float array (N, F)
        labels : int array (N,)
        shrinkage : float in (0, 1]
            Share of the sphere in the covariance.
        """
        features = np.asarray(features, float)
        kinds, index = np.unique(np.asarray(labels), return_inverse=True)
        means = np.stack([features[index == k].mean(0) for k in range(len(kinds))])
        spread = features - means[index]
        covariance = spread.T @ spread / len(spread)
        sphere = np.trace(covariance) / len(covariance) + 1e-12
        covariance = (1 - shrinkage) * covariance + shrinkage * sphere * np.eye(len(covariance))
        return cls(means, np.linalg.cholesky(np.linalg.inv(covariance)))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the squared distance of each case, float array (N,).

        Parameters
        ----------
        features : float array (N, F)
        """
        at = np.asarray(features, float) @ self.whitener
        centres = self.means @ self.whitener
        squared = (at**2).sum(1)[:, None] - 2 * at @ centres.T + (centres**2).sum(1)
        return np.maximum(squared.min(1), 0.0)
