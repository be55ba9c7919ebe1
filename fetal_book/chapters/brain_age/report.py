"""Tables and result rows of chapter 05."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fetal_book.chapters.age_scores import age_rows
from fetal_book.chapters.brain_age.data import Parts
from fetal_book.chapters.brain_age.lessons import Truth
from fetal_book.chapters.brain_age.scores import (
    correct_with_age,
    correct_without_age,
    fit_age_bias,
    gap_rows,
)
from fetal_book.chapters.brain_age.segmenter import Segmented
from fetal_book.chapters.case_scores import interval_of
from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.runs.session import Run
from fetal_lib.baselines.age_regression import NestedPrediction, conformal_half_widths
from fetal_lib.metrics.intervals import (
    bootstrap_ci,
    conformal_quantile,
    empirical_coverage,
    with_interval,
)

ROUNDING = 1e-9  # years
TISSUES = ("csf", "gray", "white")

# What the table of reference runs shows: baselines, each approach, the ensemble, the saved model.
REFERENCE_MODELS = (*CHAPTERS["05_brain_age"].baselines, *CHAPTERS["05_brain_age"].models)


KINDS = {
    "its centre is": "the scan is off centre",
    "are empty where": "a piece of the brain is empty",
    "it correlates by": "the scan is unlike the template",
}
"""Clauses of the check of scans, and what they say in a table that counts them."""


def flow_table(reasons: Sequence[str], notes: Sequence[str], parts: Parts) -> pd.DataFrame:
    """Return who was in and who was out, and why: scans and subjects at each step.

    Parameters
    ----------
    reasons : why each scan that was read failed the check; empty for those that did not.
    notes : those of the data set's table without an age or a scan.
    parts : of the scans that are used.
    """
    kinds = [_kind_of(text) for text in reasons if text]
    tested, teaches = parts.person[parts.tested], parts.person[parts.teaches]
    rows = [("in the data set's table", len(reasons) + len(notes), "")]
    rows.append(("left out: no age or no scan", len(notes), ""))
    rows += [(f"left out: {kind}", kinds.count(kind), "") for kind in dict.fromkeys(kinds)]
    everyone = len(parts.person), len(np.unique(parts.person))
    rows.append(("used", *everyone))
    rows.append(("of these, teach segmentation", len(teaches), len(np.unique(teaches))))
    rows.append(("of these, tested in one outer fold", len(tested), len(np.unique(tested))))
    return pd.DataFrame(rows, columns=["step", "images", "subjects"]).astype(str)


def _kind_of(reason: str) -> str:
    """Return a reason in few words without its measures, so that alike ones are counted together.

    Examples
    --------
    >>> _kind_of("9.1 mL in one piece are empty where the template has brain; it correlates by 0.4")
    'a piece of the brain is empty and the scan is unlike the template'
    """
    told = [words for clause, words in KINDS.items() if clause in reason]
    return " and ".join(told) or re.sub(r" \([^()]*\)", "", re.sub(r"-?\d+(\.\d+)?", "…", reason))


def _add_dice(
    run: Run, model: str, split: str, values: np.ndarray, groups: np.ndarray, data: str | None
) -> tuple[float, float]:
    """Add the mean of Dice values (N,) to the run; return its 95 % interval, NaN where none is."""
    ci95 = interval_of(values, groups, run.parameters.seed)
    known = {"model": model, "split": split, "metric": "dice", "data": data}
    run.add_result(**known, value=values.mean(), n=len(values), ci95=ci95)
    return ci95 or (np.nan, np.nan)


def add_reference_dice(run: Run, truth: Truth) -> pd.DataFrame:
    """Add the Dice of the mixture on the phantoms that teach; nothing was learnt from them yet."""
    rows = []
    for tissue in TISSUES:
        values = truth.tissues.table[f"dice_{tissue}"].to_numpy(float)
        low, high = _add_dice(
            run, f"mixture_{tissue}", "external", values, np.arange(len(values)), "phantom"
        )
        row = {"tissue": tissue, "phantoms": len(values), "Dice": values.mean()}
        rows.append(row | {"95 % low": low, "95 % high": high, "lowest": values.min()})
    return pd.DataFrame(rows)


def add_ages(
    run: Run,
    age_years: np.ndarray,
    parts: Parts,
    model: str,
    pred: np.ndarray,
    among: np.ndarray | None = None,
) -> None:
    """Add a model's result rows on the tested subjects, or on some of them, to the run."""
    kept = parts.tested if among is None else among
    answers = age_years[kept], pred[kept], "years", model, "test"
    rows = age_rows(*answers, parts.person[kept], run.parameters.seed)
    for row in rows:
        run.add_result(**row)


