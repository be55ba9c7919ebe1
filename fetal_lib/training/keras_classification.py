"""Fit a Keras classifier, one resumable epoch at a time.

As :mod:`fetal_lib.training.keras_fit` does for segmentation: each epoch draws its order
and its augmentation from ``(seed, epoch)`` alone and ends with a checkpoint, so that a
fit that was killed goes on as if it had not been. Rare classes can be weighted in the
loss or drawn more often; both happen here, inside the training part, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.augment_image import augment_image
from fetal_lib.training.keras_checkpoint import (
    WEIGHTS,
    finish_fit,
    restore,
    save_checkpoint,
    seed_dropout,
)
from fetal_lib.training.keras_forward import BATCH, forward
from fetal_lib.training.keras_schedule import make_adam, whole_batches

if TYPE_CHECKING:
    import keras

BALANCES = ("none", "weights", "oversample")


@dataclass(frozen=True)
class ClassifierSettings:
    """Hyper-parameters of a fit.

    Attributes
    ----------
    epochs : int
        0 keeps the weights that the network came with.
    batch_size : int
    learning_rate : float
        Peak of the schedule, Adam.
    ema : float
        Momentum of the moving average of weights; 0 keeps the last weights.
    schedule : str
        ``"cosine"``, after a warm-up of an epoch, or ``"constant"``.
    balance : str
        ``"none"``; ``"weights"``: the loss of a case is weighted by the square root of
        how rare its class is; ``"oversample"``: classes are drawn equally often.
    label_smoothing : float
        Share of the target that is spread over all classes.
    augmentation : Augmentation or None
    aspect : float
        Width over height of the images before they were squashed.
    strip : int
        Rows at the lower edge that augmentation leaves in place.
    hide_strip : float
        Probability that it makes them black.
    seed : int
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    ema: float = 0.0
    schedule: str = "cosine"
    balance: str = "none"
    label_smoothing: float = 0.0
    augmentation: Augmentation | None = None
    aspect: float = 1.0
    strip: int = 0
    hide_strip: float = 0.0
    seed: int = 0

    def as_spec(self) -> dict:
        """Return plain values for a cache key."""
        return asdict(self)


def compile_classifier(
    model: keras.Model, settings: ClassifierSettings, steps_per_epoch: int
) -> None:
    """Attach optimiser, cross-entropy on logits, and accuracy to a model, in place.

    Raises
    ------
    ValueError
        If the balance is none of the three.
    """
    import keras

    if settings.balance not in BALANCES:
        raise ValueError(f"balance={settings.balance!r}: use one of {', '.join(BALANCES)}.")
    optimizer = make_adam(
        settings.learning_rate,
        steps_per_epoch,
        settings.epochs,
        schedule=settings.schedule,
        ema=settings.ema,
    )
    loss = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=settings.label_smoothing
    )
    model.compile(optimizer, loss, weighted_metrics=["accuracy"])


