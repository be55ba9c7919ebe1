"""Layers that are fitted on frozen features: one question, one a class, or one after another.

Each takes features ``x`` (N, F) at one scale, classes (N,), all names of each picture (N, K),
weights (N,), an inverse penalty and the features ``held`` (M, F), and returns probabilities (M, K).
"""

from __future__ import annotations

import numpy as np

from fetal_lib.metrics.calibration import softmax
from fetal_phantoms.anomalies.labels import LABELS

GROUPS = {
    "normal": ("normal",),
    "ventricles": (
        "mild_ventriculomegaly", "moderate_ventriculomegaly", "severe_ventriculomegaly",
        "colpocephaly", "hydranencephaly", "holoprosencephaly",
    ),
    "back of the head": (
        "cerebellar_hypoplasia", "arnold_chiari_malformation", "mega_cisterna_magna",
        "encephalocele",
    ),
    "in the tissue": (
        "arachnoid_cyst", "porencephaly", "intracranial_hemorrhage", "intracranial_tumor",
        "vein_of_galen",
    ),
}  # fmt: skip
"""The tree's branches: where the anomaly is."""
GROUP_OF = np.array([
    next(at for at, names in enumerate(GROUPS.values()) if label in names) for label in LABELS
])  # fmt: skip
N_COMPONENTS = 40


def logistic(
    x: np.ndarray, labels: np.ndarray, names: np.ndarray, weights: np.ndarray, strength: float,
    held: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Fit one logistic regression for all classes."""
    return _one(x, labels, weights, strength, held, len(LABELS))


def _one(
    x: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    strength: float,
    held: np.ndarray,
    n: int,
) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    probs = np.zeros((len(held), n))
    if len(set(labels.tolist())) == 1:
        probs[:, labels[0]] = 1
        return probs
    fitted = LogisticRegression(C=strength, max_iter=300, tol=1e-3)
    fitted.fit(x, labels, sample_weight=weights)
    probs[:, fitted.classes_] = fitted.predict_proba(held)
    return probs


def tree(
    x: np.ndarray, labels: np.ndarray, names: np.ndarray, weights: np.ndarray, strength: float,
    held: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Ask for normal or not, then for the group of an anomaly, then for its class."""
    group = GROUP_OF[labels]
    affected = group > 0
    normal = _one(x, affected.astype(int), weights, strength, held, 2)
    groups = _one(x[affected], group[affected], weights[affected], strength, held, len(GROUPS))
    probs = np.zeros((len(held), len(LABELS)))
    probs[:, GROUP_OF == 0] = normal[:, :1]
    for at in np.unique(group[affected]):
        of = group == at
        within = _one(x[of], labels[of], weights[of], strength, held, len(LABELS))
        probs += normal[:, 1:] * groups[:, at : at + 1] * within
    return probs


def each(
    x: np.ndarray, labels: np.ndarray, names: np.ndarray, weights: np.ndarray, strength: float,
    held: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Ask for each class by itself, where a picture may be of several."""
    probs = np.zeros((len(held), len(LABELS)))
    for k in np.flatnonzero(names.any(0)):
        probs[:, k] = _one(x, names[:, k].astype(int), weights, strength, held, 2)[:, 1]
    return probs / probs.sum(1, keepdims=True)


def discriminant(
    x: np.ndarray, labels: np.ndarray, names: np.ndarray, weights: np.ndarray, strength: float,
    held: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Fit a linear discriminant to the first components, all classes equally frequent, with one
    covariance, shrunk as the pictures ask for.
    """
    from sklearn.covariance import ledoit_wolf
    from sklearn.decomposition import PCA

    kinds, of = np.unique(labels, return_inverse=True)
    components = PCA(min(N_COMPONENTS, *x.shape), random_state=0).fit(x)
    z = components.transform(x)
    means = np.stack([z[of == k].mean(0) for k in range(len(kinds))])
    kernel = np.linalg.solve(ledoit_wolf(z - means[of])[0], means.T)
    logits = components.transform(held) @ kernel - (means * kernel.T).sum(1) / 2
    probs = np.zeros((len(held), len(LABELS)))
    probs[:, kinds] = softmax(logits)
    return probs


LAYERS = {"logistic": logistic, "tree": tree, "each": each, "discriminant": discriminant}
