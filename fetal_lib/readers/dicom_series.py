"""Read a folder of DICOM slices, or a multi-frame file, as one volume.

Slices are put in order by their positions, not by their names or numbers. One series is read;
slices that are missing, doubled, or at another angle are refused. Signal and gain follow
Rescale Slope and Intercept.

References
----------
DICOM PS3.3, C.7.6.2 Image Plane Module, C.7.6.16 Multi-frame Functional Groups Module.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.errors import short
from fetal_lib.readers.checks import (
    VolumeReadError,
    check_shape,
    damage_as,
    first_bytes,
    is_dicom,
)
from fetal_lib.readers.dicom_header import GRAY, read_header

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_FILES = 5000
SAME_ANGLE, SAME_PLACE_MM, EVEN_WITHIN = 1e-3, 0.01, 0.05
TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM counts to the left and to the back


def read_dicom_series(folder: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the one series in a folder: slices, or one multi-frame file.

    Parameters
    ----------
    folder : path; files that are no DICOM image are passed over.

    Returns
    -------
    data : float32 (columns, rows, slices)
    affine : float64 (4, 4), voxel to mm, RAS+.

    Raises
    ------
    VolumeReadError
        When there is no series, more than one, or its slices do not make a volume.
    """
    folder = Path(folder)
    with _quiet():
        headers = _headers(folder)
        paths = _one_series(folder, headers)
        if len(paths) == 1:
            return read_dicom_frames(paths[0])
        order, affine = _stacked(folder, [_place(path, headers[path]) for path in paths])
        first = headers[paths[0]]
        shape = int(first.Columns), int(first.Rows), len(paths)
        check_shape(folder, shape)
        data = np.empty(shape, np.float32)
        for k, number in enumerate(order):
            data[:, :, k] = _pixels(paths[number], headers[paths[number]], shape)
    return data, affine


