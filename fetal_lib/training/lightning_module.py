"""What Lightning is told of a segmentation fit: its steps, its optimiser, its samples."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.training.augment import Augmentation, augment_pair
from fetal_lib.training.segmentation_loss import Loss

if TYPE_CHECKING:
    import lightning
    import torch
    from torch import nn

WARM_EPOCHS = 1.0
PLACE = ("accelerator", "devices", "n_nodes", "strategy", "n_workers")


@dataclass(frozen=True)
class LightningSettings:
    """Hyper-parameters of a fit, and where it runs.

    Attributes
    ----------
    epochs : int
    batch_size : int
        On each device.
    learning_rate, weight_decay : float
        Of AdamW; the rate warms up for an epoch and falls along a cosine.
    clip : float
        Largest norm of the gradient; 0 does not clip.
    patience : int
        Stop when the validation loss has not fallen for so many epochs, and keep the best
        weights; 0 takes all epochs and keeps the last.
    augmentation : Augmentation or None
    aspect : float
        Width over height of the scans before squashing, for the augmentation.
    precision : str
        Of Lightning: ``32-true``, ``bf16-mixed``, ``16-mixed``.
    seed : int
    accelerator, devices, n_nodes, strategy, n_workers
        Where it runs, as Lightning has it; no part of what is fitted.
    """

    epochs: int
    batch_size: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    clip: float = 1.0
    patience: int = 0
    augmentation: Augmentation | None = Augmentation()
    aspect: float = 1.0
    precision: str = "32-true"
    seed: int = 0
    accelerator: str = "auto"
    devices: int | str = "auto"
    n_nodes: int = 1
    strategy: str = "auto"
    n_workers: int = 0

    def as_spec(self) -> dict[str, Any]:
        """Return plain values for a cache key, without the place where the fit runs."""
        return {name: value for name, value in asdict(self).items() if name not in PLACE}


def segmentation_module(
    network: nn.Module,
    data: tuple[np.ndarray, np.ndarray],
    settings: LightningSettings,
    loss: Loss,
    validation: tuple[np.ndarray, np.ndarray] | None,
    score: Loss | None,
) -> lightning.LightningModule:
    """Wrap a network for Lightning; parameters as for `lightning_fit.fit_segmenter`."""
    import lightning
    import torch

    class Segmentation(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.data = network, data

        def on_train_epoch_start(self) -> None:
            words = np.random.SeedSequence([settings.seed, self.current_epoch])
            torch.manual_seed(int(words.generate_state(1)[0]))

        def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
            value = loss(self.network, *batch)
            self.log("loss", value, on_step=False, on_epoch=True, batch_size=len(batch[0]))
            return value

        def on_validation_start(self) -> None:
            self.kept_state = torch.get_rng_state()
            torch.manual_seed(settings.seed)  # the same steps and noise at every epoch

        def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
            how = {"batch_size": len(batch[0]), "sync_dist": True}
            self.log("val_loss", loss(self.network, *batch), **how)
            if score is not None:
                self.log("val_score", score(self.network, *batch), **how)

        def on_validation_end(self) -> None:
            torch.set_rng_state(self.kept_state)

        def configure_optimizers(self) -> dict[str, Any]:
            optimizer = torch.optim.AdamW(
                self.network.parameters(),
                settings.learning_rate,
                weight_decay=settings.weight_decay,
            )
            total = self.trainer.estimated_stepping_batches
            warm = min(WARM_EPOCHS * total / settings.epochs, total / 2)
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: rate_factor(step, warm, total)
            )
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"},
            }

        def train_dataloader(self) -> torch.utils.data.DataLoader:
            samples = _Samples(*data, settings, self.current_epoch)
            return _loader(samples, settings)

        def val_dataloader(self) -> Any:
            return _loader(_Samples(*validation, settings), settings) if validation else []

    return Segmentation()


def rate_factor(step: int, warm: float, total: float) -> float:
    """Return the share of the peak learning rate at a step: a line up, then a cosine down.

    Examples
    --------
    >>> [round(rate_factor(step, 10, 110), 2) for step in (0, 9, 10, 60, 110)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if step < warm:
        return (step + 1) / warm if warm >= 1 else 1.0
    share = (step - warm) / max(total - warm, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class _Samples:
    """Images and masks as tensors (1, H, W); with an epoch, in its order and augmented."""

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        settings: LightningSettings,
        epoch: int | None = None,
    ) -> None:
        self.images, self.masks, self.settings, self.epoch = images, masks, settings, epoch
        self.order = np.arange(len(images))
        if epoch is not None:
            rng = np.random.default_rng([settings.seed, epoch, 1])
            whole = len(images) - len(images) % min(settings.batch_size, len(images))
            self.order = rng.permutation(len(images))[:whole]

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


def _loader(samples: _Samples, settings: LightningSettings) -> torch.utils.data.DataLoader:
    from torch.utils.data import DataLoader

    return DataLoader(samples, batch_size=settings.batch_size, num_workers=settings.n_workers)
