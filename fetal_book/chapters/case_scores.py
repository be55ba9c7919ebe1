"""Scores of single cases made into result rows: means, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from fetal_book.runs.session import Run
from fetal_lib.metrics.intervals import bootstrap_ci


def interval_of(
    values: np.ndarray,
    groups: np.ndarray,
    seed: int,
    statistic: Callable[[np.ndarray], float] = np.mean,
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval over groups, None where there is one group only."""
    interval = bootstrap_ci(values, statistic, groups, seed=seed)
    return interval if np.isfinite(interval).all() else None


def add_means(
    run: Run, scores: pd.DataFrame, metrics: Sequence[str], group: str, **labels: str
) -> None:
    """Add the mean of each metric over cases that have it, with its interval over groups."""
    for metric in metrics:
        if metric not in scores or scores[metric].isna().all():
            continue
        kept = scores[[group, metric]].dropna()
        values = kept[metric].to_numpy(float)
        ci95 = interval_of(values, kept[group].to_numpy(), run.parameters.seed)
        run.add_result(
            **labels, metric=metric, value=float(values.mean()), n=len(values), ci95=ci95
        )
