"""What the brain-age gap is for: people with and without dementia, of the same age and sex.

The gap of a person is the predicted age minus the true one; the correction for regression to the
mean stretches the *prediction* by a line of other people's, so that no one's own age enters it.
Each person with a rating is judged by the very model, of an outer fold, that judged the healthy
partner.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.judge import FoldJudge
from fetal_book.chapters.brain_age.scores import correct_without_age
from fetal_book.chapters.brain_age.tissues import Tissues, segment_all
from fetal_book.runs.folder import data_name
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction
from fetal_lib.data.layouts.adult_mri import read_cases
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.metrics.roc import Band, auc, roc_band

APART_YEARS = 5.0
"""How far two partners' ages may lie apart."""
SCORES = {
    "gap": "gap, as predicted",
    "gap_corrected": "gap, corrected without the age",
    "nwbv": "nWBV, sign turned",
}


@dataclass(frozen=True)
class Comparison:
    """Hold people with a rating and their healthy partners.

    The table has a row a person: ``pair, age_years, sex, cdr, mmse`` and a column for each of
    `SCORES`, higher for the impaired. `left_out` counts those with a rating who failed the check,
    `alone` those without a partner.
    """

    table: pd.DataFrame
    left_out: int
    alone: int

    @property
    def impaired(self) -> np.ndarray:
        """Who has a rating above 0, bool (N,)."""
        return self.table["cdr"].to_numpy() > 0


def rating(extra: dict, name: str) -> float:
    """Return a number of a person's row in the data set's table, NaN where there is none.

    >>> rating({"CDR": "0.5"}, "cdr"), rating({}, "mmse")
    (0.5, nan)
    """
    found = {key.casefold(): value for key, value in extra.items()}
    return float(pd.to_numeric(found.get(name, ""), errors="coerce"))


def partners(age: np.ndarray, sex: np.ndarray, own_age: np.ndarray, own_sex: np.ndarray) -> tuple:
    """Pair people with others of the same sex whose ages lie nearest; nobody is taken twice.

    Returns the rows of the first and of the second group, in pairs.

    >>> first, second = partners(
    ...     np.array([70.0, 80]), np.array(["F", "M"]), np.array([81.0, 72]), np.array(["M", "F"])
    ... )
    >>> first.tolist(), second.tolist()
    ([0, 1], [1, 0])
    """
    from scipy.optimize import linear_sum_assignment

    apart = np.abs(age[:, None] - own_age[None])
    apart[(sex[:, None] != own_sex[None]) | (apart > APART_YEARS)] = 1e3
    first, second = linear_sum_assignment(apart)
    kept = apart[first, second] <= APART_YEARS
    return first[kept], second[kept]


def compare_groups(
    run: Run, healthy: pd.DataFrame, tissues: Tissues, parts: Parts, judged: NestedPrediction
) -> Comparison:
    """Judge the people of the external data set, and pair them with healthy ones who were tested.

    Parameters
    ----------
    healthy : rows of the run's subjects.
    judged : nested prediction of their ages by the model that is saved.
    """
    folder = Path(run.parameters.external_data)
    people = read_cases(folder).rows
    people["cdr"] = [rating(extra, "cdr") for extra in people["extra"]]
    people["mmse"] = [rating(extra, "mmse") for extra in people["extra"]]
    people = people[people["cdr"] > 0].reset_index(drop=True)
    made = segment_all(run, people, {"data": data_name(str(folder)), "n": len(people)})
    good = (made.table["reasons"] == "").to_numpy()
    people, made = people[good].reset_index(drop=True), made.select(good)
    tested = np.flatnonzero(parts.tested)
    well = healthy.iloc[tested]
    columns = ("age_years", "sex")
    first, second = partners(*(t[c].to_numpy() for t in (people, well) for c in columns))
    rows = []
    judge = FoldJudge(healthy, tissues, parts, judged, run.parameters.seed)
    for number, (i, h) in enumerate(zip(first, tested[second], strict=True)):
        fold = int(parts.fold[h])
        predicted = judge.predict(made.maps[i], fold)
        rows.append(_row(number, people.iloc[i], predicted, judge.bias(fold)))
        rows.append(_row(number, healthy.iloc[h], float(judged.outer[h]), judge.bias(fold)))
    return Comparison(pd.DataFrame(rows), int((~good).sum()), len(people) - len(first))


