"""The two experiments of source 003, re-enacted on the chapter's data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.flaws import add_difference_of_trainings, score_trainings
from fetal_book.chapters.head_circumference.fit import FIT_CODE, new_unet
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.session import Run
from fetal_lib.baselines.mask_features import regress_from_features, regress_with_pixel_size
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.metrics.regression import mae, r2, rmse
from fetal_lib.metrics.segmentation import dice
from fetal_lib.metrics.trainings import over_trainings
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

SOURCE_SEED, DIVISOR = 42, 127.5
SOURCE_CODE = (*FIT_CODE, "fetal_lib.training.source_003")
FROM_MASKS = {"RMSE (mm)": ("rmse_mm", rmse), "MAE (mm)": ("adf_mm", mae), "R²": ("r2", r2)}
"""How a way from a mask to millimetres is scored."""
PIXEL_SIZE = ("vgg16_mask", "vgg16_mask_pixel_size")
"""Ways from a mask to millimetres without the pixel size and with it."""


@dataclass(frozen=True)
class SourceProtocol:
    """What S trainings by the source's protocol give; arrays are of its N validation samples.

    A mirror image belongs to the examination of its original. ``ring_dice`` is the mean Dice of
    the prediction, thresholded at one half, with all pixels that the resized ring touches.
    """

    leaked_share: float
    history: list[dict]  # of the first training
    ring_dice: list[float]
    examinations: np.ndarray
    accuracy: np.ndarray  # (N, S), Keras' binary accuracy of the trained networks
    empty_accuracy: np.ndarray  # (N,), and of a network that finds nothing


def reenact_source(
    run: Run,
    parameters: HeadCircumferenceParameters,
    arrays: HeadArrays,
    examinations: np.ndarray,
) -> SourceProtocol:
    """Train on unfilled outlines, mirrored before a random split of all images, as source 003.

    The split is the source's, by its seed; each training starts from another one.
    """
    p = parameters
    pictures = arrays.images, arrays.outlines
    if p.source_half_size:
        pictures = tuple(half_size(part) for part in pictures)
    split = source_split(*pictures, SOURCE_SEED)
    seeds = range(p.seed, p.seed + p.source_trainings)
    fits = [_fit_source(run, p.model_copy(update={"seed": one}), split) for one in seeds]
    targets = source_targets(split.val[1])
    found = [_probs(p, folder, split) for folder in fits]
    rings = split.val[1] > 0
    return SourceProtocol(
        split.leaked_share,
        read_history(fits[0]),
        [float(np.mean(list(map(dice, rings, probs >= 0.5)))) for probs in found],
        np.asarray(examinations)[split.val_of],
        np.column_stack([pixel_accuracy(targets, probs) for probs in found]),
        np.array([background_accuracy(target) for target in targets]),
    )


def _fit_source(run: Run, parameters: HeadCircumferenceParameters, split: SourceSplit) -> Path:
    p = parameters
    settings = SegmentationSettings(
        epochs=p.source_epochs,
        batch_size=min(32, max(2, len(split.train[0]) // 40)),
        learning_rate=1e-3,
        ema=0.0,
        schedule="constant",
        divisor=DIVISOR,
        seed=p.seed,
    )
    policy = precision_policy(p.precision)
    side = split.train[0].shape[1]

    def fit(folder: Path) -> None:
        task = Segmentation(*split.train, settings, split.val)
        fit_keras(folder, new_unet(p, policy, side), task, run.progress)

    spec = {"name": "unet_source_protocol", "image_size": side}
    spec |= {"base_filters": p.base_filters, "dropout": p.dropout, "precision": policy}
    return run.fit_or_reuse(spec, settings.as_spec(), SOURCE_CODE, fit, p.seed).folder


def _probs(parameters: HeadCircumferenceParameters, folder: Path, split: SourceSplit) -> np.ndarray:
    """Return what a fit makes of the source's validation samples, float32 (N, H, W)."""
    model = new_unet(parameters, side=split.val[0].shape[1])
    load_weights(model, folder / WEIGHTS)
    images = split.val[0][..., None] / np.float32(DIVISOR)
    return model.predict(images, batch_size=16, verbose=0)[..., 0]


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
    """Add the protocol's accuracy, and that of finding nothing, and return both as text.

    The intervals hold the luck of training, as far as the trainings show it.
    """
    seed, (n, n_trainings) = run.parameters.seed, protocol.accuracy.shape
    nothing = np.repeat(protocol.empty_accuracy[:, None], n_trainings, axis=1)
    found = {"unet_source_protocol": protocol.accuracy, "empty_mask": nothing}
    rows = {name: np.column_stack([np.ones(n), values]) for name, values in found.items()}
    table = pd.DataFrame(index=pd.Index(found, name="model"), columns=["n", "accuracy"])
    for model, answers in rows.items():
        value, ci95 = score_trainings(SHARE, answers, protocol.examinations, seed)
        label = {"model": model, "split": "protocol", "metric": "accuracy"}
        run.add_result(**label, value=value, n=n, ci95=ci95)
        table.loc[model] = n, with_interval(value, ci95, 4)
    add_difference_of_trainings(
        run,
        tuple(found),
        "accuracy",
        tuple(rows.values()),
        (SHARE, SHARE),
        (protocol.examinations, protocol.examinations),
        trainings=n_trainings,
        epochs=run.parameters.source_epochs,
        exposed=protocol.leaked_share,
    )
    return table


