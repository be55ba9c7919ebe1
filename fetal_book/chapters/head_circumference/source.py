"""The two experiments of source 003, re-enacted on the chapter's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.case_scores import interval_of
from fetal_book.chapters.flaws import add_difference
from fetal_book.chapters.head_circumference.fit import FIT_CODE, new_unet
from fetal_book.chapters.head_circumference.scores import add_scores, size_scores
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.session import Run
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.metrics.regression import mae, r2, rmse
from fetal_lib.metrics.segmentation import dice
from fetal_lib.models.vgg16_features import build_vgg16, mask_features
from fetal_lib.models.weights import load_weights
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.training.history import WEIGHTS, read_history
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_segmentation import Segmentation, SegmentationSettings, half_size
from fetal_lib.training.precision import precision_policy
from fetal_lib.training.source_003 import (
    SourceSplit,
    background_accuracy,
    source_split,
    source_targets,
)

SOURCE_SEED = 42
SOURCE_CODE = (*FIT_CODE, "fetal_lib.training.source_003")
FROM_MASKS = {"RMSE (mm)": rmse, "MAE (mm)": mae, "R²": r2}
"""How a way from a mask to millimetres is scored."""
PIXEL_SIZE = ("vgg16_mask", "vgg16_mask_pixel_size")
"""Ways from a mask to millimetres without the pixel size and with it."""


@dataclass(frozen=True)
class SourceProtocol:
    """What the source's protocol gives; arrays are of its N validation samples.

    A mirror image belongs to the examination of its original. ``ring_dice`` is the mean Dice of
    the prediction, thresholded at one half, with all pixels that the resized ring touches.
    """

    split: SourceSplit
    history: list[dict]
    ring_dice: float
    examinations: np.ndarray
    accuracy: np.ndarray  # Keras' binary accuracy of the trained network
    empty_accuracy: np.ndarray  # and of a network that finds nothing


def reenact_source(
    run: Run,
    parameters: HeadCircumferenceParameters,
    arrays: HeadArrays,
    examinations: np.ndarray,
) -> SourceProtocol:
    """Train on unfilled outlines, mirrored before a random split of all images, as source 003."""
    p = parameters
    pictures = arrays.images, arrays.outlines
    if p.source_half_size:
        pictures = tuple(half_size(part) for part in pictures)
    split = source_split(*pictures, SOURCE_SEED)
    settings = SegmentationSettings(
        epochs=p.source_epochs,
        batch_size=min(32, max(2, len(split.train[0]) // 40)),
        learning_rate=1e-3,
        ema=0.0,
        schedule="constant",
        divisor=127.5,
        seed=p.seed,
    )

    policy = precision_policy(p.precision)
    side = split.train[0].shape[1]

    def fit(folder: Path) -> None:
        task = Segmentation(*split.train, settings, split.val)
        fit_keras(folder, new_unet(p, policy, side), task, run.progress)

    spec = {"name": "unet_source_protocol", "image_size": side}
    spec |= {"base_filters": p.base_filters, "dropout": p.dropout, "precision": policy}
    outcome = run.fit_or_reuse(spec, settings.as_spec(), SOURCE_CODE, fit)
    model = new_unet(p, side=side)
    load_weights(model, outcome.folder / WEIGHTS)
    images = split.val[0][..., None] / np.float32(settings.divisor)
    probs = model.predict(images, batch_size=16, verbose=0)[..., 0]
    pairs = zip(split.val[1] > 0, probs >= 0.5, strict=True)
    ring_dice = float(np.mean([dice(true, found) for true, found in pairs]))
    targets = source_targets(split.val[1])
    return SourceProtocol(
        split,
        read_history(outcome.folder),
        ring_dice,
        np.asarray(examinations)[split.val_of],
        pixel_accuracy(targets, probs),
        np.array([background_accuracy(target) for target in targets]),
    )


def pixel_accuracy(targets: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return Keras' binary accuracy of each image: pixels whose decision equals the target.

    Targets are as trained on: a decision, 0 or 1, never equals 2 or a grey between.

    Examples
    --------
    >>> pixel_accuracy(np.array([[[0.0, 0.0, 2.0, 0.7]]]), np.array([[[0.1, 0.9, 0.9, 0.9]]]))
    array([0.25])
    """
    return (targets == (probs > 0.5)).mean(axis=(1, 2))


