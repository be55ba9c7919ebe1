"""What Lightning is told of a fit: its steps, its optimiser, its checkpoints, its average."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from fetal_lib.training.diverged import DivergedFit
from fetal_lib.training.history import (
    HISTORY,
    DamagedFit,
    Progress,
    read_history,
    write_history,
)
from fetal_lib.training.torch_forward import seed_torch
from fetal_lib.training.torch_task import TorchTask

if TYPE_CHECKING:
    from torch import nn

LAST = "last.ckpt"


class FitModule(lightning.LightningModule):
    """A network and its task."""

    def __init__(self, network: nn.Module, task: TorchTask) -> None:
        super().__init__()
        self.network, self.task = network, task

    def on_train_epoch_start(self) -> None:
        seed_torch(self.task.settings.seed, self.current_epoch)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        value = self.task.loss(self.network, *batch)
        self.log("loss", value, on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return value

    def on_validation_model_eval(self) -> None:
        self.train(self.task.settings.validate_in_training_mode)

    def on_validation_start(self) -> None:
        self.kept_state = torch.get_rng_state()
        if not self.task.settings.validate_in_training_mode:
            torch.manual_seed(self.task.settings.seed)  # the same steps and noise at every epoch

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        how = {"batch_size": len(batch[0]), "sync_dist": True}
        self.log("val_loss", self.task.loss(self.network, *batch), **how)
        if self.task.score is not None:
            self.log("val_score", self.task.score(self.network, *batch), **how)

    def on_validation_end(self) -> None:
        torch.set_rng_state(self.kept_state)

    def configure_optimizers(self) -> dict[str, Any]:
        settings = self.task.settings
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            settings.learning_rate,
            weight_decay=settings.weight_decay,
            # One kernel a step: a twelfth of the time of a network of a thousand small tensors.
            # Lightning clips no gradients of it under mixed precision.
            fused=settings.precision == "32-true" and self.device.type in ("cpu", "cuda"),
        )
        steps = self.trainer.estimated_stepping_batches // settings.epochs  # an epoch
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: settings.rate_factor(step, steps)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def train_dataloader(self) -> Any:
        return self.task.batches(self.current_epoch)

    def is_watched(self) -> bool:
        """Say whether the validation part is watched after this epoch."""
        settings = self.task.settings
        return (settings.epochs - self.current_epoch - 1) % settings.watch_every == 0

    def val_dataloader(self) -> Any:
        return (self.task.watched() if self.is_watched() else None) or []


class EveryEpoch(ModelCheckpoint):
    """Write the history and a checkpoint after each epoch, then tell of it.

    Rows past the checkpoint, of an epoch that a kill cut off, are dropped on the way back in.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        keep = {"enable_version_counter": False, "save_on_train_epoch_end": True}
        super().__init__(dirpath=folder, filename=LAST.removesuffix(".ckpt"), **keep)
        self.folder, self.progress = folder, progress

    def on_train_start(self, trainer: lightning.Trainer, module: FitModule) -> None:
        super().on_train_start(trainer, module)
        self.rows = read_history(self.folder)[: trainer.current_epoch]
        if len(self.rows) < trainer.current_epoch:  # rows are written before their checkpoint
            raise DamagedFit(self.folder / HISTORY)
        if trainer.is_global_zero:
            write_history(self.folder, self.rows)

    def on_train_epoch_start(self, trainer: lightning.Trainer, module: FitModule) -> None:
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: FitModule) -> None:
        seconds = time.perf_counter() - self.start
        found = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()  # with what was watched before
            if module.is_watched() or not name.startswith("val_")
        }
        row = {"epoch": trainer.current_epoch + 1, **found, "seconds": seconds}
        row["images_per_s"] = module.task.n_cases() / seconds
        if not math.isfinite(row["loss"]):
            raise DivergedFit(row["epoch"], row["loss"])
        self.rows.append(row)
        if trainer.is_global_zero:
            write_history(self.folder, self.rows)
        super().on_train_epoch_end(trainer, module)
        if trainer.is_global_zero:
            self.progress("epoch", epochs=module.task.settings.epochs, **row)


class Average(Callback):
    """Keep the moving average of a network's parameters and batch statistics."""

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.values: dict[str, torch.Tensor] = {}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.values

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.values = dict(state)

    def on_train_start(self, trainer: lightning.Trainer, module: FitModule) -> None:
        state = module.network.state_dict()
        kept = self.values or {k: v.clone() for k, v in state.items() if v.is_floating_point()}
        self.values = {name: value.to(state[name].device) for name, value in kept.items()}

    @torch.no_grad()
    def on_train_batch_end(self, trainer: lightning.Trainer, module: FitModule, *_: Any) -> None:
        step = trainer.global_step - 1
        momentum = min(self.momentum, (1 + step) / (10 + step))  # young averages forget faster
        for name, value in module.network.state_dict().items():
            if name in self.values:
                self.values[name].lerp_(value, 1 - momentum)

    @torch.no_grad()
    def on_train_end(self, trainer: lightning.Trainer, module: FitModule) -> None:
        for name, value in module.network.state_dict().items():
            if name in self.values:
                value.copy_(self.values[name])
