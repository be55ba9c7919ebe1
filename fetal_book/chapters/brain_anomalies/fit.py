"""Build and train the networks of chapter 02."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases
from fetal_lib.files.fingerprint import file_sha256
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
from fetal_lib.training.keras_classification import Classification, ClassifierSettings
from fetal_lib.training.keras_fit import fit_keras
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
HIDE_RULER = 0.15
"""Share of training images whose scale bar is hidden: scans without a pixel size exist."""


def network_arguments(
    parameters: BrainAnomaliesParameters, choices: Mapping[str, dict] | None = None
) -> dict[str, dict]:
    """Return what each network of this run is built from; a search may have chosen its dropout."""
    p = parameters
    arguments = {
        "cnn": {"side": p.image_size, "width": p.cnn_width},
        "separable_cnn": {"side": p.image_size, "width": p.separable_width},
        "xception": {
            "side": p.image_size, "width": p.xception_width, "n_middle": p.xception_middle,
        },
    }  # fmt: skip
    for name, choice in (choices or {}).items():
        arguments[name] |= {key: choice[key] for key in choice if key == "dropout"}
    return arguments


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
    """Turn the chapter's parameters, and what a search chose, into the settings of a fit. An
    Xception that starts from weights was not searched for.
    """
    p = parameters
    epochs, rate = p.epochs, p.learning_rate
    if name == "separable_cnn":
        epochs = p.separable_epochs
    elif name == "xception":
        epochs, rate = p.xception_epochs, p.xception_learning_rate
        if p.xception_weights != "none":
            epochs, rate, choice = p.fine_tune_epochs, p.fine_tune_learning_rate, None
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
    return replace(settings, **{k: v for k, v in (choice or {}).items() if k != "dropout"})


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
    filter_name: str = "",
) -> FitOutcome:
    """Train a network, go on with a fit that was killed, or reuse a finished one. The validation
    part is only watched; a tag tells fits of one network apart; Xception starts from weights and
    images go through a filter, those of the run unless others are named.
    """
    p = run.parameters
    weights, filter_name = weights or p.xception_weights, filter_name or p.denoise
    policy = precision_policy(p.precision)
    images = denoise_all(train.images, filter_name)
    watched = None if val is None else (denoise_all(val.images, filter_name), val.labels)

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
    split |= {"denoise": filter_name}
    return run.fit_or_reuse(spec, settings.as_spec() | split, FIT_CODE, fit)


def fitted_network(name: str, arguments: dict, folder: Path) -> keras.Model:
    """Load a finished fit, in 32 bits."""
    model = build_anomaly_cnn(name, n_classes=len(LABELS), **arguments)
    load_weights(model, folder / WEIGHTS)
    return model
