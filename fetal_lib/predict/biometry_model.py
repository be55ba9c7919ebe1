"""The shipped networks that measure head, abdomen and femur, or another in a folder.

``model.json`` says what the network takes, what its maps are, and the offset and the interval of
each size; ``network.onnx`` is the network, which ONNX Runtime runs without PyTorch or TensorFlow;
``card.md`` says what it was trained on and how good it is.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path

import numpy as np

from fetal_lib.geometry.biometry import SIZES
from fetal_lib.growth.bpd_convention import OUTER_OUTER
from fetal_lib.predict.biometry_maps import cut_out, fit_into
from fetal_lib.predict.biometry_measure import CONVENTIONS, FLOOR_MM, Measured, measure_maps
from fetal_lib.predict.head_measure import HeadMeasurement, measure_head
from fetal_lib.predict.model_folder import PRETRAINED, SavedModel, load_model, model_spec
from fetal_lib.predict.onnx_network import FILE, OnnxNetwork

CHAPTER = "03_biometry_segmentation"
SHIPPED = PRETRAINED / "biometry"
COMMAND = "python -m fetal_book.chapters.biometry_segmentation.biometry_network"
Maps = Mapping[str, np.ndarray]
AGES = "ga_days", "ga_hadlock_days"
"""Of a head alone, by formulas that were made for callipers outer to outer."""


@model_spec
class BiometrySpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    height, width : int
        Size in pixels that images are fitted into.
    channels : tuple of str
        Of `fetal_lib.predict.biometry_maps.CHANNELS`.
    trained_on, licence : str
        The data, and the licence of the weights.
    offsets : dict of float
        Factor by which the shape of a channel is made larger, set on validation images.
    half_widths : dict of dict of tuple of float
        Conformal half-widths of each size of a channel, as shares of the size plus
        `fetal_lib.predict.biometry_measure.FLOOR_MM`, one for each group of ``limits_mm``; a size
        without them has no interval.
    limits_mm : dict of tuple of float
        Of a channel's charted size (HC, AC or FL), where a next group of structures begins.
    interval_coverage : float
        Coverage that the half-widths were calibrated for.
    """

    height: int
    width: int
    channels: tuple[str, ...]
    trained_on: str = ""
    licence: str = ""
    offsets: dict[str, float] = field(default_factory=dict)
    half_widths: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    limits_mm: dict[str, tuple[float, ...]] = field(default_factory=dict)
    interval_coverage: float = 0.9

    def half_widths_mm(self, channel: str, sizes_mm: Mapping[str, float]) -> dict[str, float]:
        """Return half of the interval's width of each size of a structure, NaN without one.

        The first of the sizes is the charted one, whose group the structure is of.
        """
        group = bisect(self.limits_mm.get(channel, ()), next(iter(sizes_mm.values())))
        shares = self.half_widths.get(channel, {})
        return {
            name: shares[name][group] * (value + FLOOR_MM[name]) if name in shares else math.nan
            for name, value in sizes_mm.items()
        }


