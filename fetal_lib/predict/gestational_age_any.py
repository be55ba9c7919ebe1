"""The shipped model of gestational age: fetal brain MRI of any contrast, masked or not.

Small 3D networks that learnt from label maps painted in any contrast find the brain. Two ages
follow and are combined: by the brain's *shape*, the ranks of its grey values with the size taken
away; and by its *volume*, the age at which a head holds that much. ``model.json`` holds how they
are combined and when a scan is declined, ``brain_finder.onnx`` the networks, ``weights.npz`` the
regressions on shape, ``card.md`` what all that was learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.brain_volume import volume_days
from fetal_lib.data.plane_slices import PLANES, BrainPlace
from fetal_lib.models.weights import read_arrays
from fetal_lib.predict.fetal_brain_shape import ShapeAge, shape_maps, structure, turned_round
from fetal_lib.predict.gestational_age_place import (
    ShownBrain,
    cut_grid,
    place_of,
    shown_brain,
    standardised,
)
from fetal_lib.predict.gestational_age_reading import GaReading, outside_text
from fetal_lib.predict.model_folder import SavedModel, Unbounded, model_spec
from fetal_lib.predict.onnx_network import OnnxVolumeNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fetal_lib.data.layouts.fetal_scan import FetalScan

SHRUNK = 4  # the grid of the tissues is so much coarser
MOST_LOOKS = 4
SETTLED = 0.02  # relative change of the brain's diameter and place at which looking ends
SLICES = "pictures do not say how large a brain is; name a run of chapter 01 with --model for them"
LEAST_STRUCTURE = 0.4  # of neighbours; scans have 0.7 and more, noise 0.1
FINDER, SHAPES = "brain_finder.onnx", "weights.npz"


@model_spec
class AnyContrastSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    n_shapes : regressions in ``weights.npz``.
    shape_weight : share of the age by shape in the age; the volume has the rest.
    relative_half_width : of the prediction interval, as a share of the age.
    interval_coverage : coverage that it was calibrated for.
    ga_range_days : youngest and oldest age that is told.
    brain_ml_range : smallest and largest brain with its fluid that is not declined.
    min_likeness : 1 over the strangeness of the shape, below which a scan is declined.
    most_apart_days : between shape and volume; a scan is declined beyond.
    trained_on : the data, in words.
    """

    n_shapes: int
    shape_weight: float
    relative_half_width: Unbounded
    interval_coverage: float
    ga_range_days: tuple[float, float]
    brain_ml_range: tuple[float, float]
    min_likeness: float
    most_apart_days: Unbounded
    trained_on: str = ""

    def combined(self, by_shape: np.ndarray, by_volume: np.ndarray) -> np.ndarray:
        """Return ages by shape and volume together, days."""
        share = self.shape_weight
        return share * np.asarray(by_shape, float) + (1 - share) * np.asarray(by_volume, float)


