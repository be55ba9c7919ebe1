"""Regress millimetres from features of a mask, with and without the pixel size."""

from __future__ import annotations

import numpy as np


def regress_from_features(
    features: np.ndarray, target: np.ndarray, new_features: np.ndarray
) -> np.ndarray:
    """Predict a number from many features by ridge regression.

    Features are centred on the training part and divided by one number, the SD of all of them: a
    feature that hardly varies there would be blown up by a scale of its own, and with it the
    answer for a mask that differs in it. The penalty is chosen there too, by leave-one-out error.

    Parameters
    ----------
    features : ndarray, shape (N, F)
    target : ndarray, shape (N,)
    new_features : ndarray, shape (M, F)

    Returns
    -------
    ndarray, shape (M,), in the unit of ``target``
    """
    from sklearn.linear_model import RidgeCV

    centre, scale = features.mean(axis=0), features.std()
    ridge = RidgeCV(alphas=np.logspace(0, 6, 13)).fit((features - centre) / scale, target)
    return ridge.predict((new_features - centre) / scale)


def regress_with_pixel_size(
    features: np.ndarray,
    target_mm: np.ndarray,
    pixel_size_mm: np.ndarray,
    new_features: np.ndarray,
    new_pixel_size_mm: np.ndarray,
) -> np.ndarray:
    """Predict a length: regress it in pixels, then multiply by the pixel size.

    Parameters
    ----------
    features, new_features : ndarray, shapes (N, F) and (M, F)
    target_mm : ndarray, shape (N,)
    pixel_size_mm, new_pixel_size_mm : ndarray, shapes (N,) and (M,)

    Returns
    -------
    ndarray, shape (M,), mm
    """
    pixels = regress_from_features(features, target_mm / pixel_size_mm, new_features)
    return pixels * new_pixel_size_mm
