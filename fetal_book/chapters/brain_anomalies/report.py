"""Tables, curves and the model card of chapter 02."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases, load_cases, pretty_label
from fetal_book.chapters.brain_anomalies.decide import Scored
from fetal_book.chapters.brain_anomalies.scores import class_table, summarise
from fetal_book.chapters.model_card import model_card
from fetal_book.runs.folder import data_name
from fetal_book.runs.session import Run
from fetal_lib.data.audit.cases import audit_cases
from fetal_lib.data.audit.report import AuditReport
from fetal_lib.metrics.calibration import Reliability, reliability, softmax
from fetal_lib.metrics.classification import bootstrap_confusions, confusion_matrix
from fetal_lib.metrics.intervals import bootstrap_ci, percentile_interval
from fetal_lib.metrics.roc import Band, Curve, one_hot, pr_curve, roc_band, roc_curve
from fetal_lib.metrics.selective import RiskCoverage, risk_coverage
from fetal_lib.models.anomaly_cnns import LABELS as NETWORK_NAMES

SHOWN = ("accuracy", "macro_f1", "precision", "recall", "auc_macro", "auc_micro", "ece")
BAND_DRAWS = 200
PRETTY = [pretty_label(name) for name in LABELS]
PREDICTORS = NETWORK_NAMES | {
    "xception_random": "Xception, random start",
    "commonest_class": "commonest class",
    "grey_histogram": "grey histogram",
    "border_only": "border only",
    "edges_logistic": "edges",
}
"""What predictors are called in figures."""


def data_words(cases: Cases, view: str) -> str:
    """Say how many images, patients and classes there are, and what was left out; one sentence."""
    names = f"{len(cases)} images, {len(set(cases.groups))} patients, "
    kinds = f"{len(np.unique(cases.labels))} of {len(LABELS)} classes"
    left = f"; {cases.n_left_out} more are of no known class and were left out"
    found = f"; the head was found in {cases.found.mean():.0%}" if view == "head" else ""
    return f"{names}{kinds}{left if cases.n_left_out else ''}{found}."


def audit(cases: Cases) -> AuditReport:
    """Look for leaks: copies across parts, torn patients, and clues that know the class."""
    table = cases.table[["image", "label", "subject", "part", "source"]].copy()
    clues = [c for c in ("pixel_size_mm", "ga_days") if c in cases.table]
    table[clues] = cases.table[clues]
    return audit_cases(
        table, iter(cases.images), label="label", group="subject", part="part",
        source="source", metadata=clues,
    )  # fmt: skip


def value_of(rows: Sequence[dict], model: str, metric: str, split: str = "test") -> float:
    """Return one number of the results; KeyError if the run has no such row."""
    for row in rows:
        if (row["model"], row["metric"], row["split"]) == (model, metric, split):
            return row["value"]
    raise KeyError(f"no result of {model}, {metric}, {split}")


def class_tables(scored: Mapping[str, Scored], test: Cases, seed: int) -> dict[str, pd.DataFrame]:
    """Return the scores of each class for each network, with names for people."""
    return {
        NETWORK_NAMES[name]: class_table(test.labels, s.test_probs, test.groups, PRETTY, seed)
        for name, s in scored.items()
    }


def confusion_of(scored: Scored, test: Cases) -> tuple[np.ndarray, list[str]]:
    """Return the confusion matrix of the classes that occur, and their names."""
    pred = scored.test_probs.argmax(1)
    kept = np.union1d(np.unique(test.labels), pred)
    table = confusion_matrix(test.labels, pred, len(LABELS))[np.ix_(kept, kept)]
    return table, [PRETTY[k] for k in kept]


def most_confused(scored: Scored, test: Cases, n: int = 5) -> pd.DataFrame:
    """Return the pairs of classes that are most often taken for each other."""
    table = confusion_matrix(test.labels, scored.test_probs.argmax(1), len(LABELS))
    np.fill_diagonal(table, 0)
    order = np.argsort(-table, axis=None, kind="stable")[:n]
    rows = [
        {"true": PRETTY[i], "predicted": PRETTY[k], "images": table[i, k]}
        for i, k in zip(*np.unravel_index(order, table.shape), strict=True)
        if table[i, k]
    ]
    return pd.DataFrame(rows, columns=["true", "predicted", "images"])


def roc_bands(scored: Scored, test: Cases, seed: int) -> dict[str, Band]:
    """Return the ROC curve of each class against the rest, with its band."""
    return {
        PRETTY[k]: roc_band(
            test.labels == k, scored.test_probs[:, k], test.groups, BAND_DRAWS, seed
        )
        for k in np.unique(test.labels)
        if 0 < (test.labels == k).sum() < len(test)
    }


def micro_curves(
    scored: Mapping[str, Scored], test: Cases, rows: Sequence[dict]
) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """Return micro-averaged ROC and precision-recall curves; labels carry the areas."""
    truth = one_hot(test.labels, len(LABELS)).ravel()
    rocs, precisions = {}, {}
    for name, s in scored.items():
        areas = [value_of(rows, name, f"auc_{kind}") for kind in ("macro", "micro")]
        label = f"{NETWORK_NAMES[name]}: macro {areas[0]:.3f}, micro {areas[1]:.3f}"
        rocs[label] = roc_curve(truth, s.test_probs.ravel())
        precisions[NETWORK_NAMES[name]] = pr_curve(truth, s.test_probs.ravel())
    return rocs, precisions


def reliabilities(scored: Scored, test: Cases) -> dict[str, Reliability]:
    """Return the bins of confidence of the test part, before and after temperature scaling."""
    bins = {}
    for word, t in (("before", 1.0), ("after", scored.model.spec.temperature)):
        probs = softmax(scored.test_logits, t)
        title = f"{word} scaling (T = {t:.2f})"
        bins[title] = reliability(probs.max(1), probs.argmax(1) == test.labels)
    return bins


def risk_curves(scored: Mapping[str, Scored], test: Cases) -> dict[str, RiskCoverage]:
    """Return accuracy over the share that is answered, for each network."""
    return {
        NETWORK_NAMES[name]: risk_coverage(
            s.test_probs.max(1), s.test_probs.argmax(1) == test.labels
        )
        for name, s in scored.items()
    }


def coverage_interval(inside: np.ndarray, test: Cases, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the share of sets that hold the true class, over patients."""
    if inside.all() or not inside.any():
        return bootstrap_ci(inside, groups=test.groups)
    draws = bootstrap_confusions(
        np.zeros(len(inside), int), 1 - inside.astype(int), 2, test.groups, seed=seed
    )
    return percentile_interval(draws[:, 0, 0] / draws.sum((1, 2)))


