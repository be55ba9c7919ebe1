"""Tables of the candidates for few pictures: scores with intervals over cases, and the ceiling."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, pretty_label
from fetal_book.chapters.brain_anomalies.few import CHOSEN, Pictures, Trial
from fetal_book.chapters.brain_anomalies.scores import confusions
from fetal_book.runs.session import Run
from fetal_lib.metrics.classification import accuracy, macro_f1
from fetal_lib.metrics.intervals import percentile_interval, wilson_interval, with_interval
from fetal_lib.metrics.roc import roc_band

NORMAL = LABELS.index("normal")
SPECIFICITY = 0.95
PHANTOMS = ("Xception that learnt to measure phantoms", "the same Xception, random weights")


def candidates_table(run: Run, pictures: Pictures, trial: Trial) -> pd.DataFrame:
    """Return a row a candidate: means over repeats, with intervals over cases; add those of the
    chosen one to the run.
    """
    times, several = Counter(trial.chosen), pictures.several
    rows = []
    for words, probs in trial.probs.items():
        scores = {
            "accuracy": _mean(pictures, probs, accuracy),
            "macro-F1": _mean(pictures, probs, macro_f1),
            "macro-F1, classes of two cases or more": _mean(pictures, probs, macro_f1, several),
        }
        row = {"candidate": words}
        row |= {name: with_interval(value, _ci(draws)) for name, (value, draws) in scores.items()}
        share = times[words] / len(trial.chosen)
        rows.append(row | {"chosen": "" if words == CHOSEN else f"{share:.0%}"})
        if words == CHOSEN:
            for metric, name in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
                value, draws = scores[name]
                _add(run, "few_pictures", metric, value, draws, len(pictures.labels))
            value, draws = scores["macro-F1, classes of two cases or more"]
            n = int(several[pictures.labels].sum())
            _add(run, "few_pictures_several_cases", "macro_f1", value, draws, n)
    return pd.DataFrame(rows)


def _add(run: Run, model: str, metric: str, value: float, draws: np.ndarray, n: int) -> None:
    run.add_result(model=model, split="test", metric=metric, value=value, n=n, ci95=_ci(draws))


def _ci(draws: np.ndarray) -> tuple[float, float]:
    return percentile_interval(draws)


def _mean(
    pictures: Pictures, probs: np.ndarray, score: object, kinds: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Return a score and that of each draw of cases, means over repeats, over pictures of some
    classes.
    """
    kept = np.ones(len(pictures.labels), bool) if kinds is None else kinds[pictures.labels]
    found = [
        confusions(pictures.labels[kept], one[kept].argmax(1), pictures.cases[kept], len(LABELS), 0)
        for one in probs
    ]
    value = np.mean([score(table) for table, _ in found])
    return float(value), np.mean([score(draws) for _, draws in found], axis=0)


def few_words(pictures: Pictures, trial: Trial) -> str:
    """Say what phantoms give as pre-training, what was reached, and what could be."""
    (own, drawn), (none, drawn_none) = (
        _mean(pictures, trial.probs[words], macro_f1) for words in PHANTOMS
    )
    gain = with_interval(own - none, _ci(drawn - drawn_none))
    reached = with_interval(*_scored(pictures, trial, None))
    known = with_interval(*_scored(pictures, trial, pictures.several))
    n, n_several = len(LABELS), int(pictures.several.sum())
    twice = int((pictures.names.sum(1) > 1).sum())
    return (
        f"{len(pictures.labels)} distinct pictures of {len(set(pictures.cases))} cases. "
        f"Having learnt to measure phantoms gives Xception **{gain}** of macro-F1 over random "
        f"weights. The candidate that inner folds choose reaches **{reached}** over all {n} "
        f"classes and **{known}** over the {n_several} of two cases or more. The other "
        f"{n - n_several} rest on one case each, so that no classifier can have learnt them when "
        f"it meets that case: one that never errs in the {n_several} would reach "
        f"{n_several / n:.3f} over all {n}, and 0.45 there asks for {0.45 * n / n_several:.2f} in "
        f"the {n_several}. {twice} pictures stand in the set under more than one class."
    )


def _scored(
    pictures: Pictures, trial: Trial, kinds: np.ndarray | None
) -> tuple[float, tuple[float, float]]:
    value, draws = _mean(pictures, trial.probs[CHOSEN], macro_f1, kinds)
    return value, _ci(draws)


def within_source_table(pictures: Pictures, trial: Trial, seed: int = 0) -> pd.DataFrame:
    """Return a row an anomaly of two cases or more: the chosen candidate's recall, and, against the
    other anomalies alone, its area under the ROC curve and its sensitivity at a specificity of
    95 %. Normal pictures come from other machines, and are left out there.
    """
    probs = trial.probs[CHOSEN].mean(0)
    affected = pictures.labels != NORMAL
    rows = []
    for k in np.flatnonzero(pictures.several):
        of = pictures.labels == k
        n_cases = len(set(pictures.cases[of]))
        right = float((trial.probs[CHOSEN].argmax(2) == k)[:, of].mean())
        row = {"class": pretty_label(LABELS[k]), "pictures": int(of.sum()), "cases": n_cases}
        row["recall"] = with_interval(right, wilson_interval(right * n_cases, n_cases), 2)
        if k != NORMAL:
            score, cases = probs[affected, k], pictures.cases[affected]
            band = roc_band(of[affected], score, cases, seed=seed)
            cut = np.quantile(score[~of[affected]], SPECIFICITY)
            share = float((score[of[affected]] > cut).mean())
            row["AUC, among anomalies"] = with_interval(band.auc, band.auc_ci95, 2)
            ci95 = wilson_interval(share * n_cases, n_cases)
            row["sensitivity at 95 % specificity"] = with_interval(share, ci95, 2)
        rows.append(row)
    return pd.DataFrame(rows).fillna("")
