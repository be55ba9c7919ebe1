"""Search hyper-parameters of the networks of chapter 02, judged on the validation part."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.fit import (
    FIT_CODE,
    fit_settings,
    network_arguments,
    new_network,
)
from fetal_book.runs.session import Run
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.models.anomaly_cnns import NAMES
from fetal_lib.training.denoise import denoise_all
from fetal_lib.training.hyper_search import best_trial, read_trials, search
from fetal_lib.training.keras_classification import Classification, ClassifierSettings
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_forward import forward

CODE = (*FIT_CODE, "fetal_lib.training.hyper_search")
SPACE = {
    "learning_rate": ("log", 5e-4, 1e-2),
    "label_smoothing": ("float", 0.0, 0.15),
    "balance": ("choice", ["none", "weights", "oversample"]),
}
DROPOUT = {"dropout": ("float", 0.0, 0.5)}
"""Of the two networks that have it."""


def search_networks(run: Run, train: Cases, val: Cases) -> dict[str, list[dict]]:
    """Return the trials of each network of ``search_networks``; empty when none were asked for.
    Xception is searched for from random weights.
    """
    p = run.parameters
    names = NAMES if p.search_networks == "all" else ("separable_cnn",)
    return {name: _search(run, name, train, val) for name in names if p.search_trials}


def choices_of(trials: dict[str, list[dict]]) -> dict[str, dict]:
    """Return the hyper-parameters of each network's best trial."""
    return {name: best_trial(rows) for name, rows in trials.items()}


def _search(run: Run, name: str, train: Cases, val: Cases) -> list[dict]:
    p = run.parameters.model_copy(update={"xception_weights": "none"})
    space = SPACE if name == "xception" else SPACE | DROPOUT
    base = fit_settings(p, name, train.aspect)
    base = replace(base, epochs=p.search_epochs)

    def objective(given: dict) -> float:
        arguments = network_arguments(p, {name: given})[name]
        settings = replace(fit_settings(p, name, train.aspect, given), epochs=p.search_epochs)
        return _score_once(name, arguments, settings, train, val, p.denoise)

    def fit(folder: Path) -> None:
        first = {key: getattr(base, key) for key in SPACE} | {"dropout": 0.2}
        first = {key: first[key] for key in space}
        search(folder, objective, space, p.search_trials, p.seed, first, run.progress)

    spec = {"name": f"{name}_search", "arguments": network_arguments(p)[name]}
    given = base.as_spec() | {"trials": p.search_trials, "space": repr(space)}
    given |= {"test_fraction": p.test_fraction, "val_fraction": p.val_fraction}
    outcome = run.fit_or_reuse(spec, given | {"denoise": p.denoise}, CODE, fit)
    return read_trials(outcome.folder)


def _score_once(
    name: str,
    arguments: dict,
    settings: ClassifierSettings,
    train: Cases,
    val: Cases,
    filter_name: str,
) -> float:
    """Train in a folder that is thrown away; return macro-F1 of the validation part."""
    model = new_network(name, arguments, settings.seed)
    images = denoise_all(train.images, filter_name)
    task = Classification(images, train.labels, len(LABELS), settings)
    with tempfile.TemporaryDirectory() as folder:
        fit_keras(folder, model, task)
    logits = forward(model, denoise_all(val.images, filter_name))
    return macro_f1(confusion_matrix(val.labels, logits.argmax(1), len(LABELS)))


def trials_table(trials: dict[str, list[dict]]) -> pd.DataFrame:
    """Return a row a trial: network, macro-F1 on validation, and what it tried."""
    rows = [
        {"network": name, "trial": t["trial"], "macro_f1": t["value"]} | t["parameters"]
        for name, tried in trials.items()
        for t in tried
    ]
    return pd.DataFrame(rows, columns=["network", "trial", "macro_f1", *SPACE, *DROPOUT])


def search_table(trials: dict[str, list[dict]]) -> pd.DataFrame:
    """Return a row a network: its first trial, which is the default, beside its best one."""
    table = trials_table(trials)
    best = table.loc[table.groupby("network", sort=False)["macro_f1"].idxmax()]
    first = table[table["trial"] == 1].set_index("network")["macro_f1"]
    best = best.rename(columns={"trial": "best trial", "macro_f1": "its macro-F1"})
    best.insert(1, "trials", table.groupby("network")["trial"].max()[best["network"]].to_numpy())
    best.insert(2, "macro-F1, default", first[best["network"]].to_numpy())
    return best.reset_index(drop=True)
