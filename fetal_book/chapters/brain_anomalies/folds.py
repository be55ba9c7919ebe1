"""Cross-validate the separable CNN over patients, also with each filter against noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.fit import (
    fit_network,
    fit_settings,
    fitted_network,
    network_arguments,
)
from fetal_book.chapters.brain_anomalies.scores import confusions, summarise
from fetal_book.runs.session import Run
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import macro_f1
from fetal_lib.metrics.intervals import percentile_interval, with_interval
from fetal_lib.training.denoise import FILTERS, denoise_all
from fetal_lib.training.denoise import LABELS as FILTER_LABELS
from fetal_lib.training.keras_forward import forward

NETWORK = "separable_cnn"


def cross_validate(
    run: Run, cases: Cases, choice: dict | None, filter_name: str = ""
) -> np.ndarray:
    """Return the probabilities (N, K) of cases, each by the fold that held its patient back.

    The hyper-parameters are those of the search, whose validation patients are among the folds.
    """
    p = run.parameters
    filter_name = filter_name or p.denoise
    arguments = network_arguments(p, {NETWORK: choice or {}})[NETWORK]
    settings = fit_settings(p, NETWORK, cases.aspect, choice)
    settings = replace(settings, epochs=p.cv_epochs)
    probs = np.zeros((len(cases), len(LABELS)))
    fold = fold_of(run, cases)
    for k in range(p.cv_folds):
        train, held = cases.select(fold != k), fold == k
        tag = f"fold {k + 1} of {p.cv_folds}"
        given = (run, NETWORK, train, None, arguments, settings, tag)
        network = fitted_network(
            NETWORK, arguments, fit_network(*given, filter_name=filter_name).folder
        )
        probs[held] = softmax(forward(network, denoise_all(cases.images[held], filter_name)))
    return probs


def fold_of(run: Run, cases: Cases) -> np.ndarray:
    """Return the fold of each case, whole patients in one."""
    p = run.parameters
    return k_folds(cases.groups, cases.table["label"].to_numpy(str), p.cv_folds, p.seed)


def folds_table(run: Run, cases: Cases, probs: np.ndarray) -> pd.DataFrame:
    """Return a row a fold: how much scores scatter with the patients."""
    rows, fold = [], fold_of(run, cases)
    for k in range(run.parameters.cv_folds):
        held = fold == k
        given = (cases.labels[held], probs[held], cases.groups[held])
        values = {row["metric"]: row["value"] for row in summarise(*given, NETWORK, "val")}
        row = {"fold": k + 1, "patients": len(set(cases.groups[held])), "images": int(held.sum())}
        rows.append(row | {name: values[name] for name in ("macro_f1", "accuracy", "auc_macro")})
    return pd.DataFrame(rows)


def trained_filters(run: Run, cases: Cases, choice: dict | None) -> pd.DataFrame:
    """Train the network of the folds with each filter; return a row a filter, with what it changes
    by paired draws of patients. The fits without a filter are those of :func:`cross_validate`.
    """
    rows, plain = [], None
    for name in FILTERS:
        pred = cross_validate(run, cases, choice, name).argmax(1)
        table, draws = confusions(cases.labels, pred, cases.groups, len(LABELS), 0)
        value, drawn = macro_f1(table), macro_f1(draws)
        plain = (value, drawn) if plain is None else plain
        row = {"trained and tested with": FILTER_LABELS[name], "images": len(cases)}
        row |= {"patients": len(set(cases.groups))}
        row["macro-F1"] = with_interval(value, percentile_interval(drawn))
        less = with_interval(value - plain[0], percentile_interval(drawn - plain[1]))
        rows.append(row | {"more than without": "" if name == "none" else less})
    return pd.DataFrame(rows)
