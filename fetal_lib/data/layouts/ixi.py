"""IXI: ``IXI002-Guys-0828-T1.nii.gz`` and such, and a table of ages saved from IXI.xls.

IXI's sheet lists people without a scan, scans without a row, people without an age and people
listed twice; they are left out by name unless the two rows agree.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from fetal_lib.data.layouts.adult_scan import AGES, ROLES, case, in_order, read, rest_of
from fetal_lib.data.layouts.base import Found, Layout, visible
from fetal_lib.data.layouts.sheet import Sheet

TABLES = ("IXI.csv", "IXI.tsv")
EXCEL = "IXI.xls"
NAME = re.compile(r"IXI(\d{3})-([A-Za-z]+)-(\d+)-T1\.nii(\.gz)?")
SEX_COLUMNS = ("SEX_ID (1=m, 2=f)", "SEX_ID")
SEX = {"1": "M", "2": "F"}


class Person(NamedTuple):
    """Age in years (NaN: unknown) and sex, as one row says them."""

    age: float
    sex: str


def find(folder: Path) -> Found:
    """Find the T1 scans of people whose age is certain."""
    found = Found(folder)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None and (folder / EXCEL).is_file():
        found.problem(EXCEL, "table", "old Excel is not read; save its sheet as IXI.csv")
        return found
    limits = {"AGE": (0.0, AGES[1], "years")}
    path = table or folder / TABLES[0]
    sheet = Sheet(found, path, ("IXI_ID", "AGE"), SEX_COLUMNS, limits)
    people: dict[str, list[Person]] = defaultdict(list)
    extra: dict[str, dict[str, str]] = {}
    for line, row, values in sheet:
        if not re.fullmatch(r"\d{1,3}(\.0)?", row["IXI_ID"]):
            sheet.problem("value", f"line {line}: IXI_ID is {row['IXI_ID']!r}, no number")
            continue
        subject = f"IXI{int(float(row['IXI_ID'])):03d}"
        code = next((row[name] for name in SEX_COLUMNS if name in row), "")
        sex = SEX.get(code.removesuffix(".0"), "")
        age = values["AGE"] if values["AGE"] >= AGES[0] else math.nan
        people[subject].append(Person(age, sex))
        extra[subject] = rest_of(row, ("IXI_ID", "AGE", *SEX_COLUMNS))
    if sheet.rows:
        _add_scans(found, people, extra)
    return in_order(found)


def _add_scans(
    found: Found, people: dict[str, list[Person]], extra: dict[str, dict[str, str]]
) -> None:
    seen: set[str] = set()
    for path in visible(found.folder, "**/IXI*-T1.nii*", (".nii", ".nii.gz")):
        match = NAME.fullmatch(path.name)
        if match is None:
            found.note(path, "file name", "not named as IXI002-Guys-0828-T1.nii.gz is")
            continue
        subject = f"IXI{match.group(1)}"
        reason = _why_not(people.get(subject, []), again=subject in seen)
        seen.add(subject)
        if reason:
            found.note(path, *reason)
            continue
        known = people[subject][0]
        more = {"site": match.group(2), "extra": extra[subject]}
        found.cases.append(case(subject, path, known.age, known.sex, **more))
    for subject in sorted(set(people) - seen):
        found.note(subject, "missing", "in the table, but no T1 scan")


def _why_not(rows: list[Person], again: bool) -> tuple[str, str] | None:
    """Return kind and words of why a scan cannot be used, or None."""
    if again:
        return "duplicate", "a second scan of this person"
    if not rows:
        return "not listed", "not in the table"
    if all(math.isnan(person.age) for person in rows):
        return "no age", "no age in the table"
    if len(set(rows)) > 1:
        message = f"listed {len(rows)} times in the table with different ages or sexes"
        return "duplicate", message
    return None


def _detect(folder: Path) -> bool:
    if any((folder / name).is_file() for name in (*TABLES, EXCEL)):
        return True
    return any(NAME.fullmatch(path.name) for path in folder.glob("**/IXI*"))


LAYOUT = Layout("ixi", "IXI.csv and IXInnn-Site-nnnn-T1.nii.gz", _detect, find, read, roles=ROLES)
