"""One T1 scan of an adult, read with its tissue labels: what the adult MRI layouts share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.bad_files import FileFault
from fetal_lib.data.layouts.base import Found, Roles
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.data.volumes import labels_of, read_scan_volume
from fetal_lib.readers.delimited import UNKNOWN
from fetal_lib.readers.volume_grid import Volume

AGES = (15.0, 110.0, "years")
SIZES = {  # column: its name here, limits
    "eTIV": ("etiv_ml", (500.0, 3000.0, "mL")),
    "etiv_ml": ("etiv_ml", (500.0, 3000.0, "mL")),
    "nWBV": ("nwbv", (0.3, 1.0, "of the head")),
}
SIZE_LIMITS = {column: limits for column, (_, limits) in SIZES.items()}
SEX_NAMES = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}
N_TISSUES = 4  # background, CSF, gray, white
ROLES = Roles(("age_years",))


@dataclass(frozen=True)
class AdultScan:
    """Hold one scan that was read.

    Attributes
    ----------
    subject : str
    volume : Volume
        T1, RAS.
    labels : uint8 (X, Y, Z) or None
        0 background, 1 CSF, 2 gray matter, 3 white matter.
    """

    subject: str
    volume: Volume
    labels: np.ndarray | None


def read_scan(subject: str, path: Path, labels_path: Path | None = None) -> AdultScan:
    """Read one scan and its labels.

    Raises
    ------
    ValueError
        If a file cannot be read, the scan is empty, or the labels are not of its grid or hold
        anything but 0-3.
    """
    volume = read_scan_volume(path)
    if labels_path is None:
        return AdultScan(subject, volume, None)
    labels = labels_of(labels_path, volume)
    found = np.unique(labels)
    if not np.isin(found, range(N_TISSUES)).all():
        message = (
            f"labels {found[:8].tolist()}; 0 background, 1 CSF, 2 gray and 3 white matter are "
            "read. Map the others to these"
        )
        raise FileFault(labels_path, "labels", message)
    return AdultScan(subject, volume, labels)


def read(row: Any) -> AdultScan:
    """Read the scan of a row."""
    return read_scan(row.subject, row.path, row.labels_path)


def case(subject: str, path: Path, age_years: float, sex: str, **more: object) -> dict[str, Any]:
    """Return the row of one scan; what is not given is unknown."""
    columns = {"subject": subject, "session": "", "path": path, "labels_path": None}
    columns |= {"age_years": age_years, "sex": sex, "site": ""}
    return columns | {"etiv_ml": math.nan, "nwbv": math.nan, "extra": {}} | more


def sizes_of(sheet: Sheet, values: Mapping[str, float]) -> dict[str, float]:
    """Return head and brain size of a row, where the table has columns of them."""
    return {name: values[column] for column, (name, _) in SIZES.items() if column in sheet.columns}


def rest_of(row: Mapping[str, str], taken: Sequence[str]) -> dict[str, str]:
    """Return the columns that have no place of their own; unknown ones are left out."""
    taken = {*taken, *SIZES, ""}
    return {k: v for k, v in row.items() if k not in taken and v.casefold() not in UNKNOWN}


def sex_of(text: str) -> str:
    """Return ``"F"``, ``"M"``, or nothing where the table says neither.

    Examples
    --------
    >>> sex_of("Female"), sex_of("M"), sex_of("n/a")
    ('F', 'M', '')
    """
    return SEX_NAMES.get(text.strip().casefold(), "")


def in_order(found: Found) -> Found:
    """Sort the scans of a folder by person and session."""
    found.cases.sort(key=lambda one: (one["subject"], one["session"]))
    return found
