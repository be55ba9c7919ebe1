"""Inputs and targets of any shape in memory as a task of the PyTorch fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.torch_forward import as_tensor
from fetal_lib.training.torch_task import Batches, Loss, TorchSettings, TorchTask
from fetal_lib.training.volume_augment import Augment

if TYPE_CHECKING:
    import torch
    from torch import nn

Pair = tuple["torch.Tensor", "torch.Tensor"]


@dataclass(frozen=True)
class Arrays(TorchTask):
    """Learn targets from inputs, rows of two arrays, on one device.

    Attributes
    ----------
    x, y : ndarray, length N
        Input and target of the training part and nothing else; rows become tensors of the same
        type, so give float32 for numbers and int64 for classes.
    settings : TorchSettings
    loss : callable
        Of ``(network, x, y)`` to a scalar tensor; see `of_output`.
    validation : pair of ndarray, optional
        Watched; it steers nothing unless ``patience`` is set.
    augment : callable, optional
        ``(x, y, rng)`` of a batch to new arrays.
    """

    x: np.ndarray
    y: np.ndarray
    settings: TorchSettings
    loss: Loss
    validation: tuple[np.ndarray, np.ndarray] | None = None
    augment: Augment | None = None

    def n_cases(self) -> int:
        return len(self.x)

    def batches(self, epoch: int) -> Batches:
        order = epoch_batches(len(self.x), self.settings, epoch)
        return Batches(len(order), lambda: self._drawn(order, epoch))

    def watched(self) -> Batches | None:
        if self.validation is None:
            return None
        x, y = (as_tensor(part) for part in self.validation)
        size = self.settings.batch_size
        parts = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]
        return Batches(len(parts), lambda: parts)

    def _drawn(self, order: list[np.ndarray], epoch: int) -> Iterator[Pair]:
        rng = np.random.default_rng([self.settings.seed, epoch, 2])
        for rows in order:
            x, y = self.x[rows], self.y[rows]
            if self.augment is not None:
                x, y = self.augment(x, y, rng)
            yield as_tensor(x), as_tensor(y)


def of_output(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Loss:
    """Return a loss of ``(network, x, y)`` from one of ``(output, target)``."""

    def on_network(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return loss(network(x), y)

    return on_network


def epoch_batches(n: int, settings: TorchSettings, epoch: int) -> list[np.ndarray]:
    """Return the positions of each batch of an epoch, from ``(seed, epoch)``.

    Where there is more than one batch all are whole; which cases are left out changes.
    """
    order = np.random.default_rng([settings.seed, epoch, 1]).permutation(n)
    size = min(settings.batch_size, n)
    return np.split(order[: n - n % size], n // size)
