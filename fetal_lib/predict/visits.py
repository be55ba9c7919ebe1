"""Which images are of one examination: as a table says, as DICOM files state, else each alone."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.data.bad_files import plain_file_name
from fetal_lib.predict.pixel_sizes import GA_COLUMN, NAME_COLUMNS, column_of
from fetal_lib.readers.checks import first_bytes, is_dicom
from fetal_lib.readers.delimited import TableReadError, numbers, read_text_table

EXAM_COLUMNS = ("exam", "examination", "visit")


@dataclass(frozen=True)
class Visit:
    """One examination of one fetus; of one name there is one.

    Attributes
    ----------
    name : str
        As the table has it; else the study's UID, or the file's name without ending.
    ga_days : float
        Gestational age known from elsewhere; NaN without one.
    """

    name: str
    ga_days: float = field(default=math.nan, compare=False)  # NaN equals nothing, itself included


@dataclass(frozen=True)
class VisitTable:
    """What a table says: the examination of each image, by file name, and its age in days."""

    visit_of: Mapping[str, str] = field(default_factory=dict)
    ga_days: Mapping[str, float] = field(default_factory=dict)


def read_visits(path: str | Path) -> VisitTable:
    """Read a table of examinations: ``image``, ``exam`` and, if it is known, ``ga_days``.

    Raises
    ------
    TableReadError
        A ValueError: if the file or a column is missing, an image stands twice, an examination is
        not named, or has two ages; all bad rows are named together.
    """
    table = read_text_table(path, (), (*NAME_COLUMNS, *EXAM_COLUMNS, GA_COLUMN))
    image_column, exam_column = column_of(table, NAME_COLUMNS), column_of(table, EXAM_COLUMNS)
    values, problems = numbers(table, {GA_COLUMN: (1, 320, "days")})
    visit_of: dict[str, str] = {}
    ages: dict[str, float] = {}
    for line, row, age in zip(table.lines, table.rows, values[GA_COLUMN], strict=True):
        image, exam = plain_file_name(row[image_column]), row[exam_column]
        if not exam:
            problems.append(f"line {line}: {exam_column} is empty")
        if image in visit_of:
            problems.append(f"line {line}: {image} stands twice")
        if not math.isnan(age) and ages.setdefault(exam, age) != age:
            problems.append(f"line {line}: {exam} has the ages {ages[exam]:g} and {age:g} days")
        visit_of[image] = exam
    if problems:
        raise TableReadError(table.path, problems)
    return VisitTable(visit_of, ages)


def visits(
    paths: Sequence[Path], table: VisitTable | None = None, ages: Mapping[str, float] | None = None
) -> list[Visit]:
    """Return the examination of each file.

    Parameters
    ----------
    paths : sequence of Path
    table : VisitTable, optional
        Goes before what files state.
    ages : mapping, optional
        Gestational ages in days by file name, for examinations whose age the table does not have.

    Raises
    ------
    ValueError
        If images of one examination have different ages.
    """
    table = table or VisitTable()
    files = [plain_file_name(path) for path in paths]
    told = [table.visit_of.get(file) for file in files]
    names = [name or _study(path) or path.stem for name, path in zip(told, paths, strict=True)]
    known: dict[str, list[float]] = defaultdict(list)
    for file, name in zip(files, names, strict=True):
        if file in (ages or {}):
            known[name].append(ages[file])
    torn = [name for name, found in known.items() if len(set(found)) > 1]
    if torn:
        raise ValueError(
            f"{GA_COLUMN}: images of one examination have different ages: {', '.join(torn[:10])}; "
            "give one age an examination."
        )
    ga_days = {name: found[0] for name, found in known.items()} | dict(table.ga_days)
    return [Visit(name, ga_days.get(name, math.nan)) for name in names]


def _study(path: Path) -> str:
    from fetal_lib.readers.dicom_header import read_header

    try:
        if not is_dicom(first_bytes(path)):
            return ""
        return str(read_header(path).get("StudyInstanceUID", ""))
    except (ValueError, OSError):
        return ""