def _share(_: np.ndarray, accuracies: np.ndarray) -> float:
    return float(accuracies.mean())


SHARE = partial(over_trainings, _share)


def vgg_features(
    run: Run, parameters: HeadCircumferenceParameters, model: HeadModel, arrays: HeadArrays
) -> list[np.ndarray]:
    """Return VGG16 features, float32 (N, F), of the predicted masks of all images.

    Random weights are drawn as often as the source's protocol is trained, by other seeds; given
    weights are one network.
    """
    p = parameters
    probs, weights_hash = model.probs(arrays.images), _digest(model)
    n_networks = p.source_trainings if p.vgg_weights == "none" else 1

    def compute(folder: Path, seed: int) -> None:
        values = mask_features(probs, build_vgg16(p.vgg_side, p.vgg_weights, seed))
        np.save(folder / "features.npy", values.astype(np.float16))

    spec = {"name": "vgg16_features", "side": p.vgg_side, "weights": p.vgg_weights}
    code = ("fetal_lib.models.vgg16_features",)
    found = []
    for seed in range(p.seed, p.seed + n_networks):
        own = {"segmenter": weights_hash}
        outcome = run.fit_or_reuse(spec, own, code, partial(compute, seed=seed), seed)
        found.append(np.load(outcome.folder / "features.npy").astype(np.float32))
    return found


def millimetres_from_features(
    features: list[np.ndarray], table: pd.DataFrame, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """Regress HC (mm) from features without and with the pixel size: (N test, S networks) each.

    ``train`` and ``test`` say, bool (N,), which rows of the table and of the features they are.
    """
    hc, size = table["hc_mm"].to_numpy(), table["pixel_size_mm"].to_numpy()
    blind = [regress_from_features(one[train], hc[train], one[test]) for one in features]
    scaled = [
        regress_with_pixel_size(one[train], hc[train], size[train], one[test], size[test])
        for one in features
    ]
    return dict(zip(PIXEL_SIZE, map(np.column_stack, (blind, scaled)), strict=True))


def _digest(model: HeadModel) -> str:
    import hashlib

    digest = hashlib.sha256(repr(model.spec.flips).encode())
    for array in model.network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def second_experiment(
    run: Run, table: pd.DataFrame, predictions: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Score ways from a mask to millimetres on the test part, where they measured; add the rows.

    A prediction is (N,), or (N, S) of S networks: its scores are then means over them.
    """
    rows, measured = [], {}
    for name, values in predictions.items():
        values = np.asarray(values, float).reshape(len(table), -1)
        kept = np.isfinite(values).all(axis=1)
        answers = np.column_stack([table["hc_mm"], values])[kept]
        groups = table["examination"].to_numpy()[kept]
        row = {"model": name, "n": len(answers), "networks": values.shape[1]}
        for title, (metric, measure) in FROM_MASKS.items():
            score = partial(over_trainings, measure)
            value, ci95 = score_trainings(score, answers, groups, run.parameters.seed)
            row[title] = with_interval(value, ci95, 3 if metric == "r2" else 2)
            if name == "unet" and metric == "adf_mm":  # stands in the results already
                continue
            label = {"model": name, "split": "test", "n": len(answers)}
            run.add_result(metric=metric, value=value, ci95=ci95, **label)
        rows.append(row)
        measured[name] = answers, groups
    if set(PIXEL_SIZE) <= set(measured):
        answers, groups = zip(*(measured[name] for name in PIXEL_SIZE), strict=True)
        scores = (partial(over_trainings, rmse),) * 2
        n = answers[0].shape[1] - 1
        add_difference_of_trainings(
            run, PIXEL_SIZE, "rmse_mm", answers, scores, groups, trainings=n
        )
    return pd.DataFrame(rows)
