"""Re-enact source 000's protocol on the chapter's data, and say by how much it flatters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from fetal_book.chapters.flaws import score_trainings
from fetal_book.chapters.gestational_age.data import PlaneSet, age_group
from fetal_book.chapters.gestational_age.fit import FoldFit, answers, fit_fold, fit_part
from fetal_book.runs.session import Run
from fetal_lib.data.splits.folds import Fold, k_folds
from fetal_lib.metrics.intervals import bootstrap_ci
from fetal_lib.metrics.regression import mae, r2
from fetal_lib.metrics.trainings import over_trainings

PUBLISHED = (
    ("Shi 2020: 659 fetuses, new ones", 5.4),
    ("Shen 2022: one sample per fetus", 6.7),
    ("Hasan 2024: split within patients", 3.8),
    ("Hong 2021: split within scans", 0.9),
    ("Hong 2021: 21 fetuses of elsewhere", 3.6),
)
ROWS = (
    ("source_protocol", "folds over slices, stopped by the test fold"),
    ("same_samples", "folds over fetuses, stopped within the training part"),
)


@dataclass(frozen=True)
class Leak:
    """Hold the source's protocol on the same data."""

    fits: list[FoldFit]  # of its folds over samples, by the first seed; what they held back stopped
    subject: np.ndarray  # (M,), the fetuses of the held-out samples
    ga_days: np.ndarray  # float (M,), of the held-out samples
    pred_days: np.ndarray  # float (M,), or (M, S) by S trainings, of the held-out samples
    honest_days: np.ndarray  # likewise, answers for the same samples by folds over fetuses
    shared: float  # share of the held-out samples whose fetus was trained on
    backbone: str = "vgg16"  # of the networks

    def answers(self) -> dict[str, np.ndarray]:
        """Return the answers (M, S) of both protocols by the model's name in the results."""
        names = [f"{self.backbone}_{name}" for name, _ in ROWS]
        both = (self.pred_days, self.honest_days)
        return {k: np.reshape(v, (len(v), -1)) for k, v in zip(names, both, strict=True)}

    @property
    def n_trainings(self) -> int:
        """S, of either protocol."""
        return next(iter(self.answers().values())).shape[1]


def reenact_leak(run: Run, planes: PlaneSet, honest: pd.DataFrame, folds: Sequence[Fold]) -> Leak:
    """Train by source 000's protocol: folds over samples, stopped by the held-out fold itself.

    Of ``source_trainings`` seeds the first is the run's, whose ``honest`` answers are there; the
    others train both protocols on the same folds.
    """
    p, table = run.parameters, planes.table
    every_row = np.arange(len(table)).astype(str)  # each sample its own group
    fold = k_folds(every_row, age_group(table["ga_days"]), p.n_folds, p.seed)
    parts = [
        (np.flatnonzero(fold != number), np.flatnonzero(fold == number))
        for number in range(min(p.leak_folds, p.n_folds))
    ]
    known = [
        np.isin(table["group"].iloc[test], table["group"].iloc[train]) for train, test in parts
    ]
    leaking, fair = [], [honest]
    for seed in range(p.seed, p.seed + p.source_trainings):
        own = p.model_copy(update={"seed": seed})
        leaking.append(
            [
                fit_part(run, planes, train, test, test, 100 + number, parameters=own)
                for number, (train, test) in enumerate(parts)
            ]
        )
        if seed != p.seed:
            fits = [fit_fold(run, planes, one, parameters=own) for one in folds]
            fair.append(answers(planes, fits))
    rows = np.concatenate([test for _, test in parts])
    part = table.iloc[rows]
    return Leak(
        leaking[0],
        part["group"].to_numpy(),
        part["ga_days"].to_numpy(float),
        np.stack([np.concatenate([one.pred_days for one in fits]) for fits in leaking], axis=1),
        np.stack([one["pred_days"].loc[rows].to_numpy() for one in fair], axis=1),
        float(np.concatenate(known).mean()),
        p.backbone,
    )


def leak_rows(leak: Leak, seed: int = 0) -> list[dict]:
    """Return MAE and R² of the same samples by both protocols, with intervals over fetuses.

    Of several trainings they are means, and trainings are drawn, too.
    """
    rows = []
    for model, pred in leak.answers().items():
        told = np.column_stack([leak.ga_days, pred])
        for metric, measure in (("mae_days", mae), ("r2", r2)):
            score = partial(over_trainings, measure)
            value, ci95 = score_trainings(score, told, leak.subject, seed)
            if np.isfinite(value):
                label = {"model": model, "split": "protocol", "metric": metric, "n": len(told)}
                rows.append(label | {"value": value, "ci95": ci95})
    return rows


def leak_table(rows: list[dict]) -> pd.DataFrame:
    """Return the rows of :func:`leak_rows` as a table: a row a protocol, with intervals."""
    table = []
    for model, words in ROWS:
        mean, fit = (r for r in rows if r["model"].endswith(model))
        low, high = mean["ci95"] or (np.nan, np.nan)
        row = {"protocol": words, "samples": mean["n"], "MAE (d)": mean["value"]}
        table.append(row | {"from": low, "to": high, "R²": fit["value"]})
    return pd.DataFrame(table)


def inflation(leak: Leak, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Return by how many days the source's protocol flatters, with a 95 % interval over fetuses.

    It is the mean difference of the two absolute errors of each sample; positive flatters. Of
    several trainings it is the mean, and the interval holds their luck.

    Examples
    --------
    >>> two = np.array(["a", "b"])
    >>> leak = Leak([], two, np.zeros(2), np.array([1.0, 2.0]), np.array([4.0, -5.0]), 1.0)
    >>> inflation(leak)
    (3.0, (3.0, 3.0))
    """
    both = [np.abs(pred - leak.ga_days[:, None]) for pred in leak.answers().values()]
    gain = np.column_stack([leak.ga_days, both[1] - both[0]])
    mean = partial(over_trainings, lambda _, values: float(values.mean()))
    drawn = mean(np.random.default_rng(seed))
    return mean()(gain), bootstrap_ci(gain, drawn, leak.subject, seed=seed)


def add_inflation(run: Run, leak: Leak) -> None:
    """Add to the run what the source's protocol does to the MAE, with its interval over fetuses."""
    gain, (low, high) = inflation(leak, run.parameters.seed)
    n, facts = len(np.unique(leak.subject)), {"trainings": leak.n_trainings}
    facts |= {"epochs": run.parameters.epochs, "exposed": leak.shared}
    run.add_difference(*leak.answers(), "mae_days", -gain, (-high, -low), n, **facts)


def inflation_text(leak: Leak, n_folds: int, seed: int = 0) -> str:
    """Return, in Markdown, by how much the source's protocol flatters, and on how many folds."""
    gain, (low, high) = inflation(leak, seed)
    trained = "all" if len(leak.fits) == n_folds else f"{len(leak.fits)} of {n_folds}"
    side = "smaller" if gain >= 0 else "larger"
    text = (
        f"The source's protocol was run on {trained} folds. Of its held-out samples, "
        f"**{leak.shared:.0%}** belong to a fetus that was trained on. On these samples its mean "
        f"absolute error is **{abs(gain):.2f} days {side}** than that of nested folds; the "
        f"difference, positive where it flatters, has a 95 % interval over fetuses of {low:+.2f} "
        f"to {high:+.2f}."
    )
    if low <= 0 <= high:
        text += " The interval holds 0: this run does not show that it flatters."
    if leak.n_trainings > 1:
        return text + f" It knows the luck of the fetuses and that of {leak.n_trainings} trainings."
    return text + " It knows the luck of the fetuses, not that of a training."
