"""How sure a number is: bootstrap intervals for a score, conformal intervals for a prediction.

References
----------
Efron B, Tibshirani R. An introduction to the bootstrap. 1993, chapter 13 (percentile interval).
Field CA, Welsh AH. Bootstrapping clustered data. J R Stat Soc B 2007; 69:369-390.
DOI 10.1111/j.1467-9868.2007.00593.x
Lei J et al. Distribution-free predictive inference for regression. JASA 2018; 113:1094-1111.
DOI 10.1080/01621459.2017.1307116
Wilson EB. Probable inference, the law of succession, and statistical inference. JASA 1927;
22:209-212. DOI 10.1080/01621459.1927.10502953
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

ROWWISE = (np.median, np.std, np.var, np.min, np.max)
BLOCK = 2_000_000  # indices held at once


def bootstrap_ci(
    values: np.ndarray,
    statistic: Callable[..., float] = np.mean,
    groups: np.ndarray | None = None,
    n_resamples: int = 2000,
    coverage: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute a percentile bootstrap interval for a statistic of cases.

    Parameters
    ----------
    values : float array (N,), or (N, k) whose rows are cases, for example true and predicted.
    statistic : function of an array like ``values`` that gives one number.
    groups : array (N,) or None
        The patient or examination of each case. Groups are drawn, and each comes with all its
        cases: cases of one person are no independent evidence.
    n_resamples : int, >= 1
    coverage : float in (0, 1)
    seed : int

    Returns
    -------
    tuple (low, high), unit of the statistic. Both NaN when there is one group (or case) only, or
    when more than half of the resamples have no finite statistic. Resamples of what is always true,
    or never, all say the same; the mean of such bools has Wilson's interval for as many groups.

    Raises
    ------
    ValueError
        When there are no values, one is not finite, or an argument is out of range.

    Examples
    --------
    >>> low, high = bootstrap_ci(np.arange(100.0))
    >>> bool(low < 49.5 < high), bool(10 < high - low < 13)
    (True, True)
    >>> [round(end, 2) for end in bootstrap_ci(np.array([True] * 6))]
    [0.61, 1.0]
    """
    share = np.asarray(values).dtype == bool and statistic is np.mean
    values = check_cases(values, n_resamples, coverage)
    labels = group_numbers(groups, len(values))
    n_groups = int(labels.max()) + 1
    if n_groups < 2:
        return float("nan"), float("nan")
    if share and values.min() == values.max():
        return wilson_interval(n_groups * values.flat[0], n_groups)
    rng = np.random.default_rng(seed)
    draws = _draws(rng, n_resamples, n_groups)
    if statistic is np.mean:
        found = _means(values, labels, draws, n_groups)
    elif groups is None and values.ndim == 1 and statistic in ROWWISE:
        found = np.concatenate([statistic(values[drawn], axis=1) for drawn in draws])
    else:
        found = _statistics(values, labels, draws, statistic)
    return percentile_interval(found, coverage)


def percentile_interval(found: np.ndarray, coverage: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds the middle of what resamples gave.

    Parameters
    ----------
    found : float array (R,), a statistic of each resample; what is not finite is left out.
    coverage : float in (0, 1)

    Returns
    -------
    tuple (low, high), both NaN when more than half of the resamples are not finite.
    """
    found = np.asarray(found, float)
    finite = found[np.isfinite(found)]
    if 2 * len(finite) < len(found) or not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def wilson_interval(n_right: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share: for counts alone, and where all cases agree.

    Examples
    --------
    >>> [round(x, 3) for x in wilson_interval(160, 193)]
    [0.77, 0.876]
    """
    share, z = n_right / n, 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def with_interval(value: float, ci95: Sequence[float] | None, digits: int = 3) -> str:
    """Write a number as tables show it, with its interval where there is one.

    Examples
    --------
    >>> with_interval(6.053, (5.378, 6.788), 2), with_interval(0.5, None)
    ('6.05 (5.38 to 6.79)', '0.500')
    """
    text = _rounded(value, digits)
    known = ci95 is not None and np.isfinite(ci95).all()
    return f"{text} ({interval_words(*ci95, digits)})" if known else text


def interval_words(low: float, high: float, digits: int = 3) -> str:
    """Write an interval so that no one takes it for certainty.

    With more digits where its ends would read the same; resamples that all gave one value have
    no spread to tell of.

    Examples
    --------
    >>> interval_words(0.97, 0.9743), interval_words(0.9996, 1.0), interval_words(1.0, 1.0)
    ('0.970 to 0.974', '0.9996 to 1.0000', 'no spread')
    """
    if np.isclose(low, high, rtol=1e-9, atol=1e-12):  # what rounding makes is no spread
        return "no spread"
    while digits < 9 and _rounded(low, digits) == _rounded(high, digits):
        digits += 1
    return f"{_rounded(low, digits)} to {_rounded(high, digits)}"


def _rounded(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0:,.{digits}f}"  # + 0: no minus before a nought


def check_cases(
    values: np.ndarray, n_resamples: int, coverage: float, name: str = "values"
) -> np.ndarray:
    """Return cases as float; refuse what no interval can be made of, by the argument's name."""
    values = np.asarray(values, float)
    if values.ndim not in (1, 2) or not len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"{name}: received shape {values.shape} with {int((~np.isfinite(values)).sum())} "
            "values not finite; it must be (N,) or (N, k), N >= 1, all finite. Drop the cases "
            "without a value, and report how many they were."
        )
    if not 0 < coverage < 1:
        raise ValueError(f"coverage: received {coverage!r}; it is a fraction. Use 0.95 for 95 %.")
    if n_resamples < 1:
        raise ValueError(f"n_resamples: received {n_resamples!r}; it must be 1 or more. Use 2000.")
    return values


