"""Chapter 04's U-Net at 256 pixels: filled masks or rings, wired or as its source wires it.

Source 003 learns the one-pixel ring of HC18's annotation, and its second convolution of a block
takes the block's input, so that the first leads nowhere. Its accuracy of 0.982 counts pixels,
nearly all of which are background: beside it stands that of a network that finds nothing, and the
Dice of the ring above a threshold that the validation part chooses. Its second notebook takes
millimetres from VGG16's features of the masks, which follow a network that learnt filled ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_book.chapters.case_scores import interval_of
from fetal_book.published_size.course import Course, Trained
from fetal_book.published_size.networks import get_network

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from fetal_book.published_size.piece import PieceRun
    from fetal_lib.data.layouts.heads import HeadArrays
    from fetal_lib.predict.head_model import HeadModel

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 11))
"""Of a ring's probability, which may nowhere reach one half where a ring is a pixel or two wide."""


def miswired_unet(side: int = 256, dropout: float = 0.0, dtype: str = "float32") -> keras.Model:
    """Build the U-Net in circulation whose second convolutions take the block's input.

    Parameters
    ----------
    side : of the square image, a multiple of 16.
    dropout : rate behind each pooling and each join.
    dtype : a Keras precision policy.

    Returns
    -------
    keras.Model
        ``(B, side, side, 1)`` to probabilities of the same shape.
    """
    import keras
    from keras import layers

    def block(x: keras.KerasTensor, n: int) -> keras.KerasTensor:
        x = layers.Conv2D(n, 3, padding="same", kernel_initializer="he_normal", dtype=dtype)(x)
        return layers.ReLU(dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))

    image = x = keras.Input((side, side, 1))
    skips = []
    for level in range(4):
        x = block(x, 16 * 2**level)
        skips.append(x)
        x = layers.Dropout(dropout, dtype=dtype)(layers.MaxPooling2D(2, dtype=dtype)(x))
    x = block(x, 256)
    up = {"strides": 2, "padding": "same", "dtype": dtype}
    for level in reversed(range(4)):
        x = layers.Conv2DTranspose(16 * 2**level, 3, **up)(x)
        x = layers.Dropout(dropout, dtype=dtype)(layers.Concatenate(dtype=dtype)([x, skips[level]]))
        x = block(x, 16 * 2**level)
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(x))


def read_heads(run: PieceRun, name: str) -> dict[str, Any]:
    """Chapter 04: scans with filled masks and rings, split."""
    from fetal_book.chapters.head_circumference import data
    from fetal_lib.data.layouts.heads import load_arrays, read_cases
    from fetal_lib.data.splits.shares import split_by_group

    p = run.parameters
    table = read_cases(data.find_data(p))
    arrays = load_arrays(table, (p.image_size, p.image_size))
    run.data_fingerprint = data.fingerprint(table, arrays)
    shares = {"test": p.test_fraction, "val": p.val_fraction}
    part = np.asarray(split_by_group(table["examination"], table["hc_mm"], shares, p.seed))
    return {
        "table": table.drop(columns=["image_path", "mask_path"]),
        "arrays": arrays,
        "part": part,
    }