class AnyContrastModel(SavedModel):
    """Networks, regressions on shape, and a spec.

    Parameters
    ----------
    network : OnnxVolumeNetwork
        (B, 1, 64, 64, 64) to (B, 16, 16, 16): how much of each place is brain.
    shapes : regressions on shape, whose ages are averaged.
    spec : AnyContrastSpec
    """

    def __init__(
        self, network: OnnxVolumeNetwork, shapes: Sequence[ShapeAge], spec: AnyContrastSpec
    ) -> None:
        self.network, self.shapes, self.spec = network, list(shapes), spec

    def write_arrays(self, folder: Path) -> None:
        """Write ``brain_finder.onnx`` and ``weights.npz``."""
        (folder / FINDER).write_bytes(self.network.content)
        arrays = {}
        for number, shape in enumerate(self.shapes):
            for name, value in asdict(shape).items():
                kept = np.asarray(value, np.float16 if name == "basis" else np.float32)
                arrays[f"{name}_{number}"] = kept
        np.savez_compressed(folder / SHAPES, **arrays)

    def read(self, scan: FetalScan) -> GaReading:
        """Tell the age from one scan, or say why not."""
        if scan.volume is None:
            return GaReading(reason=SLICES)
        shown = shown_brain(scan)
        grid, place = self._found(shown)
        share = self.network.forward(grid)
        facts = {"brain_ml": place.volume_ml, "images": _middle(grid)[None]}
        facts["outlines"] = _middle_shares(share)
        if problem := self._size_problem(place.volume_ml):
            return GaReading(reason=problem, **facts)
        ages, likeness = self.by_shape(grid, share)
        facts |= {"likeness": likeness, "spread_days": float(np.std(ages))}
        if likeness < self.spec.min_likeness:
            reason = (
                f"does not look like a fetal brain (likeness {likeness:.2f}, at least "
                f"{self.spec.min_likeness:.2f} is needed): another organ, a wrong mask, or a "
                "header that does not say how the head lies"
            )
            return GaReading(reason=reason, **facts)
        if structure(grid, share) < LEAST_STRUCTURE:
            return GaReading(reason="shows noise where the brain should be", **facts)
        days, by_volume = float(np.mean(ages)), float(volume_days(place.volume_ml))
        facts |= {"shape_days": days, "volume_days": by_volume}
        if abs(days - by_volume) > self.spec.most_apart_days:
            reason = (
                f"by its shape the brain is {days:.0f} days old and by its volume {by_volume:.0f}:"
                " too far apart to tell; a wrong mask or voxel size, another organ, or a disease"
            )
            return GaReading(reason=reason, **facts)
        both = float(self.spec.combined(days, by_volume))
        if reason := outside_text(both, self.spec.ga_range_days):
            return GaReading(reason=reason, **facts)
        half = self.spec.relative_half_width * both
        return GaReading(both, both - half, both + half, **facts)

    def figure(self, reading: GaReading, title: str) -> Figure:
        """Show the middle slices with the outline that the networks gave the brain."""
        from fetal_lib.plots.gestational_age import outlined_figure

        return outlined_figure(reading.images[0], reading.outlines, PLANES, title)

    def by_shape(self, grid: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the age by shape, and a fetal brain's likeness.

        Parameters
        ----------
        grid : float32 (64, 64, 64); share : float32 (16, 16, 16), from the network.

        Returns
        -------
        float (K,) days by each of K regressions, and 1 over the strangeness of the contrast,
        as it is or turned round, that is less strange.
        """
        maps, tried = shape_maps(grid, share), []
        for one in (maps, turned_round(maps)):
            tried.append((float(np.mean([shape.strangeness(one) for shape in self.shapes])), one))
        strange, best = min(tried, key=lambda pair: pair[0])
        return np.array([shape.days(best) for shape in self.shapes]), 1 / strange

    def _found(self, shown: ShownBrain) -> tuple[np.ndarray, BrainPlace]:
        """Look until the brain's place is settled; return the grid around it, and the place."""
        place = shown.place
        for _ in range(MOST_LOOKS):
            grid = standardised(cut_grid(shown.volume, place))
            seen = place_of(self.network.forward(grid), place)
            if not 2.0 <= seen.volume_ml <= 4000.0:
                return grid, seen
            moved = np.abs(seen.middle_mm - place.middle_mm).max() / place.diameter_mm
            grown = abs(np.log(seen.diameter_mm / place.diameter_mm))
            place = seen
            if max(moved, grown) < SETTLED:
                break
        return standardised(cut_grid(shown.volume, place)), place

    def _size_problem(self, brain_ml: float) -> str:
        low, high = self.spec.brain_ml_range
        if low <= brain_ml <= high:
            return ""
        size = "smaller" if brain_ml < low else "larger"
        return (
            f"what looks like a brain is {brain_ml:.0f} mL, {size} than any of {low:.0f} to "
            f"{high:.0f} mL: no fetal brain of 19 to 39 weeks, or wrong voxel sizes"
        )


def build_any_contrast(spec: AnyContrastSpec, folder: Path) -> AnyContrastModel:
    """Read the networks and regressions of a spec from a folder."""
    kept = read_arrays(folder / SHAPES)
    names = [one.name for one in fields(ShapeAge)]
    shapes = [
        ShapeAge(**{name: kept[f"{name}_{number}"].astype(np.float32) for name in names})
        for number in range(spec.n_shapes)
    ]
    return AnyContrastModel(OnnxVolumeNetwork(folder / FINDER), shapes, spec)


def _middle(grid: np.ndarray) -> np.ndarray:
    """Return the middle slices of a grid as a picture, uint8 (S, S, 3): planes as channels."""
    return np.rint(np.clip(_slices(grid), 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def _middle_shares(share: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return _slices(ndimage.zoom(share, SHRUNK, order=1, mode="nearest", grid_mode=True))


def _slices(grid: np.ndarray) -> np.ndarray:
    """Return the middle slices (3, S, S) of an RAS grid, laid as `plane_slices` lays them."""
    half = len(grid) // 2
    axial, coronal, sagittal = grid[:, :, half], grid[:, half], grid[half]
    return np.stack([axial.T[::-1], coronal.T[::-1], sagittal.T[::-1, ::-1]])
