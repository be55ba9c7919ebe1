"""The layouts that a user's own folder is turned into, one a chapter, and the turning."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fetal_lib.data.convert.bids import bids_names, write_adult, write_fetal
from fetal_lib.data.convert.cases import Case, Source
from fetal_lib.data.convert.columns import ConvertError
from fetal_lib.data.convert.write import (
    ORIGINS,
    Write,
    distinct,
    examination_names,
    write_anomaly,
    write_cases,
    write_clinical,
    write_head,
    write_table,
)
from fetal_lib.data.layouts import anomaly_cases, clinical_ultrasound, heads
from fetal_lib.data.layouts.base import relative
from fetal_lib.data.layouts.bids import TABLE_NAME, VOLUMES
from fetal_lib.data.report import FolderReport, Problem
from fetal_lib.data.verify import Progress, verify_folder

FIXES = {
    "mask": "masks lie in masks/, each named as its image, or as NAME_mask beside it",
    "pixel_size_mm": "give a column `pixel size (mm)` of the table, name one by --column "
    "'pixel_size=NAME', or give --pixel-size 0.12 for all",
    "structure": "give a column `structure` of the table, or --structure head (or abdomen) for all",
    "ga_days": "give a column `GA (weeks)` or `ga_days` of the table",
    "age": "give a column `age` of the table, in years",
    "class": "give a column `class` of the table, or --column 'class=NAME OF THE COLUMN'",
}


@dataclass(frozen=True)
class Target:
    """Describe the layout that a chapter is given.

    Attributes
    ----------
    layout : its name.
    table : name of its table.
    needs, takes : what every image must have, and what is taken besides.
    write : writes one case and returns its row.
    names : new names of the images.
    """

    layout: str
    table: str
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    write: Write
    names: Callable[[Sequence[Case]], list[str]]

    def carries(self, meaning: str) -> bool:
        """Return whether a column of that meaning is written to the layout."""
        return meaning in ("image", "patient", *self.needs, *self.takes)


def _own_names(cases: Sequence[Case]) -> list[str]:
    return distinct(case.image.name for case in cases)


TARGETS = {
    "01": Target("bids_fetal", TABLE_NAME, ("ga_days",), ("mask",), write_fetal, bids_names),
    "02": Target(
        "anomaly_cases",
        anomaly_cases.TABLE_NAME,
        ("class",),
        ("mask", *anomaly_cases.LIMITS),
        write_anomaly,
        _own_names,
    ),
    "03": Target(
        "clinical_ultrasound",
        clinical_ultrasound.TABLE_NAME,
        ("mask", "structure"),
        tuple(clinical_ultrasound.LIMITS),
        write_clinical,
        _own_names,
    ),
    "04": Target(
        "hc18",
        heads.TABLE_NAME,
        ("mask", "pixel_size_mm"),
        ("hc_mm", "structure"),
        write_head,
        examination_names,
    ),
    "05": Target("bids_adult", TABLE_NAME, ("age",), ("mask", "sex"), write_adult, bids_names),
}


def choose_chapter(source: Source) -> str:
    """Return the chapter that reads what was found.

    Volumes with an age in years go to 05, other volumes to 01; classes without masks to 02,
    structures to 03, else heads to 04.
    """
    if any(path.name.lower().endswith(VOLUMES) for path in source.images):
        return "05" if source.has("age") else "01"
    if source.has("class") and not source.masks:
        return "02"
    return "03" if source.has("structure") else "04"


def complete(source: Source, target: Target, structure: str = "") -> None:
    """Give every case its structure, and take out those that lack what the layout needs.

    Raises
    ------
    ConvertError
        If no case has it: what to give is said once.
    """
    if structure:
        texts = {"structure": structure}
        source.cases = [replace(one, texts={**one.texts, **texts}) for one in source.cases]
    if target.layout == "hc18":
        for case in [one for one in source.cases if _shows(one) != "head"]:
            shows = f"it shows {_shows(case)}; this layout is of heads"
            source.found.note(case.image, "no head", shows)
            source.cases.remove(case)
    for need in target.needs:
        lacking = [case for case in source.cases if not _has(case, need)]
        if lacking and len(lacking) == len(source.cases):
            raise ConvertError(f"layout {target.layout} needs {need} of every image; {FIXES[need]}")
        for case in lacking:
            name = relative(case.image, source.found.folder)
            source.found.problem(name, f"no {need}", f"no {need} of it; {FIXES[need]}")
            source.cases.remove(case)
    if not source.cases and not source.found.problems:
        raise ConvertError(f"no image that layout {target.layout} could take is left")


def _shows(case: Case) -> str:
    return (case.texts.get("structure") or "head").casefold()


def _has(case: Case, need: str) -> bool:
    if need == "mask":
        return case.mask is not None
    return bool(case.texts.get(need)) or not math.isnan(case.number(need))


def remarks(source: Source, target: Target) -> list[str]:
    """Return what was worked out where the user's table does not say it: patients, lengths."""
    said = []
    if not source.cases:
        return said
    if not any(case.texts.get("patient") for case in source.cases):
        rule = "no column names them, so each image counts as a patient of its own"
        if target.layout == "anomaly_cases":
            rule = "no column names them, so they are told from the names of the files"
        elif (
            target.layout == "hc18" and target.names(source.cases)[0] == source.cases[0].image.name
        ):
            rule = "no column names them, so the leading number of a file's name is taken"
        said.append(
            f"patients: {rule}. Frames of one patient on both sides of a split flatter every "
            "score: if there are such frames, add a column `patient`, or give --patients folder "
            "(or name)"
        )
    measured = sum(math.isnan(case.number("hc_mm")) for case in source.cases)
    if target.layout == "hc18" and measured:
        said.append(
            f"head circumference: not given for {measured} of {len(source.cases)} images; it is "
            "measured on the mask, with the pixel size"
        )
    return said


