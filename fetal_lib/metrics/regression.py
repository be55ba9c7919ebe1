"""How well numbers are predicted: error, explained variance, agreement.

References
----------
Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 1989;
45:255-268. DOI 10.2307/2532051
Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical
measurement. Lancet 1986; 327:307-310. DOI 10.1016/S0140-6736(86)90837-8
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def _pair(value_true: np.ndarray, value_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, pred = np.asarray(value_true, float), np.asarray(value_pred, float)
    if true.ndim != 1 or true.shape != pred.shape or not len(true):
        raise ValueError(
            f"value_true, value_pred: received shapes {true.shape} and {pred.shape}; both must be "
            "(N,) with the same N >= 1. Flatten a column with .ravel()."
        )
    n_bad = int((~np.isfinite(true)).sum()), int((~np.isfinite(pred)).sum())
    if any(n_bad):
        raise ValueError(
            f"value_true, value_pred: received {n_bad[0]} and {n_bad[1]} values that are NaN or "
            "infinite; all must be finite. Drop those cases, and report how many they were."
        )
    return true, pred


def mae(value_true: np.ndarray, value_pred: np.ndarray) -> float:
    """Compute the mean absolute error.

    Parameters
    ----------
    value_true, value_pred : float arrays (N,), one unit.

    Returns
    -------
    float, same unit.

    Raises
    ------
    ValueError
        When the shapes differ, there are no values, or one is not finite.

    Examples
    --------
    >>> mae([1.0, 2.0], [1.5, 1.0])
    0.75
    """
    true, pred = _pair(value_true, value_pred)
    return float(np.abs(pred - true).mean())


def rmse(value_true: np.ndarray, value_pred: np.ndarray) -> float:
    """Compute the root mean squared error. Parameters as for ``mae``.

    Examples
    --------
    >>> rmse([0.0, 0.0], [3.0, -3.0])
    3.0
    """
    true, pred = _pair(value_true, value_pred)
    return float(np.sqrt(((pred - true) ** 2).mean()))


def r2(value_true: np.ndarray, value_pred: np.ndarray) -> float:
    """Compute the coefficient of determination, 1 - Σ(t - p)² / Σ(t - mean t)².

    Parameters as for ``mae``.

    Returns
    -------
    float, at most 1; 0 for predicting the mean of these values; NaN when all true values are
    the same.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    0.0
    """
    true, pred = _pair(value_true, value_pred)
    if np.ptp(true) == 0:  # the mean of equal decimals may miss them by a rounding
        return float("nan")
    spread = ((true - true.mean()) ** 2).sum()
    return float(1 - ((true - pred) ** 2).sum() / spread)


def ccc(value_true: np.ndarray, value_pred: np.ndarray) -> float:
    """Compute Lin's concordance correlation: agreement with the line of identity.

    ``2 s_tp / (s_t² + s_p² + (mean t - mean p)²)`` with moments over N.

    Parameters as for ``mae``.

    Returns
    -------
    float in [-1, 1]; NaN when all values of both are one number.

    Examples
    --------
    >>> round(ccc([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]), 4)
    0.5714
    """
    true, pred = _pair(value_true, value_pred)
    if np.ptp([true, pred]) == 0:
        return float("nan")
    covariance = ((true - true.mean()) * (pred - pred.mean())).mean()
    total = true.var() + pred.var() + (true.mean() - pred.mean()) ** 2
    return float(2 * covariance / total)


@dataclass(frozen=True)
class BlandAltman:
    """Hold a Bland-Altman analysis of predicted - true.

    Attributes
    ----------
    bias : float, the mean difference.
    sd : float, the standard deviation of the differences (N - 1); NaN for one pair.
    lower, upper : float, the 95 % limits of agreement, bias ± 1.96 sd.
    n : int, number of pairs.
    """

    bias: float
    sd: float
    lower: float
    upper: float
    n: int


def bland_altman(value_true: np.ndarray, value_pred: np.ndarray) -> BlandAltman:
    """Analyse the differences predicted - true. Parameters as for ``mae``.

    Examples
    --------
    >>> result = bland_altman([10.0, 20.0, 30.0], [11.0, 20.0, 32.0])
    >>> result.bias, result.sd, round(result.upper, 2)
    (1.0, 1.0, 2.96)
    """
    true, pred = _pair(value_true, value_pred)
    difference = pred - true
    bias = float(difference.mean())
    sd = float(difference.std(ddof=1)) if len(difference) > 1 else float("nan")
    return BlandAltman(bias, sd, bias - 1.96 * sd, bias + 1.96 * sd, len(difference))
