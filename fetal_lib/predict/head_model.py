"""A trained head-segmentation network of chapter 04 in a folder, or the shipped head model.

``model.json`` holds the arguments that build the network, the size images are
squashed to, the flips averaged at prediction, and the conformal half-width;
``weights.npz`` the weights; ``card.md`` what it was trained on and how good it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.images import squash
from fetal_lib.growth.bpd_convention import OUTER_OUTER, check_convention
from fetal_lib.models.unet import get_unet
from fetal_lib.models.weights import load_weights, save_weights
from fetal_lib.predict.biometry_model import SHIPPED as BIOMETRY
from fetal_lib.predict.biometry_model import BiometryModel
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head
from fetal_lib.predict.keras_start import import_keras
from fetal_lib.predict.model_folder import (
    PRETRAINED,
    SavedModel,
    Unbounded,
    find_model,
    load_model,
    model_spec,
)
from fetal_lib.predict.onnx_network import FILE
from fetal_lib.training.keras_forward import forward

if TYPE_CHECKING:
    import keras

SHIPPED = PRETRAINED / "head_circumference"
FLIPS = {"none": (), "left_right": (2,), "up_down": (1,), "both": (1, 2)}
"""Axes of (N, H, W) that each view reverses."""


@model_spec
class HeadModelSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    height, width : int
        Size in pixels that images are squashed to.
    n_filters : int
        Width of the first block of the U-Net.
    dropout : float
    flips : tuple of str
        Views averaged at prediction, of ``none, left_right, up_down, both``.
    relative_half_width : float
        Conformal half-width of HC as a share of HC; infinite when uncalibrated.
    interval_coverage : float
        Coverage that the half-width was calibrated for.
    trained_on : str
        The data, in words.
    """

    height: int
    width: int
    n_filters: int
    dropout: float
    flips: tuple[str, ...] = ("none",)
    relative_half_width: Unbounded = float("inf")
    interval_coverage: float = 0.9
    trained_on: str = ""


class HeadModel(SavedModel):
    """A network and its spec: grey images in, probability maps out.

    Parameters
    ----------
    network : keras.Model
        (B, H, W, 1) to (B, H, W, 1), both in [0, 1].
    spec : HeadModelSpec
    """

    def __init__(self, network: keras.Model, spec: HeadModelSpec) -> None:
        self.network = network
        self.spec = spec

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels that the network takes."""
        return self.spec.height, self.spec.width

    def probs(self, images: np.ndarray, batch_size: int = 32) -> np.ndarray:
        """Return head probabilities, averaged over the flips of the spec.

        Parameters
        ----------
        images : ndarray, shape (N, H, W), uint8
            Already squashed to :attr:`shape`.
        batch_size : int

        Returns
        -------
        ndarray, shape (N, H, W), float32, in [0, 1]
        """
        axes = [FLIPS[name] for name in self.spec.flips]
        views = np.concatenate([np.flip(images, one) for one in axes])
        found = forward(self.network, views, batch_size).reshape(len(axes), *images.shape)
        return sum(np.flip(maps, one) for maps, one in zip(found, axes, strict=True)) / len(axes)

    def head_maps(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the probability map (H, W) of each grey image (h, w), uint8, of any size."""
        return list(self.probs(np.stack([squash(image, self.shape) for image in images])))

    def head_of(
        self, probs: np.ndarray, size_hw: tuple[int, int], pixel_size_mm: float
    ) -> HeadMeasurement:
        """Measure the head in such a map of a scan of (height, width) pixels."""
        return measure_head(probs, size_hw, pixel_size_mm, self.spec.relative_half_width)

    def write_arrays(self, folder: Path) -> None:
        """Write ``weights.npz``."""
        save_weights(self.network, folder / "weights.npz")


def load_head_model(
    folder: str | Path | None = None, convention: str = OUTER_OUTER
) -> HeadModel | BiometryModel:
    """Load a model that :meth:`HeadModel.save` wrote, or the one that is shipped.

    What the folder holds decides: weights of the U-Net of chapter 04, or a network of biometry
    in ONNX, as the shipped one is. Both answer with ``head_maps`` and ``head_of``.

    Parameters
    ----------
    folder : path, optional
        A run's ``model/`` folder, or the run's folder; without it the model that
        comes with the package and knows the convention.
    convention : "outer-outer" or "outer-inner"
        Where a head's callipers stand. HC18 alone teaches the first; the shipped model of three
        planes knows both.

    Raises
    ------
    ValueError
        If there is no such model, it cannot be read, or it does not know the convention.
    """
    check_convention(convention)
    if folder is None and convention != OUTER_OUTER:
        folder = BIOMETRY
    home = find_model(folder, "04_head_circumference")
    if (home / FILE).is_file():
        model = BiometryModel.load(home)
        if BiometryModel.channel("head", convention) in model.spec.channels:
            return BiometryModel(model.network, model.spec, convention)
    if convention != OUTER_OUTER:
        raise ValueError(
            f"convention={convention!r}: the model in {str(home)!r} learnt no such heads; name "
            "none for the shipped model of three planes, or ask for outer-outer."
        )
    return load_model(home, "04_head_circumference", HeadModelSpec, _build)


def _build(spec: HeadModelSpec, folder: Path) -> HeadModel:
    import_keras()
    network = get_unet(spec.height, spec.width, spec.n_filters, spec.dropout)
    load_weights(network, folder / "weights.npz")
    return HeadModel(network, spec)