class BiometryModel(SavedModel):
    """A network and its spec: grey images in, maps and measures out.

    Parameters
    ----------
    network : OnnxNetwork
        (N, 1, height, width) in [0, 1] to probabilities (N, C, h, w).
    spec : BiometrySpec
    convention : "outer-outer" or "outer-inner"
        Of the heads that `head_maps` and `head_of` are asked for.

    Examples
    --------
    >>> model = BiometryModel.load()
    >>> (maps,) = model.maps([np.zeros((540, 800), np.uint8)])
    >>> model.measure(maps, "head", 0.1, size_hw=(540, 800)).reason
    'no head found'
    """

    def __init__(
        self, network: OnnxNetwork, spec: BiometrySpec, convention: str = OUTER_OUTER
    ) -> None:
        self.network, self.spec, self.convention = network, spec, convention

    @classmethod
    def load(cls, folder: str | Path | None = None) -> BiometryModel:
        """Load the shipped model of three planes, or one that :meth:`save` wrote.

        Raises
        ------
        ValueError
            If there is no such model, or it cannot be read.
        """
        return load_model(folder or SHIPPED, CHAPTER, BiometrySpec, cls._build, COMMAND)

    @classmethod
    def _build(cls, spec: BiometrySpec, folder: Path) -> BiometryModel:
        network = OnnxNetwork(folder / FILE)
        if network.shape != (spec.height, spec.width):
            raise ValueError(f"{FILE} takes {network.shape}, model.json says otherwise")
        return cls(network, spec)

    def maps(
        self, images: Sequence[np.ndarray], batch_size: int = 4
    ) -> list[dict[str, np.ndarray]]:
        """Return the probability maps of grey images of any size.

        Parameters
        ----------
        images : sequence of ndarray, uint8 (H, W)

        Returns
        -------
        list of dict
            Of each image its maps, float32 (h, w) in [0, 1], by channel. They cover the image and
            nothing else, so `fetal_lib.geometry` takes them with the image's size.
        """
        shape = self.network.shape
        fitted, places = zip(*(fit_into(image, shape) for image in images), strict=True)
        probs = self.network.forward(np.stack(fitted), batch_size)
        cut = [cut_out(one, place, shape) for one, place in zip(probs, places, strict=True)]
        return [dict(zip(self.spec.channels, one, strict=True)) for one in cut]

    def head_maps(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the map of the head alone, as `HeadModel.head_maps` does."""
        channel = self.channel("head", self.convention)
        return [maps[channel] for maps in self.maps(images)]

    def head_of(
        self, probs: np.ndarray, size_hw: tuple[int, int], pixel_size_mm: float
    ) -> HeadMeasurement:
        """Measure the head in such a map of a scan, as `HeadModel.head_of` does."""
        channel = self.channel("head", self.convention)
        offset = self.spec.offsets.get(channel, 1.0)
        found = measure_head(probs, size_hw, pixel_size_mm, offset=offset)
        half = self.spec.half_widths_mm(channel, {"hc_mm": found.hc_mm})["hc_mm"]
        ages = {} if self.convention == OUTER_OUTER else dict.fromkeys(AGES, math.nan)
        return replace(found, hc_low_mm=found.hc_mm - half, hc_high_mm=found.hc_mm + half, **ages)

    def planes(self, convention: str = OUTER_OUTER) -> tuple[str, ...]:
        """Return the planes that this model measures."""
        return tuple(
            plane for plane in SIZES if self.channel(plane, convention) in self.spec.channels
        )

    @staticmethod
    def channel(plane: str, convention: str = OUTER_OUTER) -> str:
        """Return the map that shows a plane's structure in a convention of the callipers.

        Raises
        ------
        ValueError
            If there is no such plane or convention.
        """
        if plane not in SIZES:
            raise ValueError(f"plane: received {plane!r}; it must be one of {', '.join(SIZES)}.")
        if convention not in CONVENTIONS:
            known = " or ".join(CONVENTIONS)
            raise ValueError(f"convention: received {convention!r}; it must be {known}.")
        return CONVENTIONS[convention] if plane == "head" else plane

    def measure(
        self,
        image: np.ndarray | Maps,
        plane: str,
        pixel_size_mm: float,
        convention: str = OUTER_OUTER,
        size_hw: tuple[int, int] | None = None,
    ) -> Measured:
        """Measure one scan.

        Parameters
        ----------
        image : ndarray, uint8 (H, W), or the maps of one scan that :meth:`maps` gave
        plane : "head", "abdomen" or "femur"
        pixel_size_mm : float
            Side of a pixel of the scan.
        convention : "outer-outer" or "outer-inner"
            Of a head's callipers: around the skull (HC18, INTERGROWTH-21st), or to the inner edge
            of the far skull (Hadlock).
        size_hw : (height, width) of the scan, needed with maps.

        Returns
        -------
        Measured
            ``sizes`` as (value, low, high) in mm, what to draw, and why it was declined.

        Raises
        ------
        ValueError
            If an argument is none of these, or this model has no map of that plane or convention.
        """
        channel = self.channel(plane, convention)
        if channel not in self.spec.channels:
            known = ", ".join(self.spec.channels)
            raise ValueError(f"plane: this model has no map {channel!r}; it has {known}.")
        if isinstance(image, np.ndarray):
            size_hw, (maps,) = image.shape, self.maps([image])
        elif size_hw is None:
            raise ValueError("size_hw: maps need the height and width of their scan.")
        else:
            maps = image
        offset = self.spec.offsets.get(channel, 1.0)
        widths = partial(self.spec.half_widths_mm, channel)
        return measure_maps(maps, plane, size_hw, pixel_size_mm, channel, offset, widths)

    def write_arrays(self, folder: Path) -> None:
        """Write ``network.onnx``."""
        (folder / FILE).write_bytes(self.network.content)
