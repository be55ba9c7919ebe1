"""Fit a Keras network that answers with one number, one resumable epoch at a time.

Huber loss, Adam, a rate that halves when the validation error stalls, early stopping, and the
best epoch's weights kept, as source 000 has them; the validation part belongs to the training
part and never to the test. Each epoch draws from ``(seed, epoch)`` alone, and rate and stopping
follow from the history, so a fit that was killed goes on as if it had not been.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.keras_checkpoint import (
    WEIGHTS,
    drop_checkpoints,
    restore,
    save_checkpoint,
    seed_dropout,
    write_weights,
)
from fetal_lib.training.keras_schedule import whole_batches

if TYPE_CHECKING:
    import keras

BEST = "best.npz"


@dataclass(frozen=True)
class RegressionSettings:
    """Hyper-parameters of a fit.

    Attributes
    ----------
    epochs : at most so many passes.
    batch_size, learning_rate : of Adam.
    rate_patience, rate_factor : epochs without a better validation error until the rate is
        multiplied by the factor.
    stop_patience : epochs without a better validation error until the fit stops; not on a cosine.
    huber_delta : in units of the scaled target, where the loss turns from square to straight.
    centre, scale : the network learns ``(value - centre) / scale``; 0 and 1 as in the source.
    augment : random shift, turn, size and gain, and left-right mirroring.
    mirrored : channels whose left and right may be swapped.
    schedule : ``"plateau"``, or ``"cosine"``: the rate falls along one over all epochs.
    seed : int
    """

    epochs: int
    batch_size: int = 8
    learning_rate: float = 1e-4
    rate_patience: int = 5
    rate_factor: float = 0.5
    stop_patience: int = 10
    huber_delta: float = 1.0
    centre: float = 0.0
    scale: float = 1.0
    augment: bool = False
    mirrored: tuple[int, ...] = (0, 1)
    schedule: str = "plateau"
    seed: int = 0

    def as_spec(self) -> dict:
        """Return plain values for a cache key."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Say where a fit stands: rate of the next epoch, best epoch (from 0), whether it is over."""

    learning_rate: float
    best: int
    over: bool


def progress_of(errors: Sequence[float], settings: RegressionSettings) -> Progress:
    """Return the state of a fit from its validation errors, one an epoch.

    Examples
    --------
    >>> settings = RegressionSettings(epochs=9, learning_rate=1.0, rate_patience=2, stop_patience=3)
    >>> progress_of([5.0, 4.0, 4.5, 4.2], settings)
    Progress(learning_rate=0.5, best=1, over=False)
    >>> progress_of([5.0, 4.0, 4.5, 4.2, 4.1], settings).over
    True
    """
    rate, best, wait = settings.learning_rate, 0, 0
    for epoch, error in enumerate(errors):
        if epoch == 0 or error < errors[best]:
            best, wait = epoch, 0
            continue
        wait += 1
        if wait >= settings.rate_patience:
            rate, wait = rate * settings.rate_factor, 0
    stalled = bool(errors) and len(errors) - 1 - best >= settings.stop_patience
    if (
        settings.schedule == "cosine"
    ):  # its errors fall last, when the rate does: it is never stopped before
        stalled = False
        share = len(errors) / settings.epochs
        rate = settings.learning_rate * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
    return Progress(float(rate), best, stalled or len(errors) >= settings.epochs)