def add_accuracies(run: Run, protocol: SourceProtocol) -> pd.DataFrame:
    """Add the protocol's accuracy, and that of finding nothing, and return both as text."""
    found = {"unet_source_protocol": protocol.accuracy, "empty_mask": protocol.empty_accuracy}
    table = pd.DataFrame(index=pd.Index(found, name="model"), columns=["n", "accuracy"])
    for model, values in found.items():
        low, high = bootstrap_ci(values, groups=protocol.examinations, seed=run.parameters.seed)
        row = {"metric": "accuracy", "value": values.mean(), "n": len(values)}
        run.add_result(model=model, split="protocol", ci95=(low, high), **row)
        table.loc[model] = len(values), with_interval(values.mean(), (low, high), 4)
    groups = (protocol.examinations, protocol.examinations)
    add_difference(run, tuple(found), "accuracy", tuple(found.values()), groups=groups)
    return table


def vgg_features(
    run: Run, parameters: HeadCircumferenceParameters, model: HeadModel, arrays: HeadArrays
) -> np.ndarray:
    """Return VGG16 features, float32 (N, F), of the predicted masks of all images, made once."""
    p = parameters
    weights_hash = _digest(model)

    def compute(folder: Path) -> None:
        network = build_vgg16(p.vgg_side, p.vgg_weights, p.seed)
        values = mask_features(model.probs(arrays.images), network)
        np.save(folder / "features.npy", values.astype(np.float16))

    spec = {"name": "vgg16_features", "side": p.vgg_side, "weights": p.vgg_weights}
    code = ("fetal_lib.models.vgg16_features",)
    outcome = run.fit_or_reuse(spec, {"segmenter": weights_hash}, code, compute)
    return np.load(outcome.folder / "features.npy").astype(np.float32)


def _digest(model: HeadModel) -> str:
    import hashlib

    digest = hashlib.sha256(repr(model.spec.flips).encode())
    for array in model.network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def second_experiment(
    run: Run, table: pd.DataFrame, predictions: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Score ways from a mask to millimetres on the test part, where they measured; add the rows."""
    rows, measured, seed = [], {}, run.parameters.seed
    for name, values in predictions.items():
        scores = size_scores(table, np.asarray(values, dtype=float)).dropna()
        true, guess = scores["hc_mm"].to_numpy(), scores["hc_pred_mm"].to_numpy()
        found = {
            title: (measure(true, guess), _interval(measure, scores, seed))
            for title, measure in FROM_MASKS.items()
        }
        texts = {t: with_interval(*both, 3 if t == "R²" else 2) for t, both in found.items()}
        rows.append({"model": name, "n": len(scores), **texts})
        label = {"model": name, "split": "test", "n": len(scores)}
        for metric, title in (("r2", "R²"), ("rmse_mm", "RMSE (mm)")):
            value, interval = found[title]
            run.add_result(metric=metric, value=value, ci95=interval, **label)
        if name != "unet":  # whose differences stand in the results already
            add_scores(run, name, scores)
        measured[name] = scores
    pair = [measured[name] for name in PIXEL_SIZE if name in measured]
    if len(pair) == len(PIXEL_SIZE):
        errors = tuple((one["hc_pred_mm"] - one["hc_mm"]).abs().to_numpy() for one in pair)
        examinations = tuple(one["examination"].to_numpy() for one in pair)
        add_difference(run, PIXEL_SIZE, "adf_mm", errors, groups=examinations)
    return pd.DataFrame(rows)


def _interval(
    measure: Callable[..., float], scores: pd.DataFrame, seed: int
) -> tuple[float, float] | None:
    pairs = scores[["hc_mm", "hc_pred_mm"]].to_numpy()
    groups = scores["examination"].to_numpy()
    return interval_of(pairs, groups, seed, lambda pair: measure(pair[:, 0], pair[:, 1]))
