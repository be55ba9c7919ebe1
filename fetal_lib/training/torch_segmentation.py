"""Segmentation as a task of the PyTorch fit: grey images and soft masks, on one device or many."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.augment import Augmentation, augment_pair
from fetal_lib.training.torch_arrays import epoch_batches
from fetal_lib.training.torch_task import Loss, TorchSettings, TorchTask

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


@dataclass(frozen=True)
class SegmentationSettings(TorchSettings):
    """Hyper-parameters of a segmentation fit, beside those of every fit.

    Attributes
    ----------
    augmentation : Augmentation or None
    aspect : float
        Width over height of the scans before squashing, for the augmentation.
    """

    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    augmentation: Augmentation | None = Augmentation()
    aspect: float = 1.0

    def rate_factor(self, step: int, steps_per_epoch: int) -> float:
        """Return the share of the peak learning rate: a line up from 0, then a cosine down.

        Examples
        --------
        >>> settings = SegmentationSettings(epochs=11)
        >>> [round(settings.rate_factor(step, 10), 2) for step in (0, 9, 10, 60, 110)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
        """
        total = steps_per_epoch * self.epochs
        warm = min(steps_per_epoch, total / 2)
        if self.schedule == "constant":
            return 1.0
        if step < warm:
            return (step + 1) / warm if warm >= 1 else 1.0
        share = (step - warm) / max(total - warm, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


@dataclass(frozen=True)
class Segmentation(TorchTask):
    """Segment images: (B, 1, H, W) in [0, 1] to what the loss makes of the network.

    Attributes
    ----------
    images, masks : ndarray, uint8 (N, H, W)
        The training part and nothing else; masks hold the share of a pixel that is covered.
    settings : SegmentationSettings
    loss : callable
        ``loss(network, image, mask)``, see `fetal_lib.training.segmentation_loss`.
    validation : pair of ndarray, optional
        Watched; it steers nothing unless ``patience`` is set.
    score : callable, optional
        Of the form of a loss; its mean over the validation part is ``val_score`` in the history.

    Raises
    ------
    ValueError
        If images and masks differ in shape.
    """

    images: np.ndarray
    masks: np.ndarray
    settings: SegmentationSettings
    loss: Loss
    validation: tuple[np.ndarray, np.ndarray] | None = None
    score: Loss | None = None

    def __post_init__(self) -> None:
        images, masks = self.images.shape, self.masks.shape
        if len(images) != 3 or images != masks or not images[0]:
            raise ValueError(
                f"masks: shape {masks}, images {images}; both must be (N, H, W), N >= 1."
            )

    def n_cases(self) -> int:
        return len(self.images)

    def batches(self, epoch: int) -> DataLoader:
        return self._loader(_Samples(self.images, self.masks, self.settings, epoch))

    def watched(self) -> DataLoader | None:
        if self.validation is None:
            return None
        return self._loader(_Samples(*self.validation, self.settings))

    def _loader(self, samples: _Samples) -> DataLoader:
        import torch
        from torch.utils.data import DataLoader

        # A loader draws a seed for its workers: from a generator of its own, or the noise of the
        # first epoch after a cut would differ from that of a fit that was not cut.
        how = {"num_workers": self.settings.n_workers, "generator": torch.Generator()}
        return DataLoader(samples, batch_size=self.settings.batch_size, **how)


class _Samples:
    """Images and masks as arrays (1, H, W); with an epoch, in its order and augmented."""

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        settings: SegmentationSettings,
        epoch: int | None = None,
    ) -> None:
        self.images, self.masks, self.settings, self.epoch = images, masks, settings, epoch
        self.order = np.arange(len(images))
        if epoch is not None:
            self.order = np.concatenate(epoch_batches(len(images), settings, epoch))

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        i, settings = int(self.order[position]), self.settings
        image, mask = self.images[i], self.masks[i]
        if self.epoch is None or settings.augmentation is None:
            return image[None] / np.float32(255), mask[None] / np.float32(255)
        rng = np.random.default_rng([settings.seed, self.epoch, 2, i])
        image, mask = augment_pair(image, mask, rng, settings.augmentation, settings.aspect)
        return image[None], mask[None]