def read_dicom_frames(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the frames of one file as a volume (enhanced MR images), as `read_dicom_series` does.

    A file of one slice, without positions, or whose frames make no volume is refused by a
    VolumeReadError.
    """
    path = Path(path)
    with _quiet():
        header = read_header(path, VolumeReadError)
        frames = header.get("PerFrameFunctionalGroupsSequence")
        if not frames or len(frames) < 2:
            raise VolumeReadError(
                path,
                "one DICOM slice",
                "a volume is needed",
                "Give the folder that holds the slices of the series.",
            )
        shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
        places = [_frame_place(path, frame, shared) for frame in frames]
        order, affine = _stacked(path, places)
        shape = int(header.Columns), int(header.Rows), len(frames)
        check_shape(path, shape)
        values = _decoded(path, header).reshape(len(frames), shape[1], shape[0])
        data = np.empty(shape, np.float32)
        for k, number in enumerate(order):
            slope, intercept = _rescale(header, shared, frames[number])
            data[:, :, k] = values[number].T * np.float32(slope) + np.float32(intercept)
    return data, affine


class _Place:
    """Hold where a slice lies: corner (3,), directions of row and column (3, 2), pixel edges."""

    def __init__(self, position: object, orientation: object, edges: object) -> None:
        self.corner = np.array([float(v) for v in position])
        angles = np.array([float(v) for v in orientation]).reshape(2, 3)
        self.directions = angles.T
        row_mm, column_mm = (float(v) for v in edges)  # between rows, between columns
        self.edges = np.array([column_mm, row_mm])
        whole = [self.corner, self.directions, self.edges]
        if not all(np.isfinite(part).all() for part in whole) or self.corner.shape != (3,):
            raise ValueError("its position, orientation or pixel spacing is no number")
        if not (self.edges > 0).all():
            raise ValueError(f"its pixels are {row_mm:g} x {column_mm:g} mm")

    @property
    def normal(self) -> np.ndarray:
        return np.cross(*self.directions.T)


def _headers(folder: Path) -> dict[Path, Dataset]:
    """Return the headers of all DICOM images in a folder, without their pixels."""
    with damage_as(VolumeReadError, folder):
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    if len(paths) > MAX_FILES:
        found = f"{len(paths)} files"
        raise VolumeReadError(folder, found, f"at most {MAX_FILES} are read", "Part the series.")
    marked = [path for path in paths if _is_dicom(path)]
    headers = {path: read_header(path, VolumeReadError) for path in marked}
    headers = {path: header for path, header in headers.items() if int(header.get("Rows") or 0)}
    if not headers:
        raise VolumeReadError(
            folder,
            f"{len(paths)} files, no DICOM image among them",
            "a folder with one DICOM series is needed",
            "Name that folder, or a NIfTI file in this one.",
        )
    return headers


def _is_dicom(path: Path) -> bool:
    try:
        return is_dicom(first_bytes(path, VolumeReadError))
    except VolumeReadError:
        return False


def _one_series(folder: Path, headers: dict[Path, Dataset]) -> list[Path]:
    series = defaultdict(list)
    for path, header in headers.items():
        series[str(header.get("SeriesInstanceUID", ""))].append(path)
    if len(series) > 1:
        names = [str(headers[paths[0]].get("SeriesDescription", "")) for paths in series.values()]
        found = f"{len(series)} series ({', '.join(map(repr, names[:6]))})"
        rule = "one is needed and none is chosen for you"
        raise VolumeReadError(folder, found, rule, "Put the one you mean into a folder of its own.")
    paths = next(iter(series.values()))
    if len(paths) == 1 and "PerFrameFunctionalGroupsSequence" not in headers[paths[0]]:
        rule = "at least 2 make a volume"
        raise VolumeReadError(folder, "1 slice", rule, "Copy the whole series.")
    return paths


def _place(path: Path, header: Dataset) -> _Place:
    try:
        position, orientation = header.ImagePositionPatient, header.ImageOrientationPatient
        return _Place(position, orientation, header.PixelSpacing)
    except Exception as error:
        raise _unplaced(path, error) from error


def _frame_place(path: Path, frame: Dataset, shared: Dataset | None) -> _Place:
    def group(name: str) -> Dataset:
        own = frame.get(name) or (shared.get(name) if shared is not None else None)
        return own[0]

    try:
        position = group("PlanePositionSequence").ImagePositionPatient
        orientation = group("PlaneOrientationSequence").ImageOrientationPatient
        return _Place(position, orientation, group("PixelMeasuresSequence").PixelSpacing)
    except Exception as error:
        raise _unplaced(path, error) from error


def _unplaced(path: Path, error: Exception) -> VolumeReadError:
    return VolumeReadError(
        path,
        f"a slice without a place ({short(' '.join(str(error).split()), 120)})",
        "position, orientation and pixel spacing are needed",
        "Export the original series, not a screen capture.",
    )


def _stacked(path: Path, places: list[_Place]) -> tuple[list[int], np.ndarray]:
    """Return the slices' order along their normal, and the affine of the volume."""
    first = places[0]
    for place in places:
        same = np.abs(place.directions - first.directions).max() < SAME_ANGLE
        if not same or not np.allclose(place.edges, first.edges, rtol=1e-3):
            found, rule = "slices at several angles or pixel sizes", "one stack is needed"
            raise VolumeReadError(path, found, rule, "Part the stacks into folders of their own.")
    along = np.array([place.corner @ first.normal for place in places])
    order = [int(k) for k in np.argsort(along, kind="stable")]
    steps = np.diff(along[order])
    if steps.min() < SAME_PLACE_MM:
        found, rule = "two slices at one place", "each place is read once"
        raise VolumeReadError(path, found, rule, "Part echoes and repeats into several folders.")
    step = float(np.median(steps))
    if np.abs(steps - step).max() > EVEN_WITHIN * step:
        found = f"slices {steps.min():.2f} to {steps.max():.2f} mm apart"
        rule = "a volume has even steps; slices are missing"
        raise VolumeReadError(path, found, rule, "Copy the whole series.")
    start, end = places[order[0]].corner, places[order[-1]].corner
    affine = np.eye(4)
    affine[:3, :2] = TO_RAS @ (first.directions * first.edges)
    affine[:3, 2] = TO_RAS @ ((end - start) / (len(places) - 1))
    affine[:3, 3] = TO_RAS @ start
    return order, affine


def _pixels(path: Path, header: Dataset, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the values of one slice, float32 (columns, rows)."""
    values = _decoded(path, header)
    if values.shape != (shape[1], shape[0]):
        found = f"a slice of {values.shape}, the first is {(shape[1], shape[0])} (rows, columns)"
        raise VolumeReadError(path, found, "one size a series is needed", "Part the series.")
    slope, intercept = _rescale(header)
    return values.T * np.float32(slope) + np.float32(intercept)


def _decoded(path: Path, header: Dataset) -> np.ndarray:
    from pydicom.pixels import pixel_array

    kind = str(header.get("PhotometricInterpretation", "none stated"))
    if kind not in GRAY:
        found, rule = f"colours {kind!r}", "gray values are read"
        raise VolumeReadError(path, found, rule, "Export the original series.")
    with damage_as(VolumeReadError, path):
        return pixel_array(path)


def _rescale(header: Dataset, *groups: Dataset | None) -> tuple[float, float]:
    """Return slope and intercept, those of a frame before those of the file."""
    for group in (*reversed(groups), None):
        own = (group.get("PixelValueTransformationSequence") or [None])[0] if group else header
        if own is not None and own.get("RescaleSlope") is not None:
            return float(own.RescaleSlope), float(own.get("RescaleIntercept") or 0.0)
    return 1.0, 0.0


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom from warning about values that are checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