def class_weights(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Return a weight of each class, the square root of its rarity; their mean over cases is 1.

    Examples
    --------
    >>> class_weights(np.array([0, 0, 0, 0, 1]), 2).round(3).tolist()
    [0.833, 1.667]
    """
    n = np.bincount(labels, minlength=n_classes)
    weights = np.where(n > 0, 1 / np.sqrt(np.maximum(n, 1)), 0.0)
    return weights / weights[labels].mean()


def epoch_order(labels: np.ndarray, settings: ClassifierSettings, epoch: int) -> np.ndarray:
    """Return which images an epoch sees, in order, in whole batches.

    Parameters
    ----------
    labels : ndarray, shape (N,), int
    settings : ClassifierSettings
    epoch : int
    """
    rng = np.random.default_rng([settings.seed, epoch, 1])
    if settings.balance == "oversample":
        kinds = rng.permutation(np.resize(np.unique(labels), len(labels)))
        order = np.array([rng.choice(np.flatnonzero(labels == kind)) for kind in kinds])
    else:
        order = rng.permutation(len(labels))
    return whole_batches(order, settings.batch_size)


def epoch_images(
    images: np.ndarray, order: np.ndarray, settings: ClassifierSettings, epoch: int
) -> np.ndarray:
    """Return an epoch's images in their order, augmented where the settings say so.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
    order : ndarray, shape (M,), int

    Returns
    -------
    ndarray, shape (M, H, W, 1), float32, in [0, 1]
    """
    if settings.augmentation is None:
        return images[order][..., None] / np.float32(255)
    rng = np.random.default_rng([settings.seed, epoch, 2])
    given = (settings.augmentation, settings.aspect, settings.strip, settings.hide_strip)
    changed = [augment_image(images[i], rng, *given) for i in order]
    return np.stack(changed)[..., None]


def fit_classifier(
    folder: str | Path,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    settings: ClassifierSettings,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoint and history live; a checkpoint is gone on from. In the end it
        holds ``weights.npz`` and ``history.jsonl``.
    model : keras.Model
        The untrained network, (B, H, W, 1) in [0, 1] to logits (B, K); changed in place.
    images : ndarray, shape (N, H, W), uint8
        The training part and nothing else.
    labels : ndarray, shape (N,), int
    settings : ClassifierSettings
    validation : pair of ndarray, optional
        Images and labels whose loss, accuracy and macro-F1 are written to the history;
        they steer nothing.
    progress : callable
        Called with the word ``epoch`` and the row of the history.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WEIGHTS).is_file():  # killed after the last step: nothing is left to do
        return
    if not settings.epochs:
        return finish_fit(model, folder, averaged=False)
    n_classes = model.output_shape[-1]
    compile_classifier(model, settings, max(1, len(images) // settings.batch_size))
    model.optimizer.build(model.trainable_variables)
    history = restore(model, folder)
    for epoch in range(len(history), settings.epochs):
        start = time.perf_counter()
        seed_dropout(model, settings.seed, epoch)
        order = epoch_order(labels, settings, epoch)
        x = epoch_images(images, order, settings, epoch)
        row = _train_epoch(model, x, labels[order], settings, n_classes)
        if validation is not None:
            row |= watch(model, *validation)
        row = {"epoch": epoch + 1} | row | {"seconds": time.perf_counter() - start}
        history.append(row)
        save_checkpoint(model, folder, history)
        progress("epoch", epochs=settings.epochs, **row)
    finish_fit(model, folder, averaged=bool(settings.ema))


def _train_epoch(
    model: keras.Model,
    x: np.ndarray,
    labels: np.ndarray,
    settings: ClassifierSettings,
    n_classes: int,
) -> dict[str, float]:
    """Take one step a batch (not ``Model.fit``, see keras_fit); return mean loss and accuracy."""
    targets = np.eye(n_classes, dtype=np.float32)[labels]
    weights = np.ones(len(labels), np.float32)
    if settings.balance == "weights":
        weights = class_weights(labels, n_classes)[labels].astype(np.float32)
    rows, size = [], settings.batch_size
    for i in range(0, len(x), size):
        part = slice(i, i + size)
        step = model.train_on_batch(x[part], targets[part], weights[part], return_dict=True)
        rows.append({name: float(value) for name, value in step.items()})
        model.reset_metrics()
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def predict_logits(model: keras.Model, images: np.ndarray, batch_size: int = BATCH) -> np.ndarray:
    """Return the logits of images.

    Parameters
    ----------
    model : keras.Model
    images : ndarray, shape (N, H, W), uint8
    batch_size : int

    Returns
    -------
    ndarray, shape (N, K), float32
    """
    return forward(model, images, batch_size)


def watch(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return cross-entropy, accuracy and macro-F1 of images that are not trained on."""
    from fetal_lib.metrics.calibration import cross_entropy

    logits = predict_logits(model, images)
    table = confusion_matrix(labels, logits.argmax(1), logits.shape[1])
    return {
        "val_loss": cross_entropy(logits, labels),
        "val_accuracy": float((logits.argmax(1) == labels).mean()),
        "val_macro_f1": float(macro_f1(table)),
    }
