"""Read the volumes of a set: a scan that shows something, and labels on its grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.data.bad_files import FileFault
from fetal_lib.readers.volume import read_labels, read_volume
from fetal_lib.readers.volume_grid import Volume

SAME_PLACE = 0.05  # by which two affines may differ


def read_scan_volume(path: str | Path) -> Volume:
    """Read a volume that is not the same all over.

    Raises
    ------
    ValueError
        If it cannot be read, or is empty.
    """
    volume = read_volume(path)
    if not np.any(volume.data != volume.data.flat[0]):
        raise FileFault(path, "empty", "all voxels are alike; a brain must show. Export it again")
    return volume


def labels_of(path: str | Path, volume: Volume) -> np.ndarray:
    """Read labels or a mask, uint8 (X, Y, Z), that are drawn on a volume's own grid.

    Raises
    ------
    ValueError
        If the file cannot be read, its grid is another, or it holds labels above 255.
    """
    labels = read_labels(path)
    rule = "labels and masks must be drawn on the scan's own grid. Resample them to it"
    shape, wanted = labels.data.shape, volume.data.shape
    if shape != wanted:
        raise FileFault(path, "size", f"a grid of {shape}, the scan's is {wanted}; {rule}")
    apart = float(np.abs(labels.affine - volume.affine).max())
    if not apart <= SAME_PLACE:
        message = f"it lies elsewhere than the scan, the affines differ by {apart:.3g}; {rule}"
        raise FileFault(path, "affine", message)
    if labels.data.max() > 255:
        message = f"label {labels.data.max():.0f}; labels are 0 to 255. Number them anew"
        raise FileFault(path, "labels", message)
    return labels.data.astype(np.uint8)