def add_dice(run: Run, table: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """Add the Dice that `apply_segmenters` found on scans not learnt from; return it as a table."""
    held_out = table[parts.tested[table["row"].to_numpy()]]
    rows = []
    for (network, against), group in held_out.groupby(["network", "against"], sort=False):
        row = {"network": network, "against": against, "n": len(group)}
        for tissue in TISSUES:
            values = group[tissue].to_numpy()
            label = f"{network}_{tissue}" + ("" if against == "truth" else "_reference")
            persons = parts.person[group["row"].to_numpy()]
            low, high = _add_dice(run, label, "test", values, persons, None)
            row[tissue] = f"{values.mean():.3f} ± {values.std():.3f} ({low:.3f} to {high:.3f})"
        rows.append(row)
    return pd.DataFrame(rows)


def dice_groups(segmented: Segmented, fold: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Return Dice by network and kind of labels on held-out scans, for box plots."""
    table = segmented.dice
    table = table[fold[table["row"].to_numpy()] >= 0]
    names = {"res_unet_truth": "taught by truth", "res_unet_reference": "taught by reference"}
    groups = {}
    for (network, against), group in table.groupby(["network", "against"], sort=False):
        title = f"{names.get(network, network)},\nscored on {against}"
        groups[title] = {tissue: group[tissue].to_numpy() for tissue in TISSUES}
    return groups


def gap_variants(
    age_years: np.ndarray, prediction: NestedPrediction, parts: Parts
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return predictions as they are, corrected without and with the true age; and their gaps.

    The bias is fitted in each fold on inner predictions, never on those that are tested.
    """
    without, withage = (np.full(len(age_years), np.nan) for _ in range(2))
    for k, fold in enumerate(parts.folds):
        guess = prediction.inner[k]
        known = np.isfinite(guess)
        bias = fit_age_bias(age_years[known], guess[known])
        rows = fold.test
        without[rows] = correct_without_age(prediction.outer[rows], bias)
        withage[rows] = correct_with_age(prediction.outer[rows], age_years[rows], bias)
    kept = parts.tested
    variants = {
        "as predicted": prediction.outer[kept],
        "corrected without the age": without[kept],
        "corrected with the true age": withage[kept],
    }
    return variants, gap_rows(age_years[kept], variants)


def correct_mean(age_years: np.ndarray, parts: Parts) -> np.ndarray:
    """Return the mean predictor on tested subjects after the correction with the true age.

    Its slope is 0, so all that is left of the "prediction" is the true age.
    """
    pred = np.full(len(age_years), np.nan)
    for fold in parts.folds:
        mean = age_years[fold.train].mean()
        pred[fold.test] = correct_with_age(
            np.full(len(fold.test), mean), age_years[fold.test], (0.0, mean)
        )
    return pred[parts.tested]


def gap_table(age_years: np.ndarray, gaps: pd.DataFrame, parts: Parts) -> pd.DataFrame:
    """Return the gaps of `gap_variants`, and that of the mean predictor after the correction.

    The gap of the mean predictor is rounding error, whose correlation with age means nothing.
    """
    fake = {"mean, corrected with the true age": correct_mean(age_years, parts)}
    row = gap_rows(age_years[parts.tested], fake)
    row.loc[row["SD of gap (y)"] < ROUNDING, "correlation of gap and age"] = np.nan
    return pd.concat([gaps, row], ignore_index=True)


def paired_text(
    run: Run,
    age_years: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    against: str,
    groups: np.ndarray | None = None,
) -> str:
    """Return, in Markdown, how much more or less models err than one of them on subjects (N,)."""
    own = np.abs(predictions[against] - age_years)
    lines = []
    for name, pred in predictions.items():
        more = np.abs(pred - age_years) - own
        low, high = bootstrap_ci(more, groups=groups, seed=run.parameters.seed)
        if name != against:
            lines.append(
                f"- `{name}` errs by **{abs(more.mean()):.2f} years "
                f"{'more' if more.mean() >= 0 else 'less'}** (95 % interval of the difference "
                f"{low:+.2f} to {high:+.2f}{', which holds 0' if low <= 0 <= high else ''})"
            )
    first = f"Beside `{against}` ({own.mean():.2f} years), on the same subjects:"
    return "\n".join([first, "", *lines])


def saved_text(run: Run, model: str) -> str:
    """Return MAE and coverage of a model on the outer folds, with intervals, in Markdown."""
    rows = {row["metric"]: row for row in run.rows if row["model"] == model}
    mae_row, held = rows["mae_years"], rows["coverage"]
    return (
        f"MAE on the outer folds: **{with_interval(mae_row['value'], mae_row['ci95'], 2)} years**, "
        f"{mae_row['n']} scans. Its interval, taken from inner folds, held "
        f"{with_interval(held['value'], held['ci95'], 3)} of the true ages for "
        f"{run.parameters.coverage:.0%} promised. In brackets: 95 % intervals over subjects."
    )


def turned(table: pd.DataFrame, key: str, name: str) -> pd.DataFrame:
    """Return a table whose rows are columns: a few rows under many or long titles are too wide.

    The values of the column `key` become the titles; `name` is that of the old ones' column.

    Examples
    --------
    >>> import pandas as pd
    >>> turned(pd.DataFrame({"fold": [1, 2], "maps": [0.5, 1.0]}), "fold", "model").values.tolist()
    [['maps', 0.5, 1.0]]
    """
    return table.set_index(key).T.rename_axis(index=name, columns=None).reset_index()


def half_widths(
    age_years: np.ndarray, prediction: NestedPrediction, parts: Parts, coverage: float
) -> np.ndarray:
    """Return half-widths (N,) of the intervals, from the inner errors of each fold."""

    def width(errors: np.ndarray) -> float:
        half = conformal_quantile(errors, coverage)
        return half if np.isfinite(half) else float(errors.max())

    return conformal_half_widths(prediction, age_years, parts.folds, width)


def intervals(
    run: Run, age_years: np.ndarray, prediction: NestedPrediction, parts: Parts, model: str
) -> np.ndarray:
    """Return half-widths (N,) of the intervals, and add their coverage to the run.

    Where the inner part is too small for the coverage that is asked for, no width can promise
    it; the largest inner error stands in, and `promise_kept` says no.
    """
    p = run.parameters
    half = half_widths(age_years, prediction, parts, p.coverage)
    kept = parts.tested
    true, pred = age_years[kept], prediction.outer[kept]
    low, high = pred - half[kept], pred + half[kept]
    inside = (low <= true) & (true <= high)
    run.add_result(
        model=model,
        split="test",
        metric="coverage",
        value=empirical_coverage(true, low, high),
        n=int(kept.sum()),
        ci95=bootstrap_ci(inside, groups=parts.person[kept], seed=p.seed),
    )
    return half


def promise_kept(prediction: NestedPrediction, coverage: float) -> bool:
    """Say whether every fold has enough inner errors for a coverage."""
    sizes = [int(np.isfinite(inner).sum()) for inner in prediction.inner]
    return all(np.isfinite(conformal_quantile(np.arange(float(n)), coverage)) for n in sizes)
