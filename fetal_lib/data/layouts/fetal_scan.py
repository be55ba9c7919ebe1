"""One scan of a fetal brain, read with its labels and mask: what the fetal MRI layouts share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.layouts.base import Found, Roles
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.data.volumes import labels_of, read_scan_volume
from fetal_lib.readers.volume_grid import Volume

AGES = {
    "ga_days": (70.0, 310.0, "days (weeks × 7)"),
    "ga_weeks": (10.0, 45.0, "weeks"),
    "gestational_age": (10.0, 45.0, "weeks"),
}
DAYS = {"ga_days": 1.0, "ga_weeks": 7.0, "gestational_age": 7.0}
SPLITS = ("train", "valid", "val", "test")
THICK = 1.6  # voxels this much longer than wide make a stack of slices
ROLES = Roles(("ga_days",), "group")


@dataclass(frozen=True)
class FetalScan:
    """Hold one scan.

    Attributes
    ----------
    subject : the fetus.
    ga_days : gestational age at the scan, days.
    kind : ``volume`` (nearly isotropic), ``stack`` (thick slices), ``template``, ``slices``.
    volume : Volume, or None for pictures.
    labels : uint8 (X, Y, Z) on the volume's grid, or None.
    mask : bool (X, Y, Z), the brain with its fluid, or None where no file gives it.
    pictures : for slices, uint8 arrays (H, W) of each plane, in order; else empty.
    """

    subject: str
    ga_days: float
    kind: str
    volume: Volume | None
    labels: np.ndarray | None
    mask: np.ndarray | None
    pictures: dict[str, tuple[np.ndarray, ...]]


def read_volume_scan(
    subject: str,
    path: Path,
    ga_days: float,
    kind: str,
    labels_path: Path | None = None,
    mask_path: Path | None = None,
) -> FetalScan:
    """Read one volume with its labels and mask; without a mask the labels tell the brain.

    Raises
    ------
    ValueError
        If a file cannot be read, the scan is empty, or labels or mask are not of its grid.
    """
    volume = read_scan_volume(path)
    labels = None if labels_path is None else labels_of(labels_path, volume)
    mask = labels if mask_path is None else labels_of(mask_path, volume)
    if kind == "volume" and max(volume.spacing_mm) > THICK * min(volume.spacing_mm):
        kind = "stack"
    inside = None if mask is None else mask > 0
    return FetalScan(subject, float(ga_days), kind, volume, labels, inside, {})


def read(row: Any) -> FetalScan:
    """Read the volume of a row."""
    return read_volume_scan(
        row.subject, row.path, row.ga_days, row.kind, row.labels_path, row.mask_path
    )


def case(subject: str, path: Path, ga_days: float, kind: str, **more: object) -> dict[str, Any]:
    """Return the row of one scan; what is not given is unknown."""
    columns = {"subject": subject, "group": subject, "session": "", "path": path}
    columns |= {"labels_path": None, "mask_path": None, "ga_days": ga_days}
    return columns | {"kind": kind, "split": ""} | more


def ages_in_days(sheet: Sheet) -> list[float]:
    """Return the age of each row in days, NaN where unknown; no column of ages is a problem."""
    column = sheet.number_column(tuple(AGES))
    if column is None:
        if sheet.rows:
            found = list(sheet.columns)[:12]
            sheet.problem("columns", f"column 'ga_days' missing; found {found}")
        return [math.nan] * len(sheet.rows)
    return [DAYS[column] * values[column] for _, _, values in sheet]


def split_of(sheet: Sheet, line: int, text: str) -> str:
    """Return the part that a row names; one that is none is a problem."""
    split = text.casefold()
    if split and split not in SPLITS:
        sheet.problem("value", f"line {line}: split is {split!r}; it must be {SPLITS}")
    return split


def in_order(found: Found) -> Found:
    """Sort the scans of a folder by fetus, session and file."""
    found.cases.sort(key=lambda one: (one["subject"], one["session"], one["path"]))
    return found
