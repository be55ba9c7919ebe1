"""Read a NIfTI-1, NIfTI-2 or Analyze file to its last byte.

A packed file carries a checksum at its end; it is read up to there, so that damage which still
unpacks is found too. Nothing larger than a volume may be is ever unpacked.
"""

from __future__ import annotations

import gzip
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from fetal_lib.readers.checks import (
    MAX_VOXELS,
    VolumeReadError,
    check_shape,
    first_bytes,
)

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialHeader, SpatialImage

GZIP = b"\x1f\x8b"
LENGTH_UNITS = {1: "metres", 3: "micrometres"}
MAX_BEFORE = 64_000_000  # bytes of header extensions before the voxels
MAX_AFTER = 64_000_000  # bytes that may follow them
MAX_FOUR_D = 8  # a four-dimensional file may hold so many of the largest volumes
PIECE = 1 << 22
SAME_LENGTH = 0.01


def read_nifti(path: Path, index: int | None = None) -> tuple[np.ndarray, np.ndarray, bool]:
    """Read the voxels of a file, or of one volume (from 0) of a four-dimensional one.

    Returns
    -------
    data : float32 (X, Y, Z), axes as they are stored.
    affine : float64 (4, 4), voxel to mm, RAS+.
    orientation_known : whether the header says how the axes lie.
    """
    with _quiet():
        is_pair = path.suffix.lower() in (".hdr", ".img")
        image = _pair(path, index) if is_pair else _single(path, index)
        values = image.dataobj[_picked(image, index)]
        affine = np.asarray(image.affine, np.float64)
        data = np.asarray(values, np.float32).reshape(image.shape[:3])
        return data, affine, _orientation_known(image)


def _single(path: Path, index: int | None) -> SpatialImage:
    """Return the image of a file that holds header and voxels."""
    start = first_bytes(path, VolumeReadError)
    is_packed = start[:2] == GZIP
    try:
        with gzip.open(path) if is_packed else path.open("rb") as source:
            return _from_stream(path, source, is_packed, index)
    except EOFError as error:
        raise VolumeReadError.damaged(path, error) from error


def _from_stream(path: Path, source: BinaryIO, is_packed: bool, index: int | None) -> SpatialImage:
    start = _read(source, 540)
    if not start:
        raise VolumeReadError(path, "nothing in it", "a volume is needed", "Export it again.")
    kind = _kind(start)
    if kind is None:
        rule = "a NIfTI file or a folder with one DICOM series is needed"
        raise VolumeReadError.of_another_kind(path, start, rule)
    header = kind.header_class(start[: kind.header_class.template_dtype.itemsize], check=False)
    _check_header(path, header, index)
    wanted = _extent(path, kind, header)
    content = start + _read(source, wanted - len(start))
    if len(content) < wanted:
        error = EOFError(f"{len(content)} of {wanted} bytes are there")
        raise VolumeReadError.damaged(path, error)
    if is_packed:
        _read_on(path, source)
    return kind.from_bytes(content[:wanted])


def _kind(start: bytes) -> type | None:
    """Return nibabel's class for a header, None where the bytes are no NIfTI header."""
    import nibabel

    if start[344:348] in (b"n+1\0", b"n+1 ") or start[344:347] == b"n+1":
        return nibabel.Nifti1Image
    if start[4:7] == b"n+2":
        return nibabel.Nifti2Image
    return None


def _extent(path: Path, kind: type, header: object) -> int:
    """Return the number of bytes up to the end of the voxels, or refuse an absurd one."""
    n_voxels = math.prod(int(side) for side in header.get_data_shape())
    offset = float(header["vox_offset"]) or kind.header_class.single_vox_offset
    smallest = kind.header_class.template_dtype.itemsize
    if not smallest <= offset <= MAX_BEFORE:
        raise VolumeReadError.damaged(
            path, ValueError(f"voxels are said to start at byte {offset:g}")
        )
    return int(offset) + n_voxels * int(header.get_data_dtype().itemsize)


def _read(source: BinaryIO, n_bytes: int) -> bytes:
    """Return up to n bytes; memory grows with what is there, not with what was promised."""
    pieces = []
    while n_bytes > 0 and (piece := source.read(min(n_bytes, PIECE))):
        pieces.append(piece)
        n_bytes -= len(piece)
    return b"".join(pieces)


def _read_on(path: Path, source: BinaryIO) -> None:
    """Read to the end of a packed file, where its checksum is compared."""
    left = MAX_AFTER
    while piece := source.read(PIECE):
        left -= len(piece)
        if left < 0:
            raise VolumeReadError.damaged(path, ValueError("it goes on after the voxels"))


