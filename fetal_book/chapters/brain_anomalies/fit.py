"""Build, search, train and cross-validate the networks of chapter 02."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_book.chapters.brain_anomalies.scores import summarise
from fetal_lib.data.splits.folds import k_folds
from fetal_lib.files.fingerprint import file_sha256
from fetal_lib.metrics.calibration import softmax
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.models.anomaly_cnns import NAMES, build_anomaly_cnn
from fetal_lib.models.cost import network_macs, weight_bytes
from fetal_lib.models.imagenet_xception import load_imagenet
from fetal_lib.models.measuring_xception import MEASURING, load_measuring
from fetal_lib.models.weights import load_weights
from fetal_lib.predict.brain_view import mirrored, ruler_rows
from fetal_lib.training.augment_image import ALIGNED, GENTLE
from fetal_lib.training.class_layer import fit_class_layer
from fetal_lib.training.denoise import denoise_all
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.hyper_search import best_trial, read_trials, search
from fetal_lib.training.keras_classification import Classification, ClassifierSettings
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_forward import forward
from fetal_lib.training.precision import precision_policy

if TYPE_CHECKING:
    import keras

    from fetal_book.parameters.brain_anomalies import BrainAnomaliesParameters
    from fetal_book.runs.session import Run
    from fetal_lib.training.reuse import FitOutcome

FIT_CODE = (
    "fetal_lib.models.anomaly_cnns",
    "fetal_lib.training.keras_classification",
    "fetal_lib.training.class_layer",
)
SEARCH_CODE = (*FIT_CODE, "fetal_lib.training.hyper_search")
HIDE_RULER = 0.15
"""Share of training images whose scale bar is hidden: scans without a pixel size exist."""
SPACE = {
    "learning_rate": ("log", 5e-4, 1e-2),
    "dropout": ("float", 0.0, 0.5),
    "label_smoothing": ("float", 0.0, 0.15),
    "balance": ("choice", ["none", "weights", "oversample"]),
}
"""What the search varies, for the separable CNN."""


def network_arguments(parameters: BrainAnomaliesParameters, choice: dict | None = None) -> dict:
    """Return what each network of this run is built from; a search may choose for one."""
    p = parameters
    separable = {"side": p.image_size, "width": p.separable_width}
    if choice and "dropout" in choice:
        separable["dropout"] = choice["dropout"]
    xception = {"side": p.image_size, "width": p.xception_width, "n_middle": p.xception_middle}
    cnn = {"side": p.image_size, "width": p.cnn_width}
    return {"cnn": cnn, "separable_cnn": separable, "xception": xception}


def new_network(
    name: str, arguments: dict, seed: int, policy: str = "float32", weights: str = "none"
) -> keras.Model:
    """Build a network to be trained, with the run's seed; Xception may start from weights."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build_anomaly_cnn(name, n_classes=len(LABELS), dtype=policy, **arguments)
    if name == "xception" and weights == "measures":
        load_measuring(model)
    elif name == "xception" and weights != "none":
        load_imagenet(model, weights)
    return model


def fit_settings(
    parameters: BrainAnomaliesParameters, name: str, aspect: float, choice: dict | None = None
) -> ClassifierSettings:
    """Turn the chapter's parameters into the settings of a network's fit."""
    p = parameters
    epochs, rate = p.epochs, p.learning_rate
    if name == "separable_cnn":
        epochs = p.separable_epochs
    elif name == "xception":
        epochs, rate = p.xception_epochs, p.xception_learning_rate
        if p.xception_weights != "none":
            epochs, rate = p.fine_tune_epochs, p.fine_tune_learning_rate
    head = p.view == "head"
    settings = ClassifierSettings(
        epochs=epochs,
        batch_size=p.batch_size,
        learning_rate=rate,
        ema=p.ema,
        schedule=p.schedule,
        balance=p.balance,
        label_smoothing=p.label_smoothing,
        augmentation=(ALIGNED if head else GENTLE) if p.augment else None,
        aspect=aspect,
        strip=ruler_rows(p.image_size) if head else 0,
        hide_strip=HIDE_RULER,
        seed=p.seed,
    )
    if name == "separable_cnn" and choice:
        settings = replace(settings, **{k: v for k, v in choice.items() if k != "dropout"})
    return settings


def layer_table(parameters: BrainAnomaliesParameters) -> pd.DataFrame:
    """Return parameters, multiply-accumulates and size of each network, published and here."""
    rows = []
    here = network_arguments(parameters)
    for name in NAMES:
        for setting, arguments in (("published", {}), ("this run", here[name])):
            model = build_anomaly_cnn(name, **({"n_classes": len(LABELS)} | arguments))
            row = {"network": name, "setting": setting, "input": model.input_shape[1]}
            row |= {"parameters": model.count_params(), "layers": len(model.layers)}
            row["million MAC"] = round(network_macs(model) / 1e6, 1)
            row["weights (MB)"] = round(weight_bytes(model) / 1e6, 1)
            rows.append(row)
    return pd.DataFrame(rows)


