"""Regression as a task of the Keras fit: one number an image, steered by a validation part.

Huber loss, Adam, a rate that halves when the validation error stalls, early stopping, and the
best epoch's weights kept, as source 000 has them; the validation part belongs to the training
part and never to the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.keras_fit import KerasSettings, KerasTask, Standing, whole_batches

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class RegressionSettings(KerasSettings):
    """Hyper-parameters of a fit, beside those of every fit.

    Attributes
    ----------
    schedule : ``"plateau"``, or ``"cosine"``: the rate falls along one over all epochs.
    rate_patience, rate_factor : epochs without a better validation error until the rate is
        multiplied by the factor.
    stop_patience : epochs without a better validation error until the fit stops; not on a cosine.
    huber_delta : in units of the scaled target, where the loss turns from square to straight.
    centre, scale : the network learns ``(value - centre) / scale``; 0 and 1 as in the source.
    augment : random shift, turn, size and gain, and left-right mirroring.
    mirrored : channels whose left and right may be swapped.
    """

    learning_rate: float = 1e-4
    schedule: str = "plateau"
    rate_patience: int = 5
    rate_factor: float = 0.5
    stop_patience: int = 10
    huber_delta: float = 1.0
    centre: float = 0.0
    scale: float = 1.0
    augment: bool = False
    mirrored: tuple[int, ...] = (0, 1)


@dataclass(frozen=True)
class Regression(KerasTask):
    """Learn a number: (B, H, W, C) in [0, 1] to (B, 1).

    Attributes
    ----------
    images : uint8 (N, H, W, C).
    values : float (N,), such as days.
    settings : RegressionSettings
    validation : images and values that steer the rate and the stopping. They must belong to the
        training part of the split: what is reported must not be measured on them.

    Raises
    ------
    ValueError
        If lengths differ, or a part is empty.
    """

    images: np.ndarray
    values: np.ndarray
    settings: RegressionSettings
    validation: tuple[np.ndarray, np.ndarray]

    def __post_init__(self) -> None:
        parts = (("training", self.images, self.values), ("validation", *self.validation))
        for name, x, y in parts:
            if len(x) != len(y) or not len(x):
                raise ValueError(
                    f"{name}: received {len(x)} images and {len(y)} values; each image needs one "
                    "value, and a part needs an image. Give the parts of one split."
                )

    def n_cases(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def loss(self) -> keras.losses.Loss:
        """Return the Huber loss."""
        import keras

        return keras.losses.Huber(delta=self.settings.huber_delta)

    def optimizer(self) -> keras.optimizers.Adam:
        """Return plain Adam; its rate is set at each epoch."""
        import keras

        return keras.optimizers.Adam(self.settings.learning_rate)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield images (B, H, W, C) in [0, 1] and scaled values (B, 1), float32."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, epoch])
        for rows in whole_batches(rng.permutation(len(self.images)), settings.batch_size):
            if settings.augment:
                x = np.stack([augment_planes(self.images[i], rng, settings.mirrored) for i in rows])
            else:
                x = self.images[rows] / np.float32(255)
            y = (self.values[rows] - settings.centre) / settings.scale
            yield x, y[:, None].astype(np.float32)

    def watch(self, network: keras.Model, epoch: int) -> dict[str, float]:
        """Return the mean absolute error of the validation part, in the unit of the values."""
        images, values = self.validation
        found = predict_values(network, images, self.settings.centre, self.settings.scale)
        return {"val_mae": float(np.abs(found - values).mean())}

    def standing(self, history: list[dict]) -> Standing:
        return standing_of([row["val_mae"] for row in history], self.settings)


def standing_of(errors: Sequence[float], settings: RegressionSettings) -> Standing:
    """Return where a fit stands after validation errors, one an epoch.

    Examples
    --------
    >>> settings = RegressionSettings(epochs=9, learning_rate=1.0, rate_patience=2, stop_patience=3)
    >>> standing_of([5.0, 4.0, 4.5, 4.2], settings)
    Standing(over=False, learning_rate=0.5, best=1)
    >>> standing_of([5.0, 4.0, 4.5, 4.2, 4.1], settings).over
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
    return Standing(stalled or len(errors) >= settings.epochs, float(rate), best)


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