def _pair(path: Path, index: int | None) -> SpatialImage:
    """Return the image of a header and a file of voxels beside it."""
    import nibabel

    header = path.with_suffix(".hdr" if path.suffix.islower() else ".HDR")
    for part in (header, path.with_suffix(".img" if path.suffix.islower() else ".IMG")):
        first_bytes(part, VolumeReadError)
    image = nibabel.load(header)
    _check_header(path, image.header, index)
    return image


def _check_header(path: Path, header: SpatialHeader, index: int | None) -> None:
    """Refuse what the header alone shows to be unusable, before the voxels are read."""
    dtype = header.get_data_dtype()
    if dtype.fields or dtype.kind not in "iuf":
        found, rule = f"voxels are of type {dtype}", "one real number a voxel is read"
        raise VolumeReadError(path, found, rule, "Export magnitude or gray values.")
    code = int(header["xyzt_units"]) & 7 if "xyzt_units" in header else 0
    if code in LENGTH_UNITS:
        found, rule = f"lengths are in {LENGTH_UNITS[code]}", "millimetres are read"
        raise VolumeReadError(path, found, rule, "Write the header again, in mm.")
    _check_placing(path, header)
    shape = tuple(int(side) for side in header.get_data_shape())
    check_shape(path, shape[:3])
    n = math.prod(shape[3:])
    if not 0 < n * math.prod(shape[:3]) <= MAX_FOUR_D * MAX_VOXELS:
        raise VolumeReadError.damaged(path, ValueError(f"the shape is {shape}"))
    _check_index(path, n, shape, index)


def _check_placing(path: Path, header: SpatialHeader) -> None:
    """Refuse lengths that readers repair in different ways, and a sform and qform of two sizes.

    Where both place the voxels, the sform counts; it may turn and move them, not resize or mirror.
    """
    if "qform_code" not in header:
        return
    mm = np.asarray(header["pixdim"][1:4], float)
    has_sform, has_qform = (int(header[name]) > 0 for name in ("sform_code", "qform_code"))
    stated = " x ".join(f"{edge:.4g}" for edge in mm)
    if not has_sform and ((mm <= 0) if has_qform else (mm == 0)).any():
        found, rule = f"the header states voxels of {stated} mm", "each length must be positive"
        raise VolumeReadError(path, found, rule, "Write the header again, in mm.")
    if not (has_sform and has_qform):
        return
    placed = np.asarray(header.get_sform(), float)[:3, :3]
    edges = np.linalg.norm(placed, axis=0)
    if (np.abs(edges - np.abs(mm)) > SAME_LENGTH * np.abs(mm)).any():
        found = f"voxels are {' x '.join(f'{edge:.4g}' for edge in edges)} mm by its sform"
        found, rule = f"{found} and {stated} mm by its qform", "both must give one size"
        raise VolumeReadError(path, found, rule, "Resample it, or set the wrong one's code to 0.")
    if np.linalg.det(placed) * (-1 if float(header["pixdim"][0]) < 0 else 1) < 0:
        found, rule = "its sform mirrors what its qform does not", "left must be on one side"
        raise VolumeReadError(path, found, rule, "Set the wrong one's code to 0.")


def _check_index(path: Path, n: int, shape: tuple[int, ...], index: int | None) -> None:
    if index is None and n > 1:
        raise VolumeReadError(
            path,
            f"{n} volumes, the shape is {shape}",
            "one volume is needed and none is chosen for you",
            "Save the one you mean as a file of its own, or pass index=0 for the first.",
        )
    if index is not None and not 0 <= index < n:
        found, rule = f"{n} volumes, and index={index} was asked for", f"they count to {n - 1}"
        raise VolumeReadError(path, found, rule, "Choose one of these.")


def _picked(image: SpatialImage, index: int | None) -> tuple:
    """Return the slicing that takes one volume; the file's further axes are counted as one."""
    rest = np.unravel_index(index or 0, image.shape[3:]) if len(image.shape) > 3 else ()
    return (..., *(int(position) for position in rest)) if rest else (...,)


def _orientation_known(image: SpatialImage) -> bool:
    header = image.header
    return any(name in header and int(header[name]) > 0 for name in ("sform_code", "qform_code"))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from printing what it repairs in a header, NumPy from overflow warnings."""
    log = logging.getLogger("nibabel.global")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        log.setLevel(before)