def score_external(run: Run, scored: Mapping[str, Scored], best: str) -> pd.DataFrame:
    """Score the networks on a set that had no part in their training; add the rows to the run.
    Returns the scores of each class by the best network.
    """
    p = run.parameters
    cases = load_cases(Path(p.external_data), p.image_size, p.view)
    name = data_name(p.external_data)
    for network, s in scored.items():
        probs = s.model.probs(cases.images)
        for row in summarise(cases.labels, probs, cases.groups, network, "external", p.seed):
            run.add_result(data=name, **row)
    probs = scored[best].model.probs(cases.images)
    return class_table(cases.labels, probs, cases.groups, PRETTY, p.seed)


def card_of(run: Run, scored: Scored, cases: Cases) -> str:
    """Return the model card: data, figures on the test part, limits; Markdown."""
    spec = scored.model.spec
    start = run.parameters.xception_weights if spec.network == "xception" else "none"
    n_train = int((cases.table["part"] == "train").sum())
    return model_card(
        run,
        spec.network,
        f"Fetal brain classes: {NETWORK_NAMES[spec.network]}",
        f"`{spec.trained_on}` ({n_train} images)",
        f", from the start `{start}` (`none`: random weights). Input: a grey ultrasound scan as "
        f"view `{spec.view}`, {spec.side} x {spec.side}, filter `{spec.denoise}`; output: "
        f"{len(spec.labels)} classes.",
        [
            f"Temperature {spec.temperature:.3f}. Sets promise a coverage of "
            f"{spec.set_coverage:.0%}. No answer below a confidence of {spec.abstain_below:.3g} or "
            f"above a feature distance of {spec.strange_above:.3g}. All set on the validation part."
        ],
        "Classes are those of one collection; other machines and populations were not tested.",
    )
