"""IXI: volumes named by subject and hospital, and a table of ages saved from IXI.xls."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.tables import Number, read_table
from fetal_lib.data.layouts.volumes import check_volume
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "IXI.csv"
NAME = re.compile(r"IXI(\d{3})-(Guys|HH|IOP)-\d{4}-(T1|T2|PD|MRA)\.nii(\.gz)?")
NUMBERS = {
    "IXI_ID": Number(1, 999, "", needed=True),
    "AGE": Number(15, 110, "years"),
    "SEX_ID (1=m, 2=f)": Number(1, 2, "(1 male, 2 female)"),
}


def _volumes(folder: Path) -> list[Path]:
    return [path for path in visible(folder, "**/IXI*") if path.name.endswith((".nii", ".nii.gz"))]


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    paths = _volumes(folder)
    problems = walk(paths, lambda path: _check_volume(path, folder), progress)
    if not paths:
        problems.append(Problem("IXI-T1", "missing", "no volume IXInnn-Site-nnnn-T1.nii.gz"))
    return FolderReport(str(folder), len(paths), (*_check_ages(folder, paths), *problems))


def _check_ages(folder: Path, paths: list[Path]) -> list[Problem]:
    """Return the problems of the table, and of volumes whose subject has no age in it."""
    if not (folder / TABLE_NAME).is_file() and (folder / "IXI.xls").is_file():
        message = "the table is an old Excel file: save it as 'CSV UTF-8' under the name IXI.csv"
        return [Problem("IXI.xls", "table", message)]
    table = read_table(folder / TABLE_NAME, ("IXI_ID", "AGE"), NUMBERS)
    ids = [row.number.get("IXI_ID") for row in table.rows]
    for number, count in Counter(ids).items():
        if number is not None and count > 1:
            rule = "its age is not certain"
            table.note("duplicate", f"IXI_ID {number:.0f} stands {count} times; {rule}")
    aged = {row.number.get("IXI_ID") for row in table.rows if row.number.get("AGE") is not None}
    for path in paths if table.rows else []:
        match = NAME.fullmatch(path.name)
        if match and int(match.group(1)) not in aged:
            message = f"subject {int(match.group(1))} has no age in {TABLE_NAME}"
            table.problems.append(Problem(relative(path, folder), "no age", message))
    return table.problems


def _check_volume(path: Path, folder: Path) -> list[Problem]:
    problems = check_volume(path, folder)[1]
    if not NAME.fullmatch(path.name):
        rule = "names are IXI002-Guys-0828-T1.nii.gz; hospitals Guys, HH, IOP"
        problems = [*problems, Problem(relative(path, folder), "file name", rule)]
    return problems


def _detect(folder: Path) -> bool:
    if any((folder / name).is_file() for name in (TABLE_NAME, "IXI.xls")):
        return True
    return any(NAME.fullmatch(path.name) for path in _volumes(folder)[:20])


LAYOUT = Layout("ixi", "IXI.csv and IXInnn-Site-nnnn-T1.nii.gz", _detect, _check)
