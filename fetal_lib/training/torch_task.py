"""What a PyTorch fit is told: its hyper-parameters, and a task with a loss and batches."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

PLACE = ("accelerator", "devices", "n_nodes", "strategy", "n_workers")
NOT_FITTED = (*PLACE, "watch_every")
"""Settings that change no weight."""
START_SHARE = 0.05
"""Of the peak learning rate, where the warm-up starts."""
Loss = Callable[["nn.Module", "torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""``loss(network, input, target)``, so that one loop serves plain and diffusion networks."""


@dataclass(frozen=True)
class TorchSettings:
    """Hyper-parameters of a fit, and where it runs.

    Attributes
    ----------
    epochs : int
    batch_size : int
        On each device.
    learning_rate : float
        Of AdamW; the peak of the schedule.
    weight_decay : float
        0 is plain Adam.
    schedule : str
        ``"cosine"``, after a warm-up of an epoch, or ``"constant"``.
    clip : float
        Largest norm of the gradient; 0 does not clip.
    ema : float
        Momentum of the moving average of weights, which is kept; 0 keeps the last weights.
    patience : int
        Stop when the validation loss has not fallen for so many epochs, and keep the best
        weights; 0 takes all epochs.
    watch_every : int
        The validation part is watched after the last epoch and every so many before it; 1 with
        ``patience``.
    validate_in_training_mode : bool
        Leave the network in training mode while the validation part is watched, as source 004
        does by never calling ``eval()``: its batches then change the batch statistics.
    precision : str
        Of Lightning, see `fetal_lib.training.precision.lightning_precision`.
    seed : int
    accelerator, devices, n_nodes, strategy, n_workers
        Where it runs, as Lightning has it; no part of what is fitted. ``accelerator="auto"``
        takes a graphics card where there is one.
    """

    epochs: int
    batch_size: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: str = "cosine"
    clip: float = 0.0
    ema: float = 0.0
    patience: int = 0
    watch_every: int = 1
    validate_in_training_mode: bool = False
    precision: str = "32-true"
    seed: int = 0
    accelerator: str = "auto"
    devices: int | str = 1
    n_nodes: int = 1
    strategy: str = "auto"
    n_workers: int = 0

    def as_spec(self) -> dict[str, Any]:
        """Return plain values for a cache key: those that change a weight."""
        return {name: value for name, value in asdict(self).items() if name not in NOT_FITTED}

    def rate_factor(self, step: int, steps_per_epoch: int) -> float:
        """Return the share of the peak learning rate at a step, counted from 0.

        Examples
        --------
        >>> settings = TorchSettings(epochs=11)
        >>> [round(settings.rate_factor(step, 2), 2) for step in (0, 1, 11, 21)]
        [0.53, 1.0, 0.5, 0.0]
        """
        if self.schedule == "constant":
            return 1.0
        epoch, position = divmod(step, steps_per_epoch)
        done = epoch + (position + 1) / steps_per_epoch
        warm = min(1.0, self.epochs / 2)
        if done < warm:
            return START_SHARE + (1 - START_SHARE) * done / warm
        share = (done - warm) / max(self.epochs - warm, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class TorchTask(ABC):
    """What a fit is told; tasks overwrite what is theirs.

    Batches are pairs of tensors, input and target, in whatever knows its length and can be gone
    through: a data loader, or `Batches`.
    """

    settings: TorchSettings
    loss: Loss
    score: Loss | None = None

    @abstractmethod
    def n_cases(self) -> int:
        """Return the number of cases of the training part."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[Any]:
        """Return the batches of an epoch, from ``(seed, epoch)`` alone."""

    @abstractmethod
    def watched(self) -> Iterable[Any] | None:
        """Return the batches of the validation part, None without one."""


class Batches:
    """Batches that are made as they are gone through, and know their number."""

    def __init__(self, n: int, make: Callable[[], Iterable[Any]]) -> None:
        self.n, self.make = n, make

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Any:
        return iter(self.make())
