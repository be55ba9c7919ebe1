"""Fit a segmentation network with Lightning: checkpoints, resume, early stopping, mixed precision.

Each epoch draws its order, its augmentation and its dropout from ``(seed, epoch)`` alone and ends
with a checkpoint, so a fit that was killed goes on at the next epoch and sees the same samples.
Several graphics cards and nodes are a matter of ``devices``, ``n_nodes`` and ``strategy``. What
an epoch took, and how many images a second went through, is in the history.
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.models.torch_weights import load_torch_weights, save_torch_weights
from fetal_lib.training.lightning_module import LightningSettings, segmentation_module
from fetal_lib.training.segmentation_loss import Loss

if TYPE_CHECKING:
    import lightning
    from torch import nn

HISTORY, WEIGHTS = "history.jsonl", "weights.npz"
LAST, BEST = "last.ckpt", "best.ckpt"
Progress = Callable[..., None]


def fit_segmenter(
    folder: str | Path,
    network: nn.Module,
    images: np.ndarray,
    masks: np.ndarray,
    settings: LightningSettings,
    loss: Loss,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    progress: Progress = lambda event, **fields: None,
    score: Loss | None = None,
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoints live; a checkpoint is gone on from. In the end it holds
        ``weights.npz`` and ``history.jsonl``.
    network : torch.nn.Module
        Changed in place, and left in evaluation mode on the processor, with the weights as they
        are kept on disk.
    images, masks : ndarray, uint8 (N, H, W)
        The training part and nothing else; masks hold the share of a pixel that is covered.
    settings : LightningSettings
    loss : callable
        ``loss(network, image, mask)``, see `fetal_lib.training.segmentation_loss`.
    validation : pair of ndarray, optional
        Watched; it steers nothing unless ``patience`` is set.
    progress : callable
        Called with the word ``epoch`` and the row of the history.
    score : callable, optional
        Of the form of a loss; its mean over the validation part is ``val_score`` in the history.

    Raises
    ------
    ValueError
        If ``patience`` is set without a validation part, or images and masks differ in shape.
    """
    _check(images, masks, settings, validation)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / WEIGHTS).is_file():
        module = segmentation_module(network, (images, masks), settings, loss, validation, score)
        _train(folder, module, settings, validation is not None, progress)
        save_torch_weights(network, folder / f"part-{WEIGHTS}")
        (folder / f"part-{WEIGHTS}").replace(folder / WEIGHTS)
        for name in (LAST, BEST):
            (folder / name).unlink(missing_ok=True)
    load_torch_weights(network, folder / WEIGHTS)
    network.cpu().eval()


def read_fit_history(folder: str | Path) -> list[dict[str, float]]:
    """Return a row an epoch: ``epoch, loss, val_loss, val_score, seconds, images_per_s``."""
    path = Path(folder) / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _check(
    images: np.ndarray,
    masks: np.ndarray,
    settings: LightningSettings,
    validation: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    if images.ndim != 3 or images.shape != masks.shape or not len(images):
        raise ValueError(
            f"masks: shape {masks.shape}, images {images.shape}; both must be (N, H, W), N >= 1."
        )
    if settings.patience and (validation is None or not len(validation[0])):
        raise ValueError(
            f"patience={settings.patience}: stopping early needs a validation part; give one, or "
            "patience=0."
        )


def _train(
    folder: Path,
    module: lightning.LightningModule,
    settings: LightningSettings,
    watched: bool,
    progress: Progress,
) -> None:
    """Run the trainer and leave the weights that are kept in the network."""
    import torch

    trainer = _trainer(folder, settings, watched, progress)
    last = folder / LAST
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few workers, few batches, no logger: all as intended
        trainer.fit(module, ckpt_path=str(last) if last.is_file() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    best = folder / BEST
    if settings.patience and best.is_file():
        state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(state)
    module.network.cpu()


def _trainer(
    folder: Path, settings: LightningSettings, watched: bool, progress: Progress
) -> lightning.Trainer:
    import lightning
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    keep = {"dirpath": folder, "enable_version_counter": False}
    callbacks: list[Any] = [_history_callback(folder, settings, progress)]
    if settings.patience:
        callbacks.append(EarlyStopping("val_loss", patience=settings.patience))
        callbacks.append(ModelCheckpoint(filename="best", monitor="val_loss", **keep))
    callbacks.append(ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **keep))
    return lightning.Trainer(
        max_epochs=settings.epochs,
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.n_nodes,
        strategy=settings.strategy,
        precision=settings.precision,
        gradient_clip_val=settings.clip or None,
        callbacks=callbacks,
        reload_dataloaders_every_n_epochs=1,  # an epoch's samples depend on its number
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if watched else 0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _history_callback(
    folder: Path, settings: LightningSettings, progress: Progress
) -> lightning.Callback:
    """Return a callback that writes a row an epoch, and drops rows past a checkpoint."""
    from lightning.pytorch.callbacks import Callback

    class History(Callback):
        def on_train_start(self, trainer: Any, module: Any) -> None:
            self.rows = read_fit_history(folder)[: trainer.current_epoch]

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            self.start = time.perf_counter()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            seconds = time.perf_counter() - self.start
            found = {name: float(value) for name, value in trainer.callback_metrics.items()}
            row = {"epoch": trainer.current_epoch + 1, **found, "seconds": seconds}
            row["images_per_s"] = len(module.data[0]) / seconds
            self.rows.append(row)
            if trainer.is_global_zero:
                part = folder / f"{HISTORY}.part"
                part.write_text("".join(json.dumps(r) + "\n" for r in self.rows))
                part.replace(folder / HISTORY)
                progress("epoch", epochs=settings.epochs, **row)

    return History()
