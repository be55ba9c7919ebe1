"""Fit a Keras segmentation network, one resumable epoch at a time.

Each epoch draws its order and its augmentation from ``(seed, epoch)`` alone and
ends with a checkpoint of weights, optimiser and history. A fit that was killed
therefore goes on at the next epoch and sees the same samples as one that
was not. The learning rate warms up for an epoch and falls along a cosine; the
weights that are kept are their exponential moving average.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.augment import Augmentation, augment_pair
from fetal_lib.training.keras_checkpoint import (
    WEIGHTS,
    finish_fit,
    restore,
    save_checkpoint,
    seed_dropout,
)
from fetal_lib.training.keras_schedule import make_adam, whole_batches

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class FitSettings:
    """Hyper-parameters of a fit.

    Attributes
    ----------
    epochs : int
        Passes at full size.
    half_size_epochs : int
        Passes before them at half the height and width, a quarter of the work each.
    batch_size : int
    learning_rate : float
        Peak of the schedule, Adam.
    loss : str
        ``"bce"``, or ``"bce_dice"`` for BCE plus half the soft Dice loss.
    ema : float
        Momentum of the moving average of weights; 0 keeps the last weights.
    schedule : str
        ``"cosine"``, or ``"constant"``: the learning rate stays at its peak, as in the source.
    augmentation : Augmentation or None
    aspect : float
        Width over height of the images before they were squashed.
    divisor : float
        Grey values and masks are divided by it; 255, or the source's 127.5.
    seed : int
    """

    epochs: int
    half_size_epochs: int = 0
    batch_size: int = 8
    learning_rate: float = 2e-3
    loss: str = "bce"
    ema: float = 0.995
    schedule: str = "cosine"
    augmentation: Augmentation | None = None
    aspect: float = 1.0
    divisor: float = 255.0
    seed: int = 0

    @property
    def all_epochs(self) -> int:
        """Number of passes at either size."""
        return self.half_size_epochs + self.epochs

    def as_spec(self) -> dict:
        """Return plain values for a cache key."""
        return asdict(self)


def soft_dice_loss(mask_true, probs):
    """Return 1 - Dice of probabilities, averaged over the batch.

    Parameters
    ----------
    mask_true, probs : tensor, shape (B, H, W, 1), in [0, 1]

    Returns
    -------
    tensor, scalar
    """
    from keras import ops

    overlap = ops.sum(mask_true * probs, axis=(1, 2, 3))
    total = ops.sum(mask_true, axis=(1, 2, 3)) + ops.sum(probs, axis=(1, 2, 3))
    return 1 - ops.mean((2 * overlap + 1) / (total + 1))


def compile_model(model: keras.Model, settings: FitSettings, steps_per_epoch: int) -> None:
    """Attach optimiser, loss and binary accuracy to a model, in place."""
    import keras

    bce = keras.losses.BinaryCrossentropy()
    losses = {
        "bce": bce,
        "bce_dice": lambda true, pred: bce(true, pred) + 0.5 * soft_dice_loss(true, pred),
    }
    if settings.loss not in losses:
        raise ValueError(f"loss={settings.loss!r}: use one of {sorted(losses)}.")
    optimizer = make_adam(
        settings.learning_rate,
        steps_per_epoch,
        settings.all_epochs,
        schedule=settings.schedule,
        ema=settings.ema,
    )
    model.compile(optimizer, losses[settings.loss], metrics=["accuracy"])


def epoch_arrays(
    images: np.ndarray, masks: np.ndarray, settings: FitSettings, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return an epoch's samples, shuffled and augmented, from ``(seed, epoch)``.

    Parameters
    ----------
    images, masks : ndarray, shape (N, H, W), uint8
    settings : FitSettings
    epoch : int

    Returns
    -------
    images, masks : ndarray, shape (M, H, W, 1), float32
        Divided by 255 (by the divisor where nothing is augmented). M is N rounded down
        to whole batches; which images are left out changes from epoch to epoch.
    """
    rng = np.random.default_rng([settings.seed, epoch])
    order = whole_batches(rng.permutation(len(images)), settings.batch_size)
    ranges = settings.augmentation
    if ranges is None:
        divisor = np.float32(settings.divisor)
        x, y = images[order] / divisor, masks[order] / divisor
    else:
        pairs = [augment_pair(images[i], masks[i], rng, ranges, settings.aspect) for i in order]
        x, y = (np.stack(part) for part in zip(*pairs, strict=True))
    return x[..., None], y[..., None]


