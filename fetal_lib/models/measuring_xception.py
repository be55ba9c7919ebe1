"""Bring the shipped weights of an Xception that learnt to measure brains into one that names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.models.anomaly_cnns import build_xception
from fetal_lib.models.imagenet_xception import copy_backbone
from fetal_lib.models.weights import load_weights

if TYPE_CHECKING:
    import keras

SIDE, WIDTH, MIDDLE, N_OUTPUTS = 64, 0.25, 1, 16
MEASURING = Path(__file__).parent.parent / "pretrained" / "xception_measures" / "weights.npz"


def load_measuring(model: keras.Model) -> None:
    """Copy all weights but those of the last layer into a network, in place.

    Parameters
    ----------
    model : keras.Model
        From :func:`fetal_lib.models.anomaly_cnns.build_xception` with ``width=0.25`` and
        ``n_middle=1``; the side is free.

    Raises
    ------
    ValueError
        If the network is of another width or depth.
    """
    source = build_xception(SIDE, N_OUTPUTS, WIDTH, MIDDLE)
    load_weights(source, MEASURING)
    try:
        copy_backbone(source, model)
    except ValueError as error:
        raise ValueError(
            f"weights='measures' are of width {WIDTH} with {MIDDLE} middle module, and this "
            "network is another: use xception_weights=none for random weights."
        ) from error
