"""OASIS-1 as published: a table of sessions, one folder ``OAS1_NNNN_MRk`` a session.

The atlas-registered, masked scan (``*_t88_masked_gfc``) is taken, or a ``*_T1w.nii.gz`` below the
session's folder. The sessions MR1 and MR2 of a person keep one subject. ``labels_path`` is FSL
FAST's segmentation where the release has it: no truth.

References
----------
Marcus DS et al. J Cogn Neurosci 2007;19:1498-1507. doi:10.1162/jocn.2007.19.9.1498
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from fetal_lib.data.layouts.adult_scan import (
    AGES,
    ROLES,
    SIZE_LIMITS,
    case,
    in_order,
    read,
    rest_of,
    sex_of,
    sizes_of,
)
from fetal_lib.data.layouts.base import Found, Layout, visible
from fetal_lib.data.layouts.sheet import Sheet

TABLES = ("oasis_cross-sectional.csv", "oasis_cross-sectional.tsv")
NEEDED = ("ID", "M/F", "Age")
SESSION = re.compile(r"(OAS1_\d{4})_(MR\d)")
SCANS = re.compile(r"_t88_masked_gfc\.(hdr|nii|nii\.gz)$|_T1w\.nii(\.gz)?$")


def find(folder: Path) -> Found:
    """Find one scan a session of the table; sessions without scan or age are left out."""
    found = Found(folder)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    limits = {"Age": AGES, **SIZE_LIMITS}
    sheet = Sheet(found, table or folder / TABLES[0], NEEDED, ("CDR",), limits, ("ID",))
    scans = _scans(folder)
    for line, row, values in sheet:
        name = row["ID"]
        match = SESSION.fullmatch(name)
        if match is None:
            sheet.problem("file name", f"line {line}: ID is {name!r}, not OAS1_NNNN_MRn")
        elif name not in scans:
            found.note(name, "missing", "in the table, but no scan")
        elif math.isnan(values["Age"]):
            found.note(name, "no age", "no age in the table")
        else:
            path = scans[name]
            more = sizes_of(sheet, values) | {"session": match.group(2)}
            more |= {"labels_path": _fast_labels(path), "extra": rest_of(row, NEEDED)}
            person = case(match.group(1), path, values["Age"], sex_of(row["M/F"]), **more)
            found.cases.append(person)
    for name in sorted(set(scans) - {row["ID"] for _, row, _ in sheet}):
        found.note(name, "not listed", "not in the table")
    return in_order(found)


def _scans(folder: Path) -> dict[str, Path]:
    """Return one scan a session: the registered, masked one before a T1w."""
    scans: dict[str, Path] = {}
    for path in sorted(visible(folder, "**/OAS1_*")):
        match = SESSION.match(path.name)
        if match and SCANS.search(path.name):
            scans.setdefault(match.group(0), path)
    return scans


def _fast_labels(scan: Path) -> Path | None:
    ending = scan.name[scan.name.index("_gfc") + 4 :] if "_gfc" in scan.name else ""
    name = scan.name.removesuffix(ending) + "_fseg" + ending
    session = next((p for p in scan.parents if SESSION.fullmatch(p.name)), scan.parent)
    return next(iter(sorted(session.rglob(name))), None) if ending else None


def _detect(folder: Path) -> bool:
    places = (path for path in folder.iterdir() if path.is_dir())
    tables = any((folder / name).is_file() for name in TABLES)
    return tables or any(SESSION.fullmatch(path.name) for path in places)


LAYOUT = Layout(
    "oasis1",
    "oasis_cross-sectional.csv and OAS1_NNNN_MRk/",
    _detect,
    find,
    read,
    roles=ROLES,
)
