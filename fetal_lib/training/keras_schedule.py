"""What the steps of a Keras fit share: whole batches, and Adam with warm-up, cosine and average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

START_SHARE = 0.05
"""Of the peak learning rate, at the first step of the warm-up."""


def whole_batches(order: np.ndarray, batch_size: int) -> np.ndarray:
    """Return an order of samples cut to whole batches, for like batch statistics.

    Parameters
    ----------
    order : ndarray, shape (N,), int
    batch_size : int

    Returns
    -------
    ndarray, shape (M,), int
        M is N rounded down to a multiple of the batch size; N where there is no whole batch.

    Examples
    --------
    >>> whole_batches(np.arange(7), 3).tolist(), whole_batches(np.arange(2), 3).tolist()
    ([0, 1, 2, 3, 4, 5], [0, 1])
    """
    if len(order) <= batch_size:
        return order
    return order[: len(order) - len(order) % batch_size]


def make_adam(
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
    schedule: str = "cosine",
    ema: float = 0.0,
) -> keras.optimizers.Adam:
    """Return Adam whose rate warms up for an epoch and falls along a cosine to 0.

    Parameters
    ----------
    learning_rate : float
        Peak of the schedule.
    steps_per_epoch, epochs : int
        Length of the fit; the warm-up is its first epoch.
    schedule : str
        ``"cosine"``, or ``"constant"`` to keep the rate at its peak.
    ema : float
        Momentum of the moving average of weights; 0 for none.
    """
    import keras

    rate = learning_rate
    if schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            learning_rate * START_SHARE,
            decay_steps=max(1, steps_per_epoch * (epochs - 1)),
            warmup_target=learning_rate,
            warmup_steps=steps_per_epoch,
        )
    average = {"use_ema": True, "ema_momentum": ema} if ema else {}
    return keras.optimizers.Adam(rate, clipnorm=1.0, **average)
