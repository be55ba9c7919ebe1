"""Uploaded volumes: bounded in bytes and voxels before they are read, under names of the app."""

from __future__ import annotations

import gzip
import math
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetal_book.app.uploads import MAX_VOLUME_BYTES, Upload, UploadError

MAX_VOXELS = 50_000_000
"""A packed volume may become a thousand times larger when it is read."""


@contextmanager
def volume_path(file: Upload) -> Iterator[Path]:
    """Give a bounded volume a name that its owner did not choose, for as long as it is read."""
    check_volume(file)
    with tempfile.TemporaryDirectory(prefix="fetal-lib-") as folder:
        path = Path(folder) / "scan.nii"
        path.symlink_to(file.path.resolve())
        yield path


def check_volume(file: Upload) -> None:
    """Refuse a file that is too large, or whose header promises more than a brain needs.

    A packed file is unpacked up to its header only. DICOM may hold any number of voxels.
    """
    file.check_size(MAX_VOLUME_BYTES)
    head = _first_bytes(file.path)
    if head[128:132] == b"DICM":
        raise UploadError(f"{file.name}: a DICOM file; export the volume as NIfTI (.nii.gz).")
    n_voxels = _count_voxels(head)
    if n_voxels > MAX_VOXELS:
        raise UploadError(
            f"{file.name}: {n_voxels / 1e6:.0f} million voxels; at most {MAX_VOXELS / 1e6:.0f} "
            "million are read. Cut the volume to the brain, or resample it to 1 mm."
        )


def _first_bytes(path: Path) -> bytes:
    """Return the first 540 bytes, unpacked; none where that fails, since readers say why."""
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_packed else path.open("rb") as file:
            return file.read(540)
    except (OSError, EOFError, zlib.error):
        return b""


def _count_voxels(head: bytes) -> int:
    """Return how many voxels a NIfTI header promises, 0 where it is none."""
    import nibabel

    kind = nibabel.Nifti2Header if head[4:7] == b"n+2" else nibabel.Nifti1Header
    length = kind.template_dtype.itemsize
    if len(head) < length or b"n+" not in (head[4:6], head[344:346]):
        return 0
    shape = kind(head[:length], check=False)["dim"][1:].tolist()
    return math.prod(max(int(n), 1) for n in shape)
