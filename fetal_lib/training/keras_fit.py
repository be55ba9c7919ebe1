"""Fit a Keras network, one resumable epoch at a time, whatever its task.

A task says what is minimised, which batches an epoch has, and what is watched. Each epoch draws
its order, its augmentation and its dropout from ``(seed, epoch)`` alone and ends with a checkpoint
of weights, optimiser and history; rate and stopping follow from the history. A fit that was killed
therefore goes on at the next epoch and ends as one that was not.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.training.history import WEIGHTS, Progress, unheard
from fetal_lib.training.keras_checkpoint import (
    drop_checkpoints,
    restore,
    save_checkpoint,
    seed_dropout,
    write_weights,
)

if TYPE_CHECKING:
    import keras

    Batch = tuple[np.ndarray, ...]
    """Input, target, and where it has some the weights of its cases."""

BEST = "best.npz"
START_SHARE = 0.05
"""Of the peak learning rate, at the first step of the warm-up."""


@dataclass(frozen=True)
class KerasSettings:
    """Hyper-parameters that every fit has.

    Attributes
    ----------
    epochs : int
        0 keeps the weights that the network came with.
    batch_size : int
    learning_rate : float
        Of Adam; the peak of the schedule.
    schedule : str
        ``"cosine"``, after a warm-up of an epoch, or ``"constant"``: it stays at its peak.
    seed : int
    """

    epochs: int
    batch_size: int = 8
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    seed: int = 0
    ema = 0.0  # a hyper-parameter of those settings that declare it

    @property
    def all_epochs(self) -> int:
        """Number of passes."""
        return self.epochs

    def as_spec(self) -> dict[str, Any]:
        """Return plain values for a cache key."""
        return asdict(self)


@dataclass(frozen=True)
class Standing:
    """Say where a fit stands before its next epoch.

    Attributes
    ----------
    over : bool
        There is no next epoch.
    learning_rate : float or None
        Of the next epoch; None leaves it to the optimiser's own schedule.
    best : int or None
        The epoch, from 0, whose weights are kept; None keeps the last ones.
    """

    over: bool
    learning_rate: float | None = None
    best: int | None = None


class KerasTask(ABC):
    """What a fit is told; tasks overwrite what is theirs."""

    settings: KerasSettings
    metrics: tuple[str, ...] = ()

    @abstractmethod
    def n_cases(self) -> int:
        """Return the number of cases of the training part."""

    @abstractmethod
    def loss(self) -> Any:
        """Return what is minimised, a loss of Keras or a function of (target, output)."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[Batch]:
        """Yield the batches of an epoch, from ``(seed, epoch)`` alone."""

    def watch(self, network: keras.Model, epoch: int) -> dict[str, float]:
        """Return figures of cases that are not trained on."""
        return {}

    def standing(self, history: list[dict]) -> Standing:
        """Return where a fit with this history stands."""
        return Standing(over=len(history) >= self.settings.all_epochs)

    def optimizer(self) -> keras.optimizers.Adam:
        """Return Adam with the schedule and the average of the settings."""
        steps = max(1, self.n_cases() // self.settings.batch_size)
        return make_adam(self.settings, steps)


def fit_keras(
    folder: str | Path, network: keras.Model, task: KerasTask, progress: Progress = unheard
) -> None:
    """Fit a network, or go on with a fit that was interrupted.

    Parameters
    ----------
    folder : path
        Where checkpoint and history live; a checkpoint is gone on from. In the end it holds
        ``weights.npz`` (rounded as `fetal_lib.models.weights` says: those of the best epoch where
        the task names one, averaged where the settings say so) and ``history.jsonl``.
    network : keras.Model
        The untrained network; changed in place.
    task : KerasTask
        Such as `fetal_lib.training.keras_segmentation.Segmentation`.
    progress : callable
        Called with the word ``epoch`` and the row of the history.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WEIGHTS).is_file():  # killed after the last step: nothing is left to do
        return
    settings = task.settings
    network.compile(task.optimizer(), task.loss(), weighted_metrics=list(task.metrics))
    network.optimizer.build(network.trainable_variables)
    history = restore(network, folder)
    while not (standing := task.standing(history)).over:
        epoch, start = len(history), time.perf_counter()
        if standing.learning_rate is not None:
            network.optimizer.learning_rate.assign(standing.learning_rate)
        seed_dropout(network, settings.seed, epoch)
        row = {"epoch": epoch + 1} | _train_epoch(network, task.batches(epoch))
        row |= task.watch(network, epoch)
        if standing.learning_rate is not None:
            row["learning_rate"] = standing.learning_rate
        history.append(row | {"seconds": time.perf_counter() - start})
        if task.standing(history).best == epoch:
            write_weights(network, folder / BEST)
        save_checkpoint(network, folder, history)
        progress("epoch", epochs=settings.all_epochs, **history[-1])
    if standing.best is not None:
        (folder / BEST).replace(folder / WEIGHTS)
    else:
        if settings.ema and history:
            network.optimizer.finalize_variable_values(network.trainable_variables)
        write_weights(network, folder / WEIGHTS)
    drop_checkpoints(folder)


def _train_epoch(network: keras.Model, batches: Iterable[Batch]) -> dict[str, float]:
    """Take one step a batch; return the means of loss and metrics over the batches.

    Not ``Model.fit``: each of its calls ends by writing the moving average over the weights,
    so that one call an epoch trains the average, which learns many times more slowly.
    """
    rows = []
    for batch in batches:
        if network.train_function is None:
            _build_metrics(network, *batch)
        row = network.train_on_batch(*batch, return_dict=True)
        rows.append({name: float(value) for name, value in row.items()})
        network.reset_metrics()  # they would go on as means over all batches so far
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _build_metrics(network: keras.Model, x: Any, y: Any, weights: Any = None) -> None:
    """Build loss and metrics before the first step, which is then traced once.

    A function that makes variables is traced a second time by TensorFlow: seconds a network.
    """
    from keras import ops

    shape = network.output_shape[1:]
    found = ops.zeros(y.shape if None in shape else (len(y), *shape))
    network.compute_loss(x, y, found, weights)
    network.compute_metrics(x, y, found, weights)
    network.reset_metrics()


def whole_batches(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Yield an order of cases in whole batches, for like batch statistics.

    What is left over is left out, unless there is no whole batch.

    Parameters
    ----------
    order : ndarray, shape (N,), int
    batch_size : int

    Examples
    --------
    >>> [rows.tolist() for rows in whole_batches(np.arange(7), 3)]
    [[0, 1, 2], [3, 4, 5]]
    >>> [rows.tolist() for rows in whole_batches(np.arange(2), 3)]
    [[0, 1]]
    """
    size = min(batch_size, len(order))
    yield from np.split(order[: len(order) - len(order) % size], len(order) // size)


def make_adam(settings: KerasSettings, steps_per_epoch: int) -> keras.optimizers.Adam:
    """Return Adam whose rate stays, or warms up for an epoch and falls along a cosine to 0.

    Parameters
    ----------
    settings : KerasSettings
        Rate, schedule, and the momentum ``ema`` of the moving average of weights, if any.
    steps_per_epoch : int
    """
    import keras

    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate * START_SHARE,
            decay_steps=max(1, steps_per_epoch * (settings.all_epochs - 1)),
            warmup_target=settings.learning_rate,
            warmup_steps=steps_per_epoch,
        )
    average = {"use_ema": True, "ema_momentum": settings.ema} if settings.ema else {}
    return keras.optimizers.Adam(rate, clipnorm=1.0, **average)
