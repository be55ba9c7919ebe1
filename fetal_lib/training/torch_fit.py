"""Fit a PyTorch network, one resumable epoch at a time.

The loop for what has no Trainer around it: any network, any loss, arrays in memory. Each epoch
draws its order, its augmentation and its dropout from ``(seed, epoch)`` alone and ends with a
checkpoint of weights, optimiser, average and history. A fit that was killed goes on at the next
epoch and sees the same samples as one that was not. The learning rate warms up for an epoch and
falls along a cosine, unless it is to stay; the weights that are kept are the last ones, or their
moving average.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.models.torch_weights import load_torch_weights, save_torch_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

CHECKPOINT = "checkpoint.pt"
HISTORY = "history.jsonl"
WEIGHTS = "weights.npz"
Augment = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class TorchFitSettings:
    """Hyper-parameters of a fit.

    Attributes
    ----------
    epochs : int
    batch_size : int
    learning_rate : float
        Of Adam; the peak of the schedule.
    weight_decay : float
        Of AdamW; 0 is plain Adam.
    ema : float
        Momentum of the moving average of weights; 0 keeps the last weights.
    schedule : str
        ``"cosine"``, after a warm-up, or ``"constant"``, as the source has it.
    validate_in_training_mode : bool
        Leave the network in training mode while the validation part is watched, as the source
        does by never calling ``eval()``: its batches then change the batch statistics.
    device : str
        ``"auto"`` takes a graphics card where there is one; or a PyTorch device.
    seed : int
    """

    epochs: int
    batch_size: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    ema: float = 0.0
    schedule: str = "cosine"
    validate_in_training_mode: bool = False
    device: str = "auto"
    seed: int = 0

    def as_spec(self) -> dict:
        """Return plain values for a cache key; the device is no part of it."""
        values = asdict(self)
        del values["device"]
        return values


def choose_device(device: str = "auto") -> str:
    """Return the name of the PyTorch device for ``"auto"`` or a device's name."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(torch.device(device))


