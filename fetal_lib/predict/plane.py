"""Recognise what an ultrasound image shows: a fetal head, an abdomen, a femur, or none of them.

A measurement of a head on an abdomen is a number all the same, with an interval and an age. The
small shipped network that looks first knows the three planes of biometry and what is none; its
card says whom it learnt from and how often it errs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetal_lib.metrics.calibration import softmax
from fetal_lib.models.onnx_file import cut_behind
from fetal_lib.predict.biometry_maps import fit_into
from fetal_lib.predict.model_folder import PRETRAINED, SavedModel, load_model, model_spec
from fetal_lib.predict.onnx_network import FILE, OnnxNetwork

PLANES = ("head", "abdomen", "femur", "other")
SHIPPED = PRETRAINED / "plane_recogniser"
COMMAND = "python -m fetal_book.chapters.biometry_segmentation.plane_recogniser"
MIRRORS = ((), (2,))
"""Axes of (N, H, W) that are turned round in each view whose logits are averaged."""
BATCH = 64
"""Images in a call of the network."""


@model_spec
class PlaneSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    side : int
        Side in pixels of the square that an image is fitted into.
    width : float
        Factor of Xception's filters.
    n_middle : int
        Middle modules of Xception.
    temperature : float
        Logits are divided by it.
    head_from : float
        Probability of a head from which an image is taken for one.
    trained_on : str
        The data, in words.
    """

    side: int
    width: float
    n_middle: int
    temperature: float = 1.0
    head_from: float = 0.5
    trained_on: str = ""


@dataclass(frozen=True)
class Plane:
    """What an image shows.

    Attributes
    ----------
    name : str
        The most probable of `PLANES`.
    confidence : float
        Its calibrated probability.
    probabilities : dict
        Of each of `PLANES`.
    is_head : bool
        The probability of a head reaches the operating point of the model's card.
    """

    name: str
    confidence: float
    probabilities: dict[str, float]
    is_head: bool


def letterbox(image: np.ndarray, side: int) -> np.ndarray:
    """Fit a grey image into a square, its aspect kept, black beside it.

    Parameters
    ----------
    image : ndarray, uint8 (H, W)
    side : int

    Returns
    -------
    ndarray, uint8 (side, side)

    Examples
    --------
    >>> letterbox(np.full((2, 4), 9, np.uint8), 4)[:, 0]
    array([0, 9, 9, 0], dtype=uint8)
    """
    return fit_into(image, (side, side), even=1, may_turn=False)[0]


class PlaneRecogniser(SavedModel):
    """A network and its spec: grey images in, planes out.

    Parameters
    ----------
    network : OnnxNetwork
        (B, side, side, 1) in [0, 1] to logits (B, 4).
    spec : PlaneSpec
    """

    def __init__(self, network: OnnxNetwork, spec: PlaneSpec) -> None:
        self.network, self.spec = network, spec

    @classmethod
    def load(cls, folder: str | Path | None = None) -> PlaneRecogniser:
        """Load the shipped recogniser, or one that :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such model, or it cannot be read.
        """
        return load_model(
            folder or SHIPPED, "03_biometry_segmentation", PlaneSpec, cls._build, COMMAND
        )

    @classmethod
    def _build(cls, spec: PlaneSpec, folder: Path) -> PlaneRecogniser:
        return cls(OnnxNetwork(folder / FILE), spec)

    def probs(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return calibrated probabilities (N, 4) of grey images of any size, uint8 (H, W)."""
        fitted = np.stack([letterbox(image, self.spec.side) for image in images])
        return softmax(self.logits(fitted), self.spec.temperature)

    def logits(self, fitted: np.ndarray) -> np.ndarray:
        """Return logits (N, 4) of fitted images (N, side, side), uint8: means over mirrors."""
        views = np.concatenate([np.flip(fitted, axes) for axes in MIRRORS])
        found = self.network.forward(views, BATCH)
        return found.reshape(len(MIRRORS), len(fitted), -1).mean(0)

    def features(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """Return what the last layer sees (N, F) of grey images of any size, means over mirrors."""
        fitted = np.stack([letterbox(image, self.spec.side) for image in images])
        body = OnnxNetwork(cut_behind(self.network.content, "GlobalAveragePool"))
        views = [body.forward(np.flip(fitted, axes), BATCH) for axes in MIRRORS]
        return np.mean(views, axis=0).reshape(len(fitted), -1)

    def recognise(self, image: np.ndarray) -> Plane:
        """Say what one grey image (H, W), uint8, shows."""
        return self.recognise_all([image])[0]

    def recognise_all(self, images: Iterable[np.ndarray]) -> list[Plane]:
        """Say what each of several grey images shows."""
        found = []
        for probs in self.probs(images):
            named = dict(zip(PLANES, map(float, probs), strict=True))
            name = max(named, key=named.__getitem__)
            is_head = named["head"] >= self.spec.head_from
            found.append(Plane(name, named[name], named, is_head))
        return found

    def write_arrays(self, folder: Path) -> None:
        """Write ``network.onnx``."""
        (folder / FILE).write_bytes(self.network.content)