def half_size(images: np.ndarray) -> np.ndarray:
    """Halve height and width by averaging blocks of four pixels.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
        H and W even.

    Returns
    -------
    ndarray, shape (N, H/2, W/2), uint8

    Examples
    --------
    >>> half_size(np.array([[[0, 2, 8, 8], [4, 2, 8, 8]]], "uint8")).tolist()
    [[[2, 8]]]
    """
    n, height, width = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2)
    return np.rint(blocks.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)


def fit_segmenter(
    folder: str | Path,
    model: keras.Model,
    images: np.ndarray,
    masks: np.ndarray,
    settings: FitSettings,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoint and history live; a checkpoint is gone on from. In the end
        it holds ``weights.npz`` (rounded as `fetal_lib.models.weights` says, averaged
        when ``settings.ema`` is set) and ``history.jsonl``.
    model : keras.Model
        The untrained network, (B, H, W, 1) to (B, H, W, 1); changed in place. It takes
        images of any size when ``settings.half_size_epochs`` is set.
    images, masks : ndarray, shape (N, H, W), uint8
        The training part and nothing else.
    settings : FitSettings
    validation : pair of ndarray, optional
        Images and masks whose loss is written to the history; it steers nothing.
    progress : callable
        Called with the word ``epoch`` and the row of the history.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WEIGHTS).is_file():  # killed after the last step: nothing is left to do
        return
    compile_model(model, settings, max(1, len(images) // settings.batch_size))
    model.optimizer.build(model.trainable_variables)
    history = restore(model, folder)
    train, watched = [(images, masks)], [validation]  # one entry for each size
    if settings.half_size_epochs:
        train.insert(0, tuple(half_size(part) for part in train[0]))
        watched.insert(0, validation and tuple(half_size(part) for part in validation))
    for epoch in range(len(history), settings.all_epochs):
        start = time.perf_counter()
        size = 0 if epoch < settings.half_size_epochs else -1
        seed_dropout(model, settings.seed, epoch)
        x, y = epoch_arrays(*train[size], settings, epoch)
        row = _train_epoch(model, x, y, settings.batch_size)
        if watched[size] is not None:
            row |= _watch(model, *watched[size], settings.divisor)
        row = {"epoch": epoch + 1} | row | {"seconds": time.perf_counter() - start}
        history.append(row)
        save_checkpoint(model, folder, history)
        progress("epoch", epochs=settings.all_epochs, **row)
    finish_fit(model, folder, averaged=bool(settings.ema))


def _train_epoch(model: keras.Model, x: np.ndarray, y: np.ndarray, batch_size: int) -> dict:
    """Take one step a batch; return the mean loss and accuracy.

    Not ``Model.fit``: each of its calls ends by writing the moving average over the weights,
    so that one call an epoch trains the average, which learns many times more slowly.
    """
    rows = [
        model.train_on_batch(x[i : i + batch_size], y[i : i + batch_size], return_dict=True)
        for i in range(0, len(x), batch_size)
    ]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _watch(model: keras.Model, images: np.ndarray, masks: np.ndarray, divisor: float) -> dict:
    """Return loss and accuracy of images that are not trained on."""
    x, y = (part[..., None] / np.float32(divisor) for part in (images, masks))
    loss, accuracy = model.evaluate(x, y, batch_size=16, verbose=0)[:2]
    return {"val_loss": loss, "val_accuracy": accuracy}
