"""Build, train, calibrate and describe the U-Net of chapter 04."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.head_circumference.scores import measure_heads, score_ellipses
from fetal_book.chapters.model_card import model_card
from fetal_book.runs.folder import data_name
from fetal_lib.metrics.intervals import conformal_quantile
from fetal_lib.models.unet import get_unet
from fetal_lib.models.weights import load_weights
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.history import WEIGHTS
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_segmentation import Segmentation, SegmentationSettings
from fetal_lib.training.precision import precision_policy

if TYPE_CHECKING:
    import keras

    from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
    from fetal_book.runs.session import Run
    from fetal_lib.data.layouts.heads import HeadArrays
    from fetal_lib.training.reuse import FitOutcome

FIT_CODE = (
    "fetal_lib.models.unet",
    "fetal_lib.training.fused_batch_norm",
    "fetal_lib.training.keras_segmentation",
)
NOT_FOUND = 1e9
"""Relative error that stands for a head that was not found."""
VIEWS = {
    "none": ("none",),
    "left_right": ("none", "left_right"),
    "up_down": ("none", "up_down"),
    "all": ("none", "left_right", "up_down", "both"),
}


def layer_shapes(model: keras.Model) -> pd.DataFrame:
    """Return a row for each stretch of layers of one resolution: shape and parameters."""
    rows: list[dict] = []
    for layer in model.layers:
        _, height, width, channels = layer.output.shape
        if not rows or rows[-1]["height x width"] != f"{height} x {width}":
            rows.append({"height x width": f"{height} x {width}", "parameters": 0, "layers": 0})
        rows[-1]["channels out"] = channels
        rows[-1]["parameters"] += layer.count_params()
        rows[-1]["layers"] += 1
    return pd.DataFrame(rows)[["height x width", "channels out", "layers", "parameters"]]


def fit_settings(
    parameters: HeadCircumferenceParameters, arrays: HeadArrays
) -> SegmentationSettings:
    """Turn the chapter's parameters into the settings of a fit."""
    p = parameters
    height, width = np.median(arrays.sizes_hw, axis=0)
    return SegmentationSettings(
        epochs=p.epochs,
        half_size_epochs=p.half_size_epochs,
        batch_size=p.batch_size,
        learning_rate=p.learning_rate,
        loss=p.loss,
        ema=p.ema,
        schedule=p.schedule,
        augmentation=Augmentation() if p.augment else None,
        aspect=float(width / height),
        seed=p.seed,
    )


def new_unet(
    parameters: HeadCircumferenceParameters, dtype: str = "float32", side: int | None = -1
) -> keras.Model:
    """Build the untrained U-Net with the run's seed; side None takes any, -1 is the run's own."""
    import keras

    from fetal_lib.training.fused_batch_norm import fuse_batch_norms

    p = parameters
    keras.utils.set_random_seed(p.seed)
    side = p.image_size if side == -1 else side
    return fuse_batch_norms(get_unet(side, side, p.base_filters, p.dropout, dtype))


def fit_unet(
    run: Run, train: HeadArrays, val: HeadArrays, settings: SegmentationSettings
) -> FitOutcome:
    """Train the U-Net, go on with a killed fit, or reuse a finished one; watch validation."""
    p = run.parameters
    policy = precision_policy(p.precision)

    def fit(folder: Path) -> None:
        model = new_unet(p, policy, None if p.half_size_epochs else -1)
        task = Segmentation(train.images, train.masks, settings, (val.images, val.masks))
        fit_keras(folder, model, task, run.progress)

    spec = {"name": "unet", "image_size": p.image_size, "base_filters": p.base_filters}
    spec |= {"dropout": p.dropout, "precision": policy}
    # The split decides which images a fit sees, so it is part of what the fit rests on.
    split = {"test_fraction": p.test_fraction, "val_fraction": p.val_fraction}
    return run.fit_or_reuse(spec, settings.as_spec() | split, FIT_CODE, fit)


def calibrated_model(
    fit_folder: Path,
    parameters: HeadCircumferenceParameters,
    table: pd.DataFrame,
    arrays: HeadArrays,
) -> HeadModel:
    """Load a fit and set its interval on the validation part."""
    p = parameters
    network = new_unet(p)
    load_weights(network, fit_folder / WEIGHTS)
    spec = HeadModelSpec(
        height=p.image_size,
        width=p.image_size,
        n_filters=p.base_filters,
        dropout=p.dropout,
        flips=VIEWS[p.flips],
        interval_coverage=p.coverage,
        trained_on=data_name(p.data),
    )
    model = HeadModel(network, spec)
    _, measured = measure_heads(model, table, arrays)
    scores = score_ellipses(table, arrays, [m.ellipse for m in measured])
    half = relative_half_width(scores, p.coverage, p.seed)
    return HeadModel(network, replace(spec, relative_half_width=half))


def relative_half_width(scores: pd.DataFrame, coverage: float, seed: int) -> float:
    """Return the conformal quantile of the relative errors, of one drawn image an examination.

    The frames of one examination are not independent, as the quantile takes its cases to be. It is
    infinite where the examinations are too few for the coverage, or too many without a head.
    """
    drawn = scores.sample(frac=1, random_state=seed).drop_duplicates("examination")
    relative = (drawn["df_mm"].abs() / drawn["hc_pred_mm"]).fillna(NOT_FOUND)
    half = conformal_quantile(relative.to_numpy(), coverage)
    return float("inf") if half >= NOT_FOUND else half


def card_of(run: Run, model: HeadModel, declined: list[str]) -> str:
    """Return the model card: data, figures on the test part, limits; Markdown."""
    spec = model.spec
    licence = "CC BY 4.0 (HC18)" if "hc18" in spec.trained_on.lower() else "see the data"
    return model_card(
        run,
        "unet",
        "Head circumference U-Net",
        f"`{spec.trained_on}` (licence of the data: {licence})",
        f". Input: a grey ultrasound scan squashed to {spec.height} x {spec.width}; output: head "
        "probability.",
        [
            f"Test images that `predict hc` would decline: {len(declined)}.",
            f"Interval: {spec.relative_half_width:.2%} of HC either way, calibrated for "
            f"{spec.interval_coverage:.0%} coverage on heads like those of the training set.",
        ],
        "Standard planes only; other machines and populations were not tested.",
    )