def check_place(folder: Path, out: Path) -> None:
    """Refuse to write into a folder that holds something, or into or around the user's own.

    Raises
    ------
    ConvertError
    """
    here, there = folder.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise ConvertError(
            f"{out}: it must lie apart from {folder}, never changed: name one beside it"
        )
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConvertError(f"{out} is there and not empty; name a new folder")


def convert(
    source: Source,
    target: Target,
    out: Path,
    leave_out: bool = False,
    progress: Progress | None = None,
) -> FolderReport:
    """Write the cases of a folder in a layout, check it, and put it in its place.

    Parameters
    ----------
    source, target : from `read_rows`, after `complete`.
    out : a new folder; it appears whole, or not at all.
    leave_out : whether the sound cases are written though others have problems.
    progress : called with (cases done, cases).

    Returns
    -------
    FolderReport of the new folder; with problems, those of the old one, where nothing was written.
    """
    check_place(source.found.folder, out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=out.parent) as stage:
        part = Path(stage) / out.name
        part.mkdir()
        names = target.names(source.cases)
        written = write_cases(source.cases, names, target.write, part, progress)
        problems = (*source.found.problems, *_below(source, written.problems))
        report = FolderReport(str(source.found.folder), len(written.rows), problems)
        if written.rows and (leave_out or not problems):
            rows = {tuple(row.values())[0]: row for row in reversed(written.rows)}
            write_table(part / target.table, list(reversed(rows.values())))
            write_table(part / ORIGINS, written.origins)
            report = verify_folder(part, layout=target.layout, progress=progress)
            if report.ok:
                out.rmdir() if out.exists() else None
                part.rename(out)
                odd = _below(source, written.notes)
                notes = (*source.found.notes, *odd, *problems, *report.notes)
                return replace(report, folder=str(out), notes=notes)
    return report


def _below(source: Source, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return what is wrong with the files, named from the user's folder on."""
    folder = source.found.folder
    return tuple(replace(one, file=relative(Path(one.file), folder)) for one in problems)
