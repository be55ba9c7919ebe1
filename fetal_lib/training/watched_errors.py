"""Keep the error of every watched case, epoch by epoch, beside a fit's history.

A fit's history holds one loss an epoch. An interval over cases needs the error of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.training.history import read_history

if TYPE_CHECKING:
    import torch
    from torch import nn


class WatchedSquaredError:
    """Mean squared error that writes down the squared error of each watched case.

    To be given as the loss of a task of `fetal_lib.training.torch_fit`, which watches without
    gradients: a call without gradients is one of watched cases, in their order. An epoch whose
    checkpoint was not reached is watched again, and its file written again.

    Parameters
    ----------
    folder : Path
        Of the fit; gets ``watched-<epoch>.npy``, float64 (N,), for each epoch.
    n : int
        Number of watched cases.
    """

    def __init__(self, folder: Path, n: int) -> None:
        self.folder, self.n = Path(folder), n
        self._parts: list[np.ndarray] = []

    def __call__(self, network: nn.Module, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error of a batch (B, 1)."""
        import torch
        from torch.nn.functional import mse_loss

        output = network(x)
        if not torch.is_grad_enabled():
            squared = mse_loss(output, target, reduction="none")
            self._parts.append(squared.double().cpu().numpy().mean(axis=1))
            if sum(map(len, self._parts)) == self.n:
                epoch = len(read_history(self.folder)) + 1
                np.save(watched_file(self.folder, epoch), np.concatenate(self._parts))
                self._parts = []
        return mse_loss(output, target)


def watched_file(folder: Path, epoch: int) -> Path:
    """Return where the squared errors of an epoch, counted from 1, are kept."""
    return Path(folder) / f"watched-{epoch}.npy"


def read_watched(folder: Path) -> np.ndarray:
    """Return the squared errors (E, N) of the watched cases after each epoch of a fit."""
    epochs = range(1, len(read_history(folder)) + 1)
    return np.stack([np.load(watched_file(folder, epoch)) for epoch in epochs])
