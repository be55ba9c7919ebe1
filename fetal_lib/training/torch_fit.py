"""Fit a PyTorch network with Lightning, one resumable epoch at a time, whatever its task.

Each epoch draws its order, its augmentation and its dropout from ``(seed, epoch)`` alone and ends
with a checkpoint, so a fit that was killed goes on at the next epoch and sees the same samples.
Several graphics cards and nodes are a matter of ``devices``, ``n_nodes`` and ``strategy``. What
an epoch took, and how many images a second went through, is in the history.
"""

from __future__ import annotations

import logging
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.models.torch_weights import load_torch_weights, save_torch_weights
from fetal_lib.training.history import WEIGHTS, DamagedFit, Progress, unheard
from fetal_lib.training.torch_forward import choose_device
from fetal_lib.training.torch_task import TorchTask

if TYPE_CHECKING:
    import lightning
    from torch import nn

BEST = "best.ckpt"


def fit_torch(
    folder: str | Path, network: nn.Module, task: TorchTask, progress: Progress = unheard
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoints live; a checkpoint is gone on from. In the end it holds
        ``weights.npz`` and ``history.jsonl``.
    network : torch.nn.Module
        The untrained network; changed in place, and left in evaluation mode on the processor,
        with the weights as they are kept on disk.
    task : TorchTask
        Such as `fetal_lib.training.torch_segmentation.Segmentation`.
    progress : callable
        Called with the word ``epoch`` and the row of the history.

    Raises
    ------
    ValueError
        If ``patience`` is set without a validation part, or together with ``ema`` or
        ``watch_every``.
    DamagedFit
        If a checkpoint is not the file that was written.
    DivergedFit
        If the loss of an epoch is no number; the checkpoint is that of the epoch before.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if task.settings.patience and not len(task.watched() or ()):
        raise ValueError(
            f"patience={task.settings.patience}: stopping early needs a validation part; give "
            "one, or patience=0."
        )
    if task.settings.patience and task.settings.ema:
        raise ValueError(
            f"patience={task.settings.patience} and ema={task.settings.ema}: the best epoch's "
            "weights and the average of all are two ways to choose; set one of them to 0."
        )
    if task.settings.patience and task.settings.watch_every > 1:
        raise ValueError(
            f"patience={task.settings.patience} and watch_every={task.settings.watch_every}: "
            "stopping early looks at every epoch; set watch_every to 1."
        )
    if not (folder / WEIGHTS).is_file():
        trainer = _train(folder, network, task, progress)
        if trainer.is_global_zero:  # each process of a node of SLURM's comes here
            save_torch_weights(network, folder / f"part-{WEIGHTS}")
            (folder / f"part-{WEIGHTS}").replace(folder / WEIGHTS)
            for checkpoint in folder.glob("*.ckpt"):
                checkpoint.unlink()
        trainer.strategy.barrier()  # none reads the weights before they are written
    load_torch_weights(network, folder / WEIGHTS)
    network.cpu().eval()


def _train(
    folder: Path, network: nn.Module, task: TorchTask, progress: Progress
) -> lightning.Trainer:
    """Run the trainer and leave the weights that are kept in the network, in each process."""
    import torch

    from fetal_lib.training.torch_module import LAST, FitModule

    trainer, module = _trainer(folder, task, progress), FitModule(network, task)
    last, best = folder / LAST, folder / BEST
    _require_whole(last)
    _require_whole(best)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few workers, few batches, no logger: all as intended
        trainer.fit(module, ckpt_path=str(last) if last.is_file() else None)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if task.settings.patience and best.is_file():
        state = torch.load(best, map_location="cpu", weights_only=True)["state_dict"]
        module.load_state_dict(state)
    trainer.strategy.barrier()  # none deletes a checkpoint that another still reads
    network.cpu()
    return trainer


def _require_whole(checkpoint: Path) -> None:
    """Ask a checkpoint, which is a zip archive, for its own sums of its bytes."""
    if checkpoint.is_file():
        try:
            with zipfile.ZipFile(checkpoint) as archive:
                first_bad = archive.testzip()
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise DamagedFit(checkpoint) from error
        if first_bad is not None:
            raise DamagedFit(checkpoint)


def _trainer(folder: Path, task: TorchTask, progress: Progress) -> lightning.Trainer:
    import lightning
    from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

    from fetal_lib.training.torch_module import Average, EveryEpoch

    settings = task.settings
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    callbacks: list[Callback] = [Average(settings.ema)] if settings.ema else []
    if settings.patience:
        keep = {"dirpath": folder, "enable_version_counter": False, "monitor": "val_loss"}
        callbacks.append(EarlyStopping("val_loss", patience=settings.patience))
        callbacks.append(ModelCheckpoint(filename=BEST.removesuffix(".ckpt"), **keep))
    on_card = choose_device() == "cuda"
    place = (
        ("gpu" if on_card else "cpu") if settings.accelerator == "auto" else settings.accelerator
    )
    return lightning.Trainer(
        max_epochs=settings.epochs,
        accelerator=place,
        devices=settings.devices,
        num_nodes=settings.n_nodes,
        strategy=settings.strategy,
        precision=settings.precision,
        gradient_clip_val=settings.clip or None,
        callbacks=[*callbacks, EveryEpoch(folder, progress)],
        reload_dataloaders_every_n_epochs=1,  # an epoch's samples depend on its number
        num_sanity_val_steps=0,
        limit_val_batches=0 if task.watched() is None else 1.0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
