"""Read one volume of MRI, whatever way it was saved: NIfTI, Analyze, or a folder of DICOM slices.

The content tells the kind, not the name's ending. Volumes come out with their axes in RAS+
order and lengths in mm. What cannot be read for certain is refused with the file's name: four
dimensions, NaN, lengths in other units, axes that span no space, cut or damaged files.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

import numpy as np

from fetal_lib.errors import UserError
from fetal_lib.readers.volume_grid import Volume, canonical, grid_fault

__all__ = ["Volume", "VolumeReadError", "read_labels", "read_volume"]

MAX_VOXELS = 200_000_000
SIGNATURES = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file, perhaps MINC"),
    (b"NRRD", "an NRRD file"),
    (b"ObjectType", "a MetaImage file"),
    (b"\x00\x00\x07\xd7", "a FreeSurfer file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"<", "a web page or XML"),
)


class VolumeReadError(UserError, ValueError):
    """Say which volume cannot be read, what was found, the rule and the fix."""

    def __init__(self, path: Path, found: str, rule: str, fix: str) -> None:
        super().__init__(f"{path}: {found}; {rule}. {fix}")
        self.path = path


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
    fetal_lib.readers.volume.VolumeReadError: nowhere.nii.gz: no such file; a volume is needed.
    Check the path.
    """
    path = Path(path)
    try:
        if _is_folder(path):
            from fetal_lib.readers.dicom_series import read_dicom_series

            data, affine, known = *read_dicom_series(path), True
        elif first_bytes(path)[128:132] == b"DICM":
            from fetal_lib.readers.dicom_series import read_dicom_frames

            data, affine, known = *read_dicom_frames(path), True
        else:
            from fetal_lib.readers.nifti import read_nifti

            data, affine, known = read_nifti(path, index)
        _check_values(path, data)
        check_grid(path, affine)
        return canonical(data, affine, known)
    except VolumeReadError:
        raise
    except Exception as error:  # a damaged file makes a decoder fail in any way at all
        raise damaged(path, error) from error


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


def first_bytes(path: Path) -> bytes:
    """Return the first 540 bytes of a file, where its kind is written.

    Raises
    ------
    VolumeReadError
        When it is missing, empty, no regular file, or may not be opened.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise VolumeReadError(
                path, "no regular file", "a volume is needed", "Copy it to a file."
            )
        if status.st_size == 0:
            raise VolumeReadError(
                path, "0 bytes", "a volume is needed", "Copy or download the file again."
            )
        with path.open("rb") as file:
            return file.read(540)
    except (FileNotFoundError, NotADirectoryError):
        raise VolumeReadError(
            path, "no such file", "a volume is needed", "Check the path."
        ) from None
    except VolumeReadError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        found = f"it cannot be opened ({reason})"
        rule = "the file must be readable"
        raise VolumeReadError(path, found, rule, "Check its name and permissions.") from error


def check_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Refuse a volume that is flat, or larger than any scan.

    Raises
    ------
    VolumeReadError
    """
    if len(shape) == 3 and min(shape) >= 2 and math.prod(shape) <= MAX_VOXELS:
        return
    raise VolumeReadError(
        path,
        f"the shape is {tuple(shape)}",
        f"three axes of at least 2 voxels, and at most {MAX_VOXELS / 1e6:.0f} million in all",
        "Give a volume, not a slice or a screen capture.",
    )


def check_grid(path: Path, affine: np.ndarray) -> None:
    """Refuse an affine that places no voxel in millimetres.

    Raises
    ------
    VolumeReadError
    """
    fault = grid_fault(affine)
    if fault is not None:
        raise VolumeReadError(path, *fault, "Export the scan again, with lengths in mm.")


def damaged(path: Path, error: Exception) -> VolumeReadError:
    """Return the error for a file whose content a decoder gave up on."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return VolumeReadError(
        path,
        f"the data are truncated or damaged ({reason})",
        "all of the volume must be readable",
        "Copy or download the file again.",
    )


def not_a_volume(path: Path, start: bytes) -> VolumeReadError:
    """Return the error for a file of another kind."""
    kind = next((name for mark, name in SIGNATURES if start.startswith(mark)), None)
    return VolumeReadError(
        path,
        kind or f"no volume, its first bytes are {start[:8]!r}",
        "a NIfTI file or a folder with one DICOM series is needed",
        "Export the scan as NIfTI (.nii.gz).",
    )


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
