"""OASIS-1 as published: a table of sessions, one folder ``OAS1_NNNN_MRk`` a session."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, visible, walk
from fetal_lib.data.layouts.tables import Number, Table, read_table
from fetal_lib.data.layouts.volumes import check_volume, is_volume_name
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "oasis_cross-sectional.csv"
SESSION = re.compile(r"OAS1_\d{4}_MR\d")
NUMBERS = {
    "Age": Number(15, 110, "years", needed=True),
    "eTIV": Number(700, 2500, "mL"),
    "nWBV": Number(0.4, 1.0, "(a share of eTIV)"),
    "CDR": Number(0, 3, "(clinical dementia rating)"),
}


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    table = read_table(folder / TABLE_NAME, ("ID", "M/F", "Age"), NUMBERS, unique=("ID",))
    places = {path.name: path for path in sorted(folder.glob("**/OAS1_*_MR*")) if path.is_dir()}
    listed = _sessions(table)
    problems: list[Problem] = []
    if table.rows:
        message = f"no row in {TABLE_NAME}; its age is not known"
        problems += [Problem(name, "not listed", message) for name in places if name not in listed]
    names = sorted({*listed, *places})
    problems += walk(names, lambda name: _check_session(folder, name, places.get(name)), progress)
    return FolderReport(str(folder), len(names), (*table.problems, *problems))


def _sessions(table: Table) -> list[str]:
    names = []
    for row in table.rows:
        name = row.text.get("ID", "")
        if SESSION.fullmatch(name):
            names.append(name)
        else:
            rule = "sessions are named as OAS1_0061_MR1"
            table.note("file name", f"line {row.line}: ID is {name[:40]!r}; {rule}")
    return list(dict.fromkeys(names))


def _check_session(folder: Path, name: str, place: Path | None) -> list[Problem]:
    if place is None:
        return [Problem(name, "missing", f"{TABLE_NAME} names it; the folder has no such session")]
    volumes = [path for path in visible(place, "**/*") if is_volume_name(path)]
    if not volumes:
        return [Problem(name, "missing", "no volume (.nii, .nii.gz, or .hdr with .img) in it")]
    return [problem for path in volumes for problem in check_volume(path, folder)[1]]


def _detect(folder: Path) -> bool:
    places = (path for path in folder.iterdir() if path.is_dir())
    return (folder / TABLE_NAME).is_file() or any(SESSION.fullmatch(path.name) for path in places)


LAYOUT = Layout("oasis1", "oasis_cross-sectional.csv and OAS1_NNNN_MRk/", _detect, _check)
