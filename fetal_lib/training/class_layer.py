"""Fit only the last layer of a Keras classifier: transfer learning on frozen features.

The layer becomes the logistic regression of the classes on the standardised features, which has
one answer and takes seconds. Fine-tuning may follow from there; it starts with a layer that fits
its features, and does not spoil them in the first steps.

References
----------
Kumar A et al. Fine-tuning can distort pretrained features and underperform out-of-distribution.
ICLR 2022. arXiv:2202.10054
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.keras_classification import class_weights
from fetal_lib.training.keras_forward import forward

if TYPE_CHECKING:
    import keras

STRENGTH = 0.01
"""Inverse of the ridge penalty, for standardised features."""
ABSENT = -20.0
"""Logit of a class that the training part does not have."""


def fit_class_layer(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    weighted: bool = False,
    strength: float = STRENGTH,
) -> None:
    """Fit the layer ``logits`` on the outputs of the layer ``features``, in place.

    Parameters
    ----------
    model : keras.Model
        (B, H, W, 1) in [0, 1] to logits (B, K).
    images : ndarray, shape (N, H, W), uint8
        Of the training part, or several versions of each, such as its mirror images.
    labels : ndarray, shape (N,), int
    weighted : bool
        Weigh cases by the square root of how rare their class is.
    strength : float

    Raises
    ------
    ValueError
        If fewer than two classes are there.
    """
    import keras
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    known = np.unique(labels)
    if len(known) < 2:
        raise ValueError(
            f"labels: {len(known)} class in the training part; the class layer needs two or more."
        )
    features = keras.Model(model.input, model.get_layer("features").output)
    x = forward(features, images)
    layer = model.get_layer("logits")
    weights = class_weights(labels, layer.units)[labels] if weighted else np.ones(len(labels))
    scaler = StandardScaler().fit(x)
    fit = LogisticRegression(C=strength, max_iter=500)
    fit.fit(scaler.transform(x), labels, weights)
    kernel, bias = np.zeros((x.shape[1], layer.units)), np.full(layer.units, ABSENT)
    slopes, offsets = fit.coef_, fit.intercept_
    if len(known) == 2:  # one row that tells the second class from the first
        slopes, offsets = np.vstack([-slopes, slopes]) / 2, np.append(-offsets, offsets) / 2
    kernel[:, known] = (slopes / scaler.scale_).T
    bias[known] = offsets - slopes @ (scaler.mean_ / scaler.scale_)
    layer.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
