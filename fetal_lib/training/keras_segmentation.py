"""Segmentation as a task of the Keras fit: grey images, soft masks, and a start at half size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.training.augment import Augmentation, augment_pair
from fetal_lib.training.keras_fit import KerasSettings, KerasTask, whole_batches

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class SegmentationSettings(KerasSettings):
    """Hyper-parameters of a segmentation fit, beside those of every fit.

    Attributes
    ----------
    half_size_epochs : int
        Passes before the others at half the height and width, a quarter of the work each.
    loss : str
        ``"bce"``, or ``"bce_dice"`` for BCE plus half the soft Dice loss.
    ema : float
        Momentum of the moving average of weights; 0 keeps the last weights.
    augmentation : Augmentation or None
    aspect : float
        Width over height of the images before they were squashed.
    divisor : float
        Grey values and masks are divided by it; 255, or the source's 127.5.
    """

    half_size_epochs: int = 0
    loss: str = "bce"
    ema: float = 0.995
    augmentation: Augmentation | None = None
    aspect: float = 1.0
    divisor: float = 255.0

    @property
    def all_epochs(self) -> int:
        """Number of passes at either size."""
        return self.half_size_epochs + self.epochs


@dataclass(frozen=True)
class Segmentation(KerasTask):
    """Segment images: (B, H, W, 1) to probabilities (B, H, W, 1).

    Attributes
    ----------
    images, masks : ndarray, shape (N, H, W), uint8
        The training part and nothing else. The network takes images of any size when
        ``settings.half_size_epochs`` is set.
    settings : SegmentationSettings
    validation : pair of ndarray, optional
        Images and masks whose loss and accuracy are watched; they steer nothing.
    """

    images: np.ndarray
    masks: np.ndarray
    settings: SegmentationSettings
    validation: tuple[np.ndarray, np.ndarray] | None = None
    metrics = ("accuracy",)

    def n_cases(self) -> int:
        return len(self.images)

    def loss(self) -> Callable[[Any, Any], Any]:
        """Return BCE, with half the soft Dice loss if asked for.

        Raises
        ------
        ValueError
            If the settings name another loss.
        """
        import keras

        bce = keras.losses.BinaryCrossentropy()
        losses = {
            "bce": bce,
            "bce_dice": lambda true, pred: bce(true, pred) + 0.5 * soft_dice_loss(true, pred),
        }
        if self.settings.loss not in losses:
            raise ValueError(f"loss={self.settings.loss!r}: use one of {sorted(losses)}.")
        return losses[self.settings.loss]

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield shuffled, augmented images and masks, float32 (B, H, W, 1)."""
        images, masks = self._sized((self.images, self.masks), epoch)
        rng = np.random.default_rng([self.settings.seed, epoch])
        for rows in whole_batches(rng.permutation(len(images)), self.settings.batch_size):
            pairs = [self._changed(images[i], masks[i], rng) for i in rows]
            x, y = (np.stack(part)[..., None] for part in zip(*pairs, strict=True))
            yield x, y

    def watch(self, network: keras.Model, epoch: int) -> dict[str, float]:
        """Return loss and accuracy of the validation part."""
        if self.validation is None:
            return {}
        divisor = np.float32(self.settings.divisor)
        x, y = (part[..., None] / divisor for part in self._sized(self.validation, epoch))
        loss, accuracy = network.evaluate(x, y, batch_size=16, verbose=0)[:2]
        return {"val_loss": loss, "val_accuracy": accuracy}

    def _sized(self, part: tuple[np.ndarray, np.ndarray], epoch: int) -> tuple[np.ndarray, ...]:
        if epoch >= self.settings.half_size_epochs:
            return part
        return tuple(half_size(images) for images in part)

    def _changed(
        self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        if settings.augmentation is None:
            divisor = np.float32(settings.divisor)
            return image / divisor, mask / divisor
        return augment_pair(image, mask, rng, settings.augmentation, settings.aspect)


def soft_dice_loss(mask_true: Any, probs: Any) -> Any:
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
