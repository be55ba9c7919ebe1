"""How many epochs fit a budget of processor hours, by the measured seconds of a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fetal_book.published_size.networks import get_network

AROUND = 1.3
"""Seconds of an epoch over those of its steps: augmentation, and the validation part."""


class Plan(NamedTuple):
    """Epochs, and why so many."""

    epochs: int
    because: str


def step_seconds(
    steps: Sequence[dict], name: str, side: int, precision: str
) -> tuple[float, float] | None:
    """Return wall and processor seconds an image of a measured step; None if it was not measured.

    Of several machines the last measured counts; of one with a graphics card, the card's seconds. A
    size between is taken by its pixels (voxels)
    from the nearest that was measured.

    Examples
    --------
    >>> row = {"network": "unext", "side": "64", "precision": "float32", "cores": "2"}
    >>> step_seconds([row | {"seconds_per_image": "0.5"}], "unext", 128, "float32")
    (2.0, 4.0)
    """
    name = get_network(name).variant_of or name
    rows = [row for row in steps if row["network"] == name]
    rows = [row for row in rows if row["precision"] == precision] or rows
    if not rows:
        return None
    row = min(reversed(rows), key=lambda one: abs(int(one["side"]) - side))
    power = 3 if get_network(name).chapter == "05_brain_age" else 2
    seconds = float(row["seconds_per_image"]) * (side / int(row["side"])) ** power
    return seconds, seconds * (1 if row.get("gpu") else int(row["cores"]))


def plan_epochs(
    steps: Sequence[dict], name: str, side: int, precision: str, n_train: int, hours: float
) -> Plan:
    """Return the epochs of a budget: those of the source, or as many as fit.

    Parameters
    ----------
    steps : rows of ``steps.csv``.
    name : of a network.
    side : of its images, pixels or voxels.
    precision : ``float32`` or ``bfloat16``.
    n_train : images of an epoch.
    hours : of one processor core.
    """
    network = get_network(name)
    size = "the source's size" if side == network.side else f"{side} of {network.side}"
    size += "" if side == network.side else (" voxels" if "05" in network.chapter else " px")
    found = step_seconds(steps, name, side, precision)
    if found is None:
        return Plan(network.epochs, f"published width, {size}, the source's epochs; not measured")
    epoch_s = found[1] * n_train * AROUND
    epochs = max(1, min(network.epochs, int(hours * 3600 / epoch_s)))
    cost = f"{found[1]:.2g} processor seconds an image"
    if epochs == network.epochs:
        return Plan(epochs, f"published width, {size}, all {epochs} epochs: {cost}")
    told = f"{epochs} of {network.epochs} epochs, because a step takes {cost}"
    return Plan(epochs, f"published width, {size}, {told} and {hours:g} processor hours are given")
