"""Sixteen classes without a network: the commonest class, grey values, the border, edges.

What these reach is what a network must be read against. *Border* never sees the brain: if
it tells classes apart, text, callipers or the machine do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BORDER_SHARE = 1 / 8
HOG_SIDE, HOG_CELL = 64, 8
N_COMPONENTS = 60


def grey_features(images: np.ndarray) -> np.ndarray:
    """Return the histogram of grey values of each image, (N, 16).

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
    """
    return np.stack([np.bincount(i.ravel() // 16, minlength=16) / i.size for i in images])


def border_features(images: np.ndarray) -> np.ndarray:
    """Return the border, the outer eighth of an image, shrunk to small pixels, (N, F)."""
    import cv2

    small = np.stack([cv2.resize(i, (32, 32), interpolation=cv2.INTER_AREA) for i in images])
    return small[:, border_mask((32, 32))] / 255.0


def border_mask(shape: tuple[int, int], share: float = BORDER_SHARE) -> np.ndarray:
    """Return which pixels lie in the outer part of an image, bool (H, W).

    Examples
    --------
    >>> int(border_mask((8, 8)).sum())
    28
    """
    height, width = shape
    rows, columns = (max(1, round(share * side)) for side in shape)
    inner = np.zeros(shape, bool)
    inner[rows : height - rows, columns : width - columns] = True
    return ~inner


def edge_features(images: np.ndarray) -> np.ndarray:
    """Return histograms of oriented gradients, (N, F).

    References
    ----------
    Dalal N, Triggs B. Histograms of oriented gradients for human detection. CVPR 2005.
    doi:10.1109/CVPR.2005.177
    """
    import cv2
    from skimage.feature import hog

    size = (HOG_SIDE, HOG_SIDE)
    cell, block = (HOG_CELL, HOG_CELL), (2, 2)
    return np.stack(
        [
            hog(
                cv2.resize(image, size, interpolation=cv2.INTER_AREA),
                orientations=8,
                pixels_per_cell=cell,
                cells_per_block=block,
            )
            for image in images
        ]
    )


FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "grey_histogram": grey_features,
    "border_only": border_features,
    "edges_logistic": edge_features,
}
"""Name of a baseline and the features that its logistic regression sees."""


@dataclass(frozen=True)
class FeatureClassifier:
    """A logistic regression on features, for all classes, seen in training or not.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
    features : callable
        (N, H, W) uint8 to (N, F).
    n_classes : int
    """

    pipeline: object
    features: Callable[[np.ndarray], np.ndarray]
    n_classes: int

    def probs(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities, (N, n_classes); 0 for a class that training had no case of."""
        found = np.zeros((len(images), self.n_classes))
        found[:, self.pipeline.classes_] = self.pipeline.predict_proba(self.features(images))
        return found


def fit_features(
    name: str, images: np.ndarray, labels: np.ndarray, n_classes: int, seed: int = 0
) -> FeatureClassifier:
    """Fit a logistic regression on one kind of features, reduced to 60 components.

    Parameters
    ----------
    name : str
        ``grey_histogram``, ``border_only`` or ``edges_logistic``.
    images : ndarray, shape (N, H, W), uint8
    labels : ndarray, shape (N,), int
    n_classes : int
    seed : int

    Raises
    ------
    ValueError
        If there is no such baseline.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name not in FEATURES:
        raise ValueError(f"name={name!r}: no such baseline; use one of {', '.join(FEATURES)}.")
    features = FEATURES[name](images)
    n = min(N_COMPONENTS, features.shape[1], len(features) - 1)
    reduce = PCA(n, svd_solver="randomized", random_state=seed)
    steps = (reduce, StandardScaler(), LogisticRegression(C=0.3, max_iter=500))
    pipeline = make_pipeline(*steps).fit(features, labels)
    return FeatureClassifier(pipeline, FEATURES[name], n_classes)


def class_frequencies(labels: np.ndarray, n_classes: int, n: int) -> np.ndarray:
    """Return the same probabilities for ``n`` cases: how often each class is in training.

    Examples
    --------
    >>> class_frequencies(np.array([0, 0, 0, 1]), 2, 1).tolist()
    [[0.75, 0.25]]
    """
    share = np.bincount(labels, minlength=n_classes) / len(labels)
    return np.tile(share, (n, 1))