def heads(run: PieceRun, name: str, data: dict[str, Any]) -> Course:
    """Chapter 04: examinations apart; filled masks, or the rings that its source learnt."""
    from fetal_book.chapters.head_circumference import fit
    from fetal_book.chapters.head_circumference.data import select
    from fetal_lib.models.weights import load_weights
    from fetal_lib.predict.head_model import HeadModel, HeadModelSpec
    from fetal_lib.training.history import WEIGHTS
    from fetal_lib.training.keras_fit import fit_keras
    from fetal_lib.training.keras_segmentation import Segmentation
    from fetal_lib.training.precision import precision_policy

    p, table, arrays, part = run.parameters, data["table"], data["arrays"], data["part"]
    rings, wired = get_network(name).rings, "miswired" not in name
    targets = np.uint8(255) * (arrays.outlines > 0) if rings else arrays.masks
    policy = precision_policy(p.precision)

    def build(dtype: str) -> keras.Model:
        import keras

        if wired:
            return fit.new_unet(p, dtype)
        keras.utils.set_random_seed(p.seed)
        return miswired_unet(p.image_size, p.dropout, dtype)

    def fit_into(folder: Path) -> None:
        settings = fit.fit_settings(run.parameters, arrays)
        some, val = part == "train", part == "val"
        watched = arrays.images[val], targets[val]
        task = Segmentation(arrays.images[some], targets[some], settings, watched)
        fit_keras(folder, build(policy), task, run.progress)

    def train() -> Trained:
        p = run.parameters
        model = {"name": name, "image_size": p.image_size, "precision": policy}
        how = fit.fit_settings(p, arrays).as_spec() | {"dropout": p.dropout}
        outcome = run.fit_or_reuse(model, how, (), fit_into)
        network = build("float32")
        load_weights(network, outcome.folder / WEIGHTS)
        side, views = p.image_size, ("none",) if rings else fit.VIEWS[p.flips]
        asked = HeadModel(network, HeadModelSpec(side, side, p.base_filters, p.dropout, views))
        test = part == "test"
        kept, some = table[test].reset_index(drop=True), select(arrays, test)
        if rings:
            val = part == "val"
            threshold = best_threshold(targets[val] > 0, asked.probs(arrays.images[val]))
            found = asked.probs(some.images)
            _score_rings(run, name, targets[test] > 0, found, threshold, kept["examination"])
        else:
            _score_heads(run, name, asked, kept, some)
            if wired:
                _score_features(run, asked, table, arrays, part)
        return Trained(network.count_params(), lambda: asked.probs(some.images[:1]))

    return Course(int((part == "train").sum()), policy.removeprefix("mixed_"), train)


def _score_heads(
    run: PieceRun, name: str, model: HeadModel, table: pd.DataFrame, arrays: HeadArrays
) -> None:
    from fetal_book.chapters.head_circumference import scores

    _, measured = scores.measure_heads(model, table, arrays)
    found = scores.score_ellipses(table, arrays, [one.ellipse for one in measured])
    scores.add_scores(run, name, found)


def _score_features(
    run: PieceRun, model: HeadModel, table: pd.DataFrame, arrays: HeadArrays, part: np.ndarray
) -> None:
    """Add the error of millimetres that a regression takes from VGG16's features of the masks."""
    from fetal_book.chapters.head_circumference import source

    train, test = part == "train", part == "test"
    features = source.vgg_features(run, run.parameters, model, arrays)
    found = source.millimetres_from_features(features, table, train, test)
    source.second_experiment(run, table[test].reset_index(drop=True), found)


def best_threshold(true: np.ndarray, probs: np.ndarray) -> float:
    """Return the threshold of `THRESHOLDS` with the highest mean Dice; of equal ones the highest.

    Parameters
    ----------
    true : bool, shape (N, H, W).
    probs : shape (N, H, W), from 0 to 1.

    Examples
    --------
    >>> ring = np.array([[[True, True, False, False]]])
    >>> best_threshold(ring, np.array([[[0.4, 0.3, 0.12, 0.0]]]))
    0.3
    """

    def mean_dice(threshold: float) -> float:
        return float(_dice_of_each(true, probs >= threshold).mean())

    return max(reversed(THRESHOLDS), key=mean_dice)


def _dice_of_each(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    from fetal_lib.metrics.segmentation import dice

    return np.array([dice(a, b) for a, b in zip(true, found, strict=True)], float)


def _score_rings(
    run: PieceRun,
    name: str,
    true: np.ndarray,
    probs: np.ndarray,
    threshold: float,
    examinations: pd.Series,
) -> None:
    """Add the Dice of the ring, also above that threshold, the accuracy, and that of nothing."""
    found = probs >= 0.5
    values = {
        (name, "dice"): _dice_of_each(true, found),
        (f"{name}_above_{threshold:g}", "dice"): _dice_of_each(true, probs >= threshold),
        (name, "accuracy"): (true == found).mean(axis=(1, 2)),
        ("finds_nothing", "accuracy"): 1 - true.mean(axis=(1, 2)),
    }
    for (model, metric), each in values.items():
        ci95 = interval_of(each, examinations.to_numpy(), run.parameters.seed)
        known = {"model": model, "split": "test", "metric": metric}
        run.add_result(**known, value=float(each.mean()), n=len(each), ci95=ci95)
