"""The shipped finder of a fetal brain in a raw stack of thick slices, whatever lies around it.

A small U-Net of slices learnt from phantoms among skull, womb and mother, painted in any contrast
and scanned with motion. It says where the brain with its fluid lies, which is the mask that the
models of gestational age are read with; it tells no age.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.predict.gestational_age_place import standardised
from fetal_lib.predict.model_folder import PRETRAINED, SavedModel, load_model, model_spec
from fetal_lib.predict.onnx_network import OnnxVolumeNetwork
from fetal_lib.readers.volume_grid import Volume

SHIPPED = PRETRAINED / "stack_finder"
COMMAND = "python -m fetal_book.chapters.gestational_age.stack_finder"
FILE = "slices.onnx"
MULTIPLE = 8  # sides of slices that the network takes
THICKER = 1.2  # voxels so much longer along one axis are slices along it


@model_spec
class StackFinderSpec:
    """What ``model.json`` holds.

    Attributes
    ----------
    pixel_mm : of the slices that the network takes.
    least_slice_mm : thinner slices are averaged until they are about as thick.
    field : side of the field that the network knows, pixels: smaller slices get a border of 0, in
        larger ones it looks again at a field around what it found.
    threshold : share from which a place is brain.
    least_ml : a smaller find is no brain.
    trained_on : the data, in words.
    """

    pixel_mm: float
    least_slice_mm: float
    field: int
    threshold: float
    least_ml: float
    trained_on: str = ""


class StackFinder(SavedModel):
    """A network and a spec.

    Parameters
    ----------
    network : OnnxVolumeNetwork
        Slices (B, 1, N, H, W), their 99th percentile above 0 at 1, to the share of each place
        that is brain, of the same shape.
    spec : StackFinderSpec
    """

    def __init__(self, network: OnnxVolumeNetwork, spec: StackFinderSpec) -> None:
        self.network, self.spec = network, spec

    def write_arrays(self, folder: Path) -> None:
        """Write ``slices.onnx``."""
        (folder / FILE).write_bytes(self.network.content)

    def find(self, volume: Volume) -> np.ndarray:
        """Return where a stack shows brain with its fluid, bool (X, Y, Z); nowhere if none."""
        share = self.share(volume)
        found = largest_part(share, self.spec.threshold)
        voxel_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000.0
        return found if found.sum() * voxel_ml >= self.spec.least_ml else np.zeros_like(found)

    def share(self, volume: Volume) -> np.ndarray:
        """Return how much of each voxel the network takes for brain, float32 (X, Y, Z), 0 to 1."""
        axis = slice_axis(volume.spacing_mm)
        slices = np.moveaxis(volume.data - volume.data.min(), axis, 0)
        spacing = [edge for k, edge in enumerate(volume.spacing_mm) if k != axis]
        every = max(1, round(self.spec.least_slice_mm / volume.spacing_mm[axis]))
        n = -(-len(slices) // every)
        sides = [
            max(MULTIPLE, round(size * edge / self.spec.pixel_mm))
            for size, edge in zip(slices.shape[1:], spacing, strict=True)
        ]
        shown = standardised(resampled(slices, (n, *sides)))
        share = self._looked(shown)
        if max(sides) > self.spec.field:
            share = self._looked_again(shown, share)
        return np.moveaxis(resampled(share, slices.shape), 0, axis)

    def _looked(self, shown: np.ndarray) -> np.ndarray:
        """Return the network's answer to slices (N, h, w), in the middle of a border of 0."""
        wanted = [max(size, self.spec.field) for size in shown.shape[1:]]
        more = [
            ((size + -size % MULTIPLE - own) // 2, -(-(size + -size % MULTIPLE - own) // 2))
            for size, own in zip(wanted, shown.shape[1:], strict=True)
        ]
        share = self.network.forward(np.pad(shown, [(0, 0), *more]))[0]
        (top, _), (left, _) = more
        return share[:, top : top + shown.shape[1], left : left + shown.shape[2]]

    def _looked_again(self, shown: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return the answer to a field around what was found, 0 beyond it."""
        found = np.argwhere(largest_part(share, self.spec.threshold))
        if not len(found):
            return share
        middle, half = found.mean(axis=0)[1:], self.spec.field / 2
        box = [slice(None)]
        for at, size in zip(middle, shown.shape[1:], strict=True):
            low = int(np.clip(round(at - half), 0, max(0, size - 2 * half)))
            box.append(slice(low, low + self.spec.field))
        again = np.zeros_like(share)
        again[tuple(box)] = self._looked(shown[tuple(box)])
        return again


def load_stack_finder(folder: str | Path = SHIPPED) -> StackFinder:
    """Load the shipped finder, or another that its command wrote; ValueError if there is none."""

    def build(spec: StackFinderSpec, home: Path) -> StackFinder:
        return StackFinder(OnnxVolumeNetwork(home / FILE), spec)

    return load_model(folder, "01_gestational_age", StackFinderSpec, build, COMMAND)


def slice_axis(spacing_mm: tuple[float, float, float]) -> int:
    """Return along which axis slices follow each other: that of the thickest, else the last.

    Examples
    --------
    >>> slice_axis((1.0, 3.0, 1.0)), slice_axis((1.0, 1.0, 1.0))
    (1, 2)
    """
    thick = int(np.argmax(spacing_mm))
    return thick if spacing_mm[thick] > THICKER * min(spacing_mm) else 2


def resampled(slices: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array on a grid of another shape over the same extent, blurred where coarser."""
    from scipy import ndimage

    step = np.array(slices.shape) / np.array(shape)
    sigma = 0.42 * np.sqrt(np.maximum(0.0, step**2 - 1))
    blurred = ndimage.gaussian_filter(np.asarray(slices, np.float32), sigma, truncate=2.5)
    offset = (step - 1) / 2
    return ndimage.affine_transform(
        blurred, step, offset, output_shape=tuple(shape), order=1, mode="nearest"
    )


def largest_part(share: np.ndarray, threshold: float) -> np.ndarray:
    """Return the largest connected part at or above a threshold, its holes filled; bool."""
    from scipy import ndimage

    parts, n = ndimage.label(share >= threshold)
    if n == 0:
        return np.zeros(share.shape, bool)
    sizes = np.bincount(parts.ravel())[1:]
    return ndimage.binary_fill_holes(parts == 1 + int(sizes.argmax()))