def seed_torch(seed: int, epoch: int = 0) -> None:
    """Seed what PyTorch draws from by ``(seed, epoch)``."""
    import torch

    torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def epoch_batches(n: int, settings: TorchFitSettings, epoch: int) -> list[np.ndarray]:
    """Return the positions of each batch of an epoch, from ``(seed, epoch)``.

    Where there is more than one batch all are whole; which cases are left out changes.
    """
    order = np.random.default_rng([settings.seed, epoch, 1]).permutation(n)
    size = min(settings.batch_size, n)
    return np.split(order[: n - n % size], n // size)


def fit_network(
    folder: str | Path,
    network: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    settings: TorchFitSettings,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    augment: Augment | None = None,
    progress: Callable[..., None] = lambda event, **fields: None,
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoint and history live; a checkpoint is gone on from. In the end it holds
        ``weights.npz`` and ``history.jsonl``.
    network : torch.nn.Module
        The untrained network; changed in place, and left on its device in evaluation mode, with
        the weights as they are kept on disk.
    x, y : ndarray, length N
        Input and target of the training part and nothing else; rows become tensors of the same
        type, so give float32 for numbers and int64 for classes.
    settings : TorchFitSettings
    loss : callable
        (output, target) to a scalar tensor.
    validation : pair of ndarray, optional
        Watched, and written to the history as ``val_loss``; it steers nothing.
    augment : callable, optional
        ``(x, y, rng)`` of a batch to new arrays.
    progress : callable
        Called with the word ``epoch`` and the row of the history.
    """
    import torch

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    device = choose_device(settings.device)
    network.to(device)
    if not (folder / WEIGHTS).is_file():
        optimizer = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        average = _Average(network, settings.ema)
        history = _restore(folder, network, optimizer, average, device)
        for epoch in range(len(history), settings.epochs):
            start = time.perf_counter()
            seed_torch(settings.seed, epoch)
            value = _train_epoch(
                network, optimizer, average, x, y, settings, epoch, loss, augment, device
            )
            row = {"epoch": epoch + 1, "loss": value}
            if validation is not None:
                row["val_loss"] = _watch(network, *validation, settings, loss, device)
            row["seconds"] = time.perf_counter() - start
            history.append(row)
            _checkpoint(folder, network, optimizer, average, history)
            progress("epoch", epochs=settings.epochs, **row)
        average.copy_to(network)
        save_torch_weights(network, folder / f"part-{WEIGHTS}")
        (folder / f"part-{WEIGHTS}").replace(folder / WEIGHTS)
        for checkpoint in folder.glob(f"*{CHECKPOINT}"):
            checkpoint.unlink()
    load_torch_weights(network, folder / WEIGHTS)
    network.eval()


def predict_network(
    network: nn.Module, x: np.ndarray, batch_size: int = 4, device: str = "auto"
) -> np.ndarray:
    """Return a network's output for rows of an array, in evaluation mode.

    The network is left in the mode that it was in.
    """
    import torch

    device = choose_device(device)
    network.to(device)
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [
            network(_tensor(x[i : i + batch_size], device)).float().cpu().numpy()
            for i in range(0, len(x), batch_size)
        ]
    network.train(was_training)
    return np.concatenate(parts)


def read_torch_history(folder: str | Path) -> list[dict]:
    """Return the rows of a fit's history, one an epoch; empty before the first."""
    path = Path(folder) / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class _Average:
    """The moving average of a network's parameters and batch statistics."""

    def __init__(self, network: nn.Module, momentum: float) -> None:
        self.momentum = momentum
        self.values: dict[str, torch.Tensor] = {}
        if momentum:
            self.values = {k: v.detach().clone() for k, v in network.state_dict().items()}
            self.values = {k: v for k, v in self.values.items() if v.is_floating_point()}

    def update(self, network: nn.Module, step: int) -> None:
        import torch

        momentum = min(self.momentum, (1 + step) / (10 + step))  # young averages forget faster
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if name in self.values:
                    self.values[name].lerp_(value, 1 - momentum)

    def copy_to(self, network: nn.Module) -> None:
        import torch

        with torch.no_grad():
            for name, value in network.state_dict().items():
                if name in self.values:
                    value.copy_(self.values[name])


def _tensor(array: np.ndarray, device: str) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def learning_rate(settings: TorchFitSettings, progress: float) -> float:
    """Return the learning rate after a number of epochs, which may be a fraction.

    Examples
    --------
    >>> settings = TorchFitSettings(epochs=11, learning_rate=1.0)
    >>> [round(learning_rate(settings, t), 2) for t in (0.5, 1, 6, 11)]
    [0.53, 1.0, 0.5, 0.0]
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    warm = min(1.0, settings.epochs / 2)
    if progress < warm:
        return settings.learning_rate * (0.05 + 0.95 * progress / warm)
    share = (progress - warm) / max(settings.epochs - warm, 1e-9)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def _train_epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: _Average,
    x: np.ndarray,
    y: np.ndarray,
    settings: TorchFitSettings,
    epoch: int,
    loss: Callable,
    augment: Augment | None,
    device: str,
) -> float:
    """Take one step a batch; return the mean loss."""
    network.train()
    batches = epoch_batches(len(x), settings, epoch)
    rng = np.random.default_rng([settings.seed, epoch, 2])
    values = []
    for i, batch in enumerate(batches):
        done = epoch + (i + 1) / len(batches)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, done)
        inputs, targets = x[batch], y[batch]
        if augment is not None:
            inputs, targets = augment(inputs, targets, rng)
        optimizer.zero_grad(set_to_none=True)
        value = loss(network(_tensor(inputs, device)), _tensor(targets, device))
        value.backward()
        optimizer.step()
        average.update(network, epoch * len(batches) + i)
        values.append(value.item())
    return float(np.mean(values))


def _watch(
    network: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    settings: TorchFitSettings,
    loss: Callable,
    device: str,
) -> float:
    """Return the mean loss of cases that are not trained on."""
    import torch

    network.train(settings.validate_in_training_mode)
    size, total = settings.batch_size, 0.0
    with torch.no_grad():
        for i in range(0, len(x), size):
            inputs, targets = x[i : i + size], y[i : i + size]
            value = loss(network(_tensor(inputs, device)), _tensor(targets, device)).item()
            total += value * len(inputs)
    return total / len(x)


def _restore(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: _Average,
    device: str,
) -> list[dict]:
    import torch

    history = read_torch_history(folder)
    if history:
        path = folder / f"{len(history)}-{CHECKPOINT}"
        state = torch.load(path, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.values = state["average"]
    return history


def _checkpoint(
    folder: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: _Average,
    history: list[dict],
) -> None:
    """Write weights first, then the history that names them, then drop the old weights."""
    import torch

    current = folder / f"{len(history)}-{CHECKPOINT}"
    part = folder / f"part-{CHECKPOINT}"
    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state | {"average": average.values}, part)
    part.replace(current)
    text = folder / f"{HISTORY}.part"
    text.write_text("".join(json.dumps(row) + "\n" for row in history))
    text.replace(folder / HISTORY)
    for old in folder.glob(f"*-{CHECKPOINT}"):
        if old != current:
            old.unlink()