def group_numbers(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Return the number of each case's group among the sorted groups; None: one group a case."""
    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(
            f"groups: received shape {groups.shape} for {n} cases; it must be ({n},), one label "
            "per case. Give the examination or patient of every row."
        )
    return np.unique(groups, return_inverse=True)[1]


def members_of(numbers: np.ndarray) -> list[np.ndarray]:
    """Return the rows of the cases of each group."""
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.cumsum(np.bincount(numbers))[:-1])


def _draws(rng: np.random.Generator, n_resamples: int, n_groups: int) -> Iterator[np.ndarray]:
    rows = max(1, BLOCK // n_groups)
    for start in range(0, n_resamples, rows):
        size = (min(rows, n_resamples - start), n_groups)
        yield rng.integers(n_groups, size=size)  # (R, G)


def _means(
    values: np.ndarray, labels: np.ndarray, draws: Iterator[np.ndarray], n_groups: int
) -> np.ndarray:
    cases = values.reshape(len(values), -1)
    sums = np.bincount(labels, cases.sum(1), n_groups)
    sizes = np.bincount(labels, minlength=n_groups) * cases.shape[1]
    return np.concatenate([sums[drawn].sum(1) / sizes[drawn].sum(1) for drawn in draws])


def _statistics(
    values: np.ndarray,
    labels: np.ndarray,
    draws: Iterator[np.ndarray],
    statistic: Callable[..., float],
) -> np.ndarray:
    members = members_of(labels)
    return np.array(
        [
            statistic(values[np.concatenate([members[group] for group in row])])
            for drawn in draws
            for row in drawn
        ],
        float,
    )


def conformal_quantile(scores: np.ndarray, coverage: float = 0.9) -> float:
    """Compute the width that split-conformal prediction needs.

    The k-th smallest calibration score with ``k = ceil((n + 1) · coverage)``: a new case from
    the same source scores at most that with probability >= coverage, whatever the distribution.
    Calibration cases must be exchangeable with the new ones: one per patient, none trained on.

    Parameters
    ----------
    scores : float array (N,), for example |predicted - true| on held-out cases.
    coverage : float in (0, 1)

    Returns
    -------
    float, unit of the scores; infinity when N is too small to promise that coverage.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 20.0), coverage=0.9)
    18.0
    >>> conformal_quantile([1.0, 2.0], coverage=0.9)
    inf
    """
    scores = np.sort(check_cases(np.ravel(scores), 1, coverage, "scores"))
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(scores[rank - 1]) if rank <= len(scores) else float("inf")


def empirical_coverage(value_true: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Compute the fraction of true values inside their intervals, ends included.

    Parameters
    ----------
    value_true : float array (N,)
    low, high : float or float arrays (N,), the interval of each value.

    Examples
    --------
    >>> empirical_coverage([1.0, 2.0, 3.0, 4.0], 1.5, [9.0, 9.0, 9.0, 3.0])
    0.5
    """
    true = check_cases(value_true, 1, 0.5, "value_true")
    low, high = np.asarray(low, float), np.asarray(high, float)
    for name, side in (("low", low), ("high", high)):
        if side.shape not in ((), true.shape):
            raise ValueError(
                f"{name}: received shape {side.shape} for {len(true)} values; it must be one "
                f"number or ({len(true)},). Give one interval per value."
            )
    return float(((low <= true) & (true <= high)).mean())
