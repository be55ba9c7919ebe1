"""Check one NIfTI (or Analyze) volume by reading it in pieces: memory stays at a few MiB."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from fetal_lib.data.layouts.base import relative
from fetal_lib.data.layouts.images import file_problem
from fetal_lib.data.report import Problem

ENDINGS = (".nii", ".nii.gz", ".hdr")
PIECE_BYTES = 1 << 22
MAX_VOXELS = 1_000_000_000
SPACING_MM = (0.1, 20.0)
LENGTH_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}


@dataclass(frozen=True)
class VolumeFacts:
    """Hold what a pair of volumes is compared by: shape (X, Y, Z), affine (4, 4) in mm."""

    shape: tuple[int, ...]
    affine: np.ndarray


def is_volume_name(path: Path) -> bool:
    """Return whether a name ends as a volume's does."""
    return path.name.lower().endswith(ENDINGS)


def check_volume(
    path: Path, folder: Path, labels: bool = False
) -> tuple[VolumeFacts | None, list[Problem]]:
    """Read a volume to its last byte.

    Parameters
    ----------
    path, folder : the file, and the folder that its name is told from.
    labels : whether it must hold whole numbers of 0 and above.

    Returns
    -------
    facts : None where the header cannot be used.
    problems : missing, zero bytes, wrong type, unreadable, 4D, size, spacing, unit, orientation,
        truncated, NaN, empty, labels.
    """
    name = relative(path, folder)
    if problem := file_problem(path, name, "volume"):
        return None, [problem]
    try:
        image = _load(path)
    except Exception as error:  # a damaged header makes a parser fail in any way at all
        return None, [Problem(name, _unreadable(path), _shown(error))]
    try:
        problems = [Problem(name, *fault) for fault in _header_faults(image)]
        if not problems:
            problems = [Problem(name, *fault) for fault in _content_faults(image, labels)]
        facts = VolumeFacts(_shape(image), np.asarray(image.affine, float))
    except Exception as error:
        return None, [Problem(name, "unreadable", _shown(error))]
    return facts, problems


def read_facts(path: Path) -> VolumeFacts | None:
    """Return a volume's grid from its header alone, None where that cannot be read."""
    try:
        image = _load(path)
        return VolumeFacts(_shape(image), np.asarray(image.affine, float))
    except Exception:  # its faults are told where the volume itself is checked
        return None


def check_labels(path: Path, folder: Path, image: VolumeFacts | None) -> list[Problem]:
    """Return all problems of a label volume, its grid compared with its image's."""
    facts, problems = check_volume(path, folder, labels=True)
    if facts is None or image is None:
        return problems
    name = relative(path, folder)
    if facts.shape != image.shape:
        message = f"the labels are {facts.shape}, the image {image.shape} voxels; equal sizes"
        return [*problems, Problem(name, "size", message)]
    apart = float(np.abs(facts.affine - image.affine).max())
    if not apart <= 0.05:
        message = f"labels and image lie apart: their affines differ by {apart:.3g}; resample one"
        return [*problems, Problem(name, "affine", message)]
    return problems


def _load(path: Path) -> Any:
    import nibabel

    with _quiet():
        return nibabel.load(path)


def _shape(image: Any) -> tuple[int, ...]:
    shape = tuple(int(side) for side in image.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _header_faults(image: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and message of each fault that the header alone shows."""
    import nibabel

    if not isinstance(image, nibabel.analyze.AnalyzeImage):
        yield "wrong type", f"{type(image).__name__}; a NIfTI volume is needed"
        return
    shape, dtype = _shape(image), image.get_data_dtype()
    if len(shape) != 3:
        yield "4D", f"the shape is {tuple(image.shape)}; one 3D volume a file: choose one"
    elif not all(side >= 2 for side in shape) or math.prod(shape) > MAX_VOXELS:
        yield "size", f"the shape is {shape}; 2 voxels a side at least, 10^9 in all at most"
    if dtype.fields or dtype.kind not in "iuf":
        yield "data type", f"voxels are {dtype}; real numbers are needed"
    yield from _geometry_faults(image)


def _geometry_faults(image: Any) -> Iterator[tuple[str, str]]:
    zooms = np.asarray(image.header.get_zooms()[:3], float)
    code = int(image.header["xyzt_units"]) & 7 if "xyzt_units" in image.header else 0
    unit, factor = LENGTH_UNITS.get(code, ("", 1.0))
    low, high = SPACING_MM
    if unit:
        yield "unit", f"lengths are in {unit}, {zooms * factor} mm; write millimetres"
    elif not np.isfinite(zooms).all() or zooms.min() < low or zooms.max() > high:
        yield "spacing", f"voxels are {zooms} mm; {low:g} to {high:g} mm is the rule"
    affine = np.asarray(image.affine, float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        yield "orientation", "the affine cannot be inverted; the volume has no orientation"


def _content_faults(image: Any, labels: bool) -> Iterator[tuple[str, str]]:
    """Yield kind and message of each fault of the voxels; reads the file in pieces."""
    wanted = math.prod(_shape(image))
    read, bad, low, high, fractions = 0, 0, math.inf, -math.inf, 0
    try:
        for values in _pieces(image, wanted):
            read += values.size
            finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
            bad += values.size - finite.size
            if finite.size:
                low, high = min(low, float(finite.min())), max(high, float(finite.max()))
            if labels and values.dtype.kind == "f":
                fractions += int((finite != np.round(finite)).sum())
    except (OSError, EOFError, zlib.error) as error:
        yield "truncated", f"damaged after {read} of {wanted} voxels ({_shown(error)})"
        return
    if read < wanted:
        yield "truncated", f"{read} of {wanted} voxels are there: copy the file again"
        return
    yield from _value_faults(bad, low, high, labels, fractions)


def _value_faults(
    bad: int, low: float, high: float, labels: bool, fractions: int
) -> Iterator[tuple[str, str]]:
    if bad:
        yield "NaN", f"{bad} voxels are NaN or infinite; replace them by 0 or repair the export"
    if low >= high:
        yield "empty", "all voxels are equal; there is no picture in it"
    if labels and (fractions or low < 0):
        yield "labels", f"{fractions} voxels are no whole number, the smallest is {low:g}"


def _pieces(image: Any, n_voxels: int) -> Iterator[np.ndarray]:
    """Yield the voxels as they are stored, then read on to the end to test the checksum."""
    dtype, offset = image.dataobj.dtype, int(image.dataobj.offset)
    left = n_voxels
    with _opened(Path(image.file_map["image"].filename)) as source:
        source.seek(offset)
        while left:
            piece = source.read(min(left, PIECE_BYTES // dtype.itemsize) * dtype.itemsize)
            values = np.frombuffer(piece[: len(piece) // dtype.itemsize * dtype.itemsize], dtype)
            if not values.size:
                return
            left -= values.size
            yield values
        while source.read(PIECE_BYTES):
            pass


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as source:
        packed = source.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")


def _unreadable(path: Path) -> str:
    """Return the kind of problem of a file that no header could be read from."""
    with path.open("rb") as source:
        first = source.read(352)
    packed = first[:2] == b"\x1f\x8b"
    header = first[344:347] in (b"n+1", b"ni1") or first[4:7] in (b"n+2", b"ni2")
    return "unreadable" if packed or header or path.suffix == ".hdr" else "wrong type"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from printing what it repairs in a header."""
    log = logging.getLogger("nibabel.global")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _shown(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."