def fit_network(
    run: Run,
    name: str,
    train: Cases,
    val: Cases | None,
    arguments: dict,
    settings: ClassifierSettings,
    tag: str = "",
    weights: str = "",
) -> FitOutcome:
    """Train a network, go on with a fit that was killed, or reuse a finished one. The validation
    part is only watched; a tag tells fits of one network apart; Xception starts from weights, those
    of the run unless others are named.
    """
    p = run.parameters
    weights = weights or p.xception_weights
    policy = precision_policy(p.precision)
    images = denoise_all(train.images, p.denoise)
    watched = None if val is None else (denoise_all(val.images, p.denoise), val.labels)

    def fit(folder: Path) -> None:
        model = new_network(name, arguments, settings.seed, policy, weights)
        if name == "xception" and weights != "none":
            seen = np.concatenate(list(mirrored(images, settings.strip)))
            labels = np.tile(train.labels, len(seen) // len(images))
            fit_class_layer(model, seen, labels, weighted=settings.balance == "weights")
        task = Classification(images, train.labels, len(LABELS), settings, watched)
        fit_keras(folder, model, task, run.progress)

    spec = {"name": name, "arguments": arguments, "precision": policy, "tag": tag}
    if name == "xception":
        spec["weights"] = weights
        if weights == "measures":
            spec["start"] = file_sha256(MEASURING)
    split = {"test_fraction": p.test_fraction, "val_fraction": p.val_fraction}
    split |= {"denoise": p.denoise}
    return run.fit_or_reuse(spec, settings.as_spec() | split, FIT_CODE, fit)


def fitted_network(name: str, arguments: dict, folder: Path) -> keras.Model:
    """Load a finished fit, in 32 bits."""
    model = build_anomaly_cnn(name, n_classes=len(LABELS), **arguments)
    load_weights(model, folder / WEIGHTS)
    return model


def search_separable(run: Run, train: Cases, val: Cases) -> tuple[list[dict], dict]:
    """Search hyper-parameters of the separable CNN, judged on validation; return the trials and the
    choice of the best, which is empty when there was no search.
    """
    p = run.parameters
    if not p.search_trials:
        return [], {}

    def objective(given: dict) -> float:
        arguments = network_arguments(p, given)["separable_cnn"]
        settings = fit_settings(p, "separable_cnn", train.aspect, given)
        settings = replace(settings, epochs=p.search_epochs)
        return _score_once(arguments, settings, train, val, p.denoise)

    def fit(folder: Path) -> None:
        first = {"learning_rate": p.learning_rate, "dropout": 0.2}
        first |= {"label_smoothing": p.label_smoothing, "balance": p.balance}
        search(folder, objective, SPACE, p.search_trials, p.seed, first, run.progress)

    spec = {"name": "separable_cnn_search", "arguments": network_arguments(p)["separable_cnn"]}
    base = fit_settings(p, "separable_cnn", train.aspect).as_spec()
    given = base | {"epochs": p.search_epochs, "trials": p.search_trials, "space": repr(SPACE)}
    given |= {"test_fraction": p.test_fraction, "val_fraction": p.val_fraction}
    outcome = run.fit_or_reuse(spec, given | {"denoise": p.denoise}, SEARCH_CODE, fit)
    trials = read_trials(outcome.folder)
    return trials, best_trial(trials)


def trials_table(trials: list[dict]) -> pd.DataFrame:
    """Return a row a trial: its macro-F1 on validation and what it tried."""
    columns = ["trial", "macro_f1", *SPACE]
    rows = [{"trial": t["trial"], "macro_f1": t["value"]} | t["parameters"] for t in trials]
    return pd.DataFrame(rows, columns=columns)


def _score_once(
    arguments: dict, settings: ClassifierSettings, train: Cases, val: Cases, filter_name: str
) -> float:
    """Train in a folder that is thrown away; return macro-F1 of the validation part."""
    import tempfile

    model = new_network("separable_cnn", arguments, settings.seed)
    images = denoise_all(train.images, filter_name)
    task = Classification(images, train.labels, len(LABELS), settings)
    with tempfile.TemporaryDirectory() as folder:
        fit_keras(folder, model, task)
    logits = forward(model, denoise_all(val.images, filter_name))
    return macro_f1(confusion_matrix(val.labels, logits.argmax(1), len(LABELS)))


def cross_validate(run: Run, cases: Cases, choice: dict) -> pd.DataFrame:
    """Cross-validate the separable CNN over the patients of training and validation; a row a fold.

    The hyper-parameters are those of the search, whose validation patients are among the folds; the
    folds say how much the score scatters with the patients, the test part how good it is.
    """
    p = run.parameters
    rows: list[dict] = []
    if not p.cv_folds:
        return pd.DataFrame(rows)
    fold = k_folds(cases.groups, cases.table["label"].to_numpy(str), p.cv_folds, p.seed)
    arguments = network_arguments(p, choice)["separable_cnn"]
    settings = fit_settings(p, "separable_cnn", cases.aspect, choice)
    settings = replace(settings, epochs=p.cv_epochs)
    for k in range(p.cv_folds):
        train, held = cases.select(fold != k), cases.select(fold == k)
        tag = f"fold {k + 1} of {p.cv_folds}"
        outcome = fit_network(run, "separable_cnn", train, None, arguments, settings, tag)
        model = fitted_network("separable_cnn", arguments, outcome.folder)
        probs = softmax(forward(model, denoise_all(held.images, p.denoise)))
        found = summarise(held.labels, probs, held.groups, "separable_cnn", "val", p.seed)
        values = {row["metric"]: row["value"] for row in found}
        row = {"fold": k + 1, "patients": len(set(held.groups)), "images": len(held)}
        rows.append(row | {name: values[name] for name in ("macro_f1", "accuracy", "auc_macro")})
    return pd.DataFrame(rows)
