"""Classification as a task of the Keras fit, with rare classes weighted or drawn more often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.metrics.calibration import cross_entropy
from fetal_lib.metrics.classification import confusion_matrix, macro_f1
from fetal_lib.training.augment import Augmentation
from fetal_lib.training.augment_image import augment_image
from fetal_lib.training.keras_fit import KerasSettings, KerasTask, whole_batches
from fetal_lib.training.keras_forward import forward

if TYPE_CHECKING:
    import keras

BALANCES = ("none", "weights", "oversample")


@dataclass(frozen=True)
class ClassifierSettings(KerasSettings):
    """Hyper-parameters of a classifier's fit, beside those of every fit.

    Attributes
    ----------
    ema : float
        Momentum of the moving average of weights; 0 keeps the last weights.
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
    """

    batch_size: int = 32
    learning_rate: float = 1e-3
    ema: float = 0.0
    balance: str = "none"
    label_smoothing: float = 0.0
    augmentation: Augmentation | None = None
    aspect: float = 1.0
    strip: int = 0
    hide_strip: float = 0.0


@dataclass(frozen=True)
class Classification(KerasTask):
    """Classify images: (B, H, W, 1) in [0, 1] to logits (B, K).

    Attributes
    ----------
    images : ndarray, shape (N, H, W), uint8
        The training part and nothing else.
    labels : ndarray, shape (N,), int
    n_classes : int
    settings : ClassifierSettings
    validation : pair of ndarray, optional
        Images and labels whose loss, accuracy and macro-F1 are watched; they steer nothing.

    Raises
    ------
    ValueError
        If the balance is none of the three.
    """

    images: np.ndarray
    labels: np.ndarray
    n_classes: int
    settings: ClassifierSettings
    validation: tuple[np.ndarray, np.ndarray] | None = None
    metrics = ("accuracy",)

    def __post_init__(self) -> None:
        balance = self.settings.balance
        if balance not in BALANCES:
            raise ValueError(f"balance={balance!r}: use one of {', '.join(BALANCES)}.")

    def n_cases(self) -> int:
        return len(self.images)

    def loss(self) -> keras.losses.Loss:
        """Return the cross-entropy on logits."""
        import keras

        return keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=self.settings.label_smoothing
        )

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield images (B, H, W, 1), one-hot targets (B, K) and weights (B,), float32."""
        targets = np.eye(self.n_classes, dtype=np.float32)[self.labels]
        weights = np.ones(len(self.labels), np.float32)
        order = epoch_order(self.labels, self.settings, epoch)
        if self.settings.balance == "weights":  # their mean is 1 over the cases that are seen
            seen = np.concatenate(list(whole_batches(order, self.settings.batch_size)))
            rarity = class_weights(self.labels[seen], self.n_classes)
            weights = rarity[self.labels].astype(np.float32)
        for rows, x in image_batches(self.images, order, self.settings, epoch):
            yield x, targets[rows], weights[rows]

    def watch(self, network: keras.Model, epoch: int) -> dict[str, float]:
        """Return cross-entropy, accuracy and macro-F1 of the validation part."""
        if self.validation is None:
            return {}
        images, labels = self.validation
        logits = forward(network, images)
        table = confusion_matrix(labels, logits.argmax(1), logits.shape[1])
        return {
            "val_loss": cross_entropy(logits, labels),
            "val_accuracy": float((logits.argmax(1) == labels).mean()),
            "val_macro_f1": float(macro_f1(table)),
        }


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
    """Return the order in which an epoch draws its cases.

    Parameters
    ----------
    labels : ndarray, shape (N,), int
    settings : ClassifierSettings
    epoch : int
    """
    rng = np.random.default_rng([settings.seed, epoch, 1])
    if settings.balance != "oversample":
        return rng.permutation(len(labels))
    kinds = rng.permutation(np.resize(np.unique(labels), len(labels)))
    return np.array([rng.choice(np.flatnonzero(labels == kind)) for kind in kinds])


def image_batches(
    images: np.ndarray, order: np.ndarray, settings: ClassifierSettings, epoch: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows of each batch and their images, augmented where the settings say so.

    Parameters
    ----------
    images : ndarray, shape (N, H, W), uint8
    order : ndarray, shape (N,), int

    Yields
    ------
    rows : ndarray, shape (B,), int
    x : ndarray, shape (B, H, W, 1), float32, in [0, 1]
    """
    rng = np.random.default_rng([settings.seed, epoch, 2])
    given = (settings.augmentation, settings.aspect, settings.strip, settings.hide_strip)
    for rows in whole_batches(order, settings.batch_size):
        if settings.augmentation is None:
            x = images[rows] / np.float32(255)
        else:
            x = np.stack([augment_image(images[i], rng, *given) for i in rows])
        yield rows, x[..., None]