def fit_regressor(
    folder: str | Path,
    network: keras.Model,
    images: np.ndarray,
    values: np.ndarray,
    settings: RegressionSettings,
    validation: tuple[np.ndarray, np.ndarray],
    progress: Callable[..., None] = lambda event, **fields: None,
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : holds ``weights.npz`` (of the best epoch) and ``history.jsonl`` in the end.
    network : untrained, (B, H, W, C) in [0, 1] to (B, 1); changed in place.
    images : uint8 (N, H, W, C).
    values : float (N,), such as days.
    settings : RegressionSettings
    validation : images and values that steer the rate and the stopping. They must belong to the
        training part of the split: what is reported must not be measured on them.
    progress : called with the word ``epoch`` and the row of the history.

    Raises
    ------
    ValueError
        If lengths differ, or a part is empty.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _check(images, values, validation)
    if (folder / WEIGHTS).is_file():
        return
    _compile(network, settings)
    history = restore(network, folder)
    while not (state := progress_of([r["val_mae"] for r in history], settings)).over:
        start, epoch = time.perf_counter(), len(history)
        network.optimizer.learning_rate.assign(state.learning_rate)
        seed_dropout(network, settings.seed, epoch)
        row = {"epoch": epoch + 1, "loss": _train_epoch(network, images, values, settings, epoch)}
        found = predict_values(network, validation[0], settings.centre, settings.scale)
        row["val_mae"] = float(np.abs(found - validation[1]).mean())
        row |= {"learning_rate": state.learning_rate, "seconds": time.perf_counter() - start}
        history.append(row)
        if progress_of([r["val_mae"] for r in history], settings).best == epoch:
            write_weights(network, folder / BEST)
        save_checkpoint(network, folder, history)
        progress("epoch", epochs=settings.epochs, **row)
    (folder / BEST).replace(folder / WEIGHTS)
    drop_checkpoints(folder)


def predict_values(
    network: keras.Model, images: np.ndarray, centre: float, scale: float, batch_size: int = 32
) -> np.ndarray:
    """Return a network's answers in the unit of the values, float64 (N,); images as in the fit."""
    import keras

    answers = []
    for i in range(0, len(images), batch_size):
        x = images[i : i + batch_size] / np.float32(255)
        answers.append(keras.ops.convert_to_numpy(network(x, training=False))[:, 0])
    return np.concatenate(answers).astype(float) * scale + centre


def augment_planes(
    image: np.ndarray, rng: np.random.Generator, mirrored: Sequence[int] = (0, 1)
) -> np.ndarray:
    """Return planes shifted up to 4 %, turned ±10°, resized ±4 %, gained ±15 %, and mirrored.

    Parameters
    ----------
    image : uint8 (H, W, C)
    rng : numpy Generator
    mirrored : channels that are mirrored together, half of the times.

    Returns
    -------
    float32 (H, W, C), in [0, 1].
    """
    import cv2

    height, width, n_channels = image.shape
    swap = rng.random() < 0.5
    out = np.empty(image.shape, np.float32)
    gain = rng.uniform(0.85, 1.15) / 255
    for k in range(n_channels):
        angle, size = rng.uniform(-10, 10), rng.uniform(0.96, 1.04)
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, size)
        matrix[:, 2] += rng.uniform(-0.04, 0.04, 2) * (width, height)
        plane = image[..., k][:, ::-1] if swap and k in mirrored else image[..., k]
        out[..., k] = cv2.warpAffine(np.ascontiguousarray(plane), matrix, (width, height))
    return np.clip(out * np.float32(gain), 0, 1)


def _check(images: np.ndarray, values: np.ndarray, validation: tuple) -> None:
    for name, x, y in (("training", images, values), ("validation", *validation)):
        if len(x) != len(y) or not len(x):
            raise ValueError(
                f"{name}: received {len(x)} images and {len(y)} values; each image needs one "
                "value, and a part needs an image. Give the parts of one split."
            )


def _compile(network: keras.Model, settings: RegressionSettings) -> None:
    import keras

    optimizer = keras.optimizers.Adam(settings.learning_rate)
    network.compile(optimizer, keras.losses.Huber(delta=settings.huber_delta))
    network.optimizer.build(network.trainable_variables)


def _train_epoch(
    network: keras.Model,
    images: np.ndarray,
    values: np.ndarray,
    settings: RegressionSettings,
    epoch: int,
) -> float:
    """Take one step a batch; return the mean loss."""
    rng = np.random.default_rng([settings.seed, epoch])
    size, losses = settings.batch_size, []
    order = whole_batches(rng.permutation(len(images)), size)
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        if settings.augment:
            x = np.stack([augment_planes(images[i], rng, settings.mirrored) for i in rows])
        else:
            x = images[rows] / np.float32(255)
        y = (values[rows] - settings.centre) / settings.scale
        row = network.train_on_batch(x, y[:, None].astype(np.float32), return_dict=True)
        losses.append(float(row["loss"]))
    return float(np.mean(losses))