def _row(pair: int, person: pd.Series, predicted: float, bias: tuple[float, float]) -> dict:
    corrected = float(correct_without_age(np.array([predicted]), bias)[0])
    row = {"pair": pair, "age_years": person["age_years"], "sex": person["sex"]}
    row |= {"cdr": person.get("cdr", 0.0), "mmse": person.get("mmse", np.nan)}
    row |= {"gap": predicted - person["age_years"], "nwbv": -person["nwbv"]}
    return row | {"gap_corrected": corrected - person["age_years"]}


def group_table(run: Run, found: Comparison) -> tuple[pd.DataFrame, dict[str, Band]]:
    """Return how each score parts the groups, and its ROC curve; the areas go to the results."""
    rows, bands, table = [], {}, found.table
    pairs, seed = table["pair"].to_numpy(), run.parameters.seed
    impaired = found.impaired
    for name, title in SCORES.items():
        score = table[name].to_numpy(float)
        band = roc_band(impaired, score, n_resamples=1000, seed=seed)
        bands[title] = band
        run.add_result(
            model=f"impaired_{name}",
            data=data_name(str(run.parameters.external_data)),
            split="external",
            metric="auc_macro",
            value=band.auc,
            n=len(score),
            ci95=band.auc_ci95,
        )
        means = [f"{score[impaired == group].mean():.2f}" for group in (True, False)]
        row = {"score": title, "AUC": with_interval(band.auc, band.auc_ci95, 2), "n": len(score)}
        row |= {"mean, impaired": means[0], "mean, healthy": means[1]}
        row["rank correlation with CDR"] = _rank(score, table["cdr"], pairs, seed)
        some = impaired & np.isfinite(table["mmse"].to_numpy(float))
        row["with MMSE"] = _rank(score[some], table["mmse"][some], pairs[some], seed)
        rows.append(row)
    return pd.DataFrame(rows), bands


def _rank(score: np.ndarray, other: pd.Series, groups: np.ndarray, seed: int) -> str:
    """Return Spearman's correlation with its 95 % interval over pairs, as text."""
    from scipy.stats import rankdata

    def rank_correlation(values: np.ndarray) -> float:
        a, b = rankdata(values[:, 0]), rankdata(values[:, 1])
        return float(np.corrcoef(a, b)[0, 1])

    values = np.column_stack([score, np.asarray(other, float)])
    interval = bootstrap_ci(values, rank_correlation, groups, 1000, seed=seed)
    return with_interval(rank_correlation(values), interval, 2)


def group_text(found: Comparison, seed: int) -> str:
    """Return who was compared, and how the corrected gap does beside nWBV, in Markdown."""
    table, columns = found.table, ["gap_corrected", "nwbv"]
    values = np.column_stack([found.impaired, table[columns]]).astype(float)

    def lead(rows: np.ndarray) -> float:
        return auc(rows[:, 0] > 0, rows[:, 1]) - auc(rows[:, 0] > 0, rows[:, 2])

    low, high = bootstrap_ci(values, lead, table["pair"].to_numpy(), 1000, seed=seed)
    n = int(found.impaired.sum())
    return (
        f"{n} people with a rating above 0 have a healthy partner; {found.alone} have none within "
        f"{APART_YEARS:g} years, and {found.left_out} scans failed the check. The corrected gap's "
        f"area is **{lead(values):+.2f}** beside that of nWBV (95 % interval over pairs "
        f"{low:+.2f} to {high:+.2f}{', which holds 0' if low <= 0 <= high else ''})."
    )
