"""Read one volume of MRI, whatever way it was saved: NIfTI, Analyze, or a folder of DICOM slices.

The content tells the kind, not the name's ending. Volumes come out with their axes in RAS+
order and lengths in mm. What cannot be read for certain is refused with the file's name: four
dimensions, NaN, lengths in other units, axes that span no space, cut or damaged files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_lib.readers.checks import (
    VolumeReadError,
    check_shape,
    damage_as,
    first_bytes,
    is_dicom,
)
from fetal_lib.readers.dicom_series import read_dicom_frames, read_dicom_series
from fetal_lib.readers.nifti import read_nifti
from fetal_lib.readers.volume_grid import Volume, canonical, grid_fault


def read_volume(path: str | Path, index: int | None = None) -> Volume:
    """Read a volume as float32, its axes in RAS+ order.

    Parameters
    ----------
    path : a NIfTI file (.nii, .nii.gz), an Analyze or NIfTI pair by its .hdr or .img, a
        multi-frame DICOM file, or a folder that holds one DICOM series.
    index : which volume of a four-dimensional NIfTI file, from 0; None refuses more than one.

    Returns
    -------
    Volume

    Raises
    ------
    VolumeReadError
        When the file is missing, empty, truncated, damaged, of another kind, has a fourth
        dimension, values that are not finite or not real, voxels outside 0.1-20 mm, lengths in
        metres or micrometres, an affine that cannot be inverted, or is implausibly large.

    Examples
    --------
    >>> read_volume("nowhere.nii.gz")
    Traceback (most recent call last):
    fetal_lib.readers.checks.VolumeReadError: nowhere.nii.gz: no such file; a volume is needed.
    Check the path.
    """
    path = Path(path)
    with damage_as(VolumeReadError, path):
        if _is_folder(path):
            data, affine, known = *read_dicom_series(path), True
        elif is_dicom(first_bytes(path, VolumeReadError)):
            data, affine, known = *read_dicom_frames(path), True
        else:
            data, affine, known = read_nifti(path, index)
        _check_values(path, data)
        fault = grid_fault(affine)
        if fault is not None:
            raise VolumeReadError(path, *fault, "Export the scan again, with lengths in mm.")
        return canonical(data, affine, known)


def read_labels(path: str | Path) -> Volume:
    """Read a volume of labels: whole numbers of 0 and above, still as float32.

    Raises
    ------
    VolumeReadError
        As `read_volume`, or when values are fractions or negative.
    """
    volume = read_volume(path)
    low, whole = float(volume.data.min()), bool((volume.data == np.round(volume.data)).all())
    if low < 0 or not whole:
        raise VolumeReadError(
            Path(path),
            "values that are no labels" if not whole else f"a label of {low:g}",
            "labels are whole numbers of 0 and above",
            "Resample labels by the nearest neighbour; give the image where an image is meant.",
        )
    return volume


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _check_values(path: Path, data: np.ndarray) -> None:
    check_shape(path, data.shape)
    bad = data.size - int(np.count_nonzero(np.isfinite(data)))
    if bad:
        raise VolumeReadError(
            path,
            f"{bad} of {data.size} voxels are NaN, infinite or beyond float32",
            "all values must be finite",
            "Replace them, by 0 where they lie outside the head.",
        )
