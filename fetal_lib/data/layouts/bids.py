"""BIDS: ``participants.tsv`` with ages, a folder ``sub-XXX`` a subject, volumes in anat/."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.tables import Number, Table, plain, read_table
from fetal_lib.data.layouts.volumes import VolumeFacts, check_labels, check_volume, is_volume_name
from fetal_lib.data.report import FolderReport, Problem

TABLE_NAME = "participants.tsv"
SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


@dataclass(frozen=True)
class Flavour:
    """Hold what tells fetal from adult data: the contrast, and the columns of age."""

    contrast: str
    ages: dict[str, Number]
    needed: tuple[str, ...] = ("participant_id",)


FETAL_FLAVOUR = Flavour(
    "T2w",
    {
        "ga_days": Number(70, 310, "days (weeks x 7)", needed=True),
        "ga_weeks": Number(10, 45, "weeks", needed=True),
        "gestational_age": Number(10, 45, "weeks", needed=True),
    },
)
ADULT_FLAVOUR = Flavour(
    "T1w", {"age": Number(15, 110, "years", needed=True)}, ("participant_id", "sex")
)


def _check(
    flavour: Flavour, folder: Path, progress: Progress | None, classes: Collection[str]
) -> FolderReport:
    table = read_table(folder / TABLE_NAME, flavour.needed, flavour.ages, ("participant_id",))
    if table.columns and not set(flavour.ages) & set(table.columns):
        wanted, rule = next(iter(flavour.ages.items()))
        table.note("columns", f"column {wanted!r} missing; the age in {rule.unit} is needed")
    places = _places(folder)
    listed = _listed(table)
    subjects = sorted(set(listed) | set(places))
    problems = walk(subjects, lambda name: _check_subject(folder, name, flavour), progress)
    if table.rows:
        message = f"no row in {TABLE_NAME}; add the subject or remove the folder"
        others = [name for name in places if name not in set(listed)]
        problems += [Problem(name, "not listed", message) for name in others]
    n_volumes = sum(len(volumes_of(folder / name, flavour)) for name in subjects)
    return FolderReport(str(folder), n_volumes, (*table.problems, *problems))


def _listed(table: Table) -> list[str]:
    names = []
    for row in table.rows:
        name = row.text.get("participant_id", "")
        name = name if name.startswith("sub-") or not name else f"sub-{name}"
        if SUBJECT.fullmatch(name):
            names.append(name)
        else:
            rule = "it must be sub- and letters or digits, as the folder"
            table.note("file name", f"line {row.line}: participant_id is {name[:40]!r}; {rule}")
    return list(dict.fromkeys(names))


def _places(folder: Path) -> list[str]:
    found = [path.name for path in folder.iterdir() if path.is_dir()]
    return sorted(name for name in found if name.startswith("sub-"))


def volumes_of(place: Path, flavour: Flavour) -> list[Path]:
    """Return the volumes of a subject in the contrast, over all sessions."""
    found = [path for path in visible(place, "**/*") if is_volume_name(path)]
    return [path for path in found if _stem(path).endswith(f"_{flavour.contrast}")]


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0]


def _labels(folder: Path, name: str) -> list[Path]:
    """Return a subject's label volumes, beside its images or under derivatives/."""
    own = visible(folder / name, "**/*_dseg.nii*")
    return [*own, *visible(folder / "derivatives", f"**/{name}/**/*_dseg.nii*")]


def _check_subject(folder: Path, name: str, flavour: Flavour) -> list[Problem]:
    place = folder / name
    if not place.is_dir():
        return [Problem(name, "missing", f"{TABLE_NAME} names it; the folder has no {name}")]
    paths = volumes_of(place, flavour)
    if not paths:
        wanted = f"{name}/anat/{name}_{flavour.contrast}.nii.gz"
        return [Problem(name, "missing", f"no {flavour.contrast} volume; {wanted} is needed")]
    problems: list[Problem] = []
    grids: dict[str, VolumeFacts | None] = {}
    for path in paths:
        facts, found = check_volume(path, folder)
        problems += found
        if not _stem(path).startswith(f"{name}_"):
            message = f"it lies in {name}; its name must start with {name}_"
            problems.append(Problem(relative(path, folder), "file name", message))
        grids[_stem(path).removesuffix(f"_{flavour.contrast}")] = facts
    for path in _labels(folder, name):
        problems += check_labels(path, folder, _grid_of(path, grids))
    return problems


def _grid_of(labels: Path, grids: dict[str, VolumeFacts | None]) -> VolumeFacts | None:
    """Return the grid of the image that the labels belong to, by name."""
    stem = _stem(labels).removesuffix("_dseg")
    if stem in grids:
        return grids[stem]
    near = [key for key in grids if stem.startswith(key) or key.startswith(stem)]
    return grids[near[0]] if len(near) == 1 else None


def _detect(flavour: Flavour, folder: Path) -> bool:
    """Return whether it is BIDS of this flavour: by the table's columns, else by the names."""
    places = _places(folder)
    try:
        with (folder / TABLE_NAME).open(encoding="utf-8-sig", errors="replace") as source:
            columns = {plain(name) for name in source.readline(10_000).split("\t")}
    except OSError:
        columns = set()
    if columns & set(flavour.ages):
        return True
    unsure = not columns & {"age", *FETAL_FLAVOUR.ages}
    return unsure and any(volumes_of(folder / name, flavour) for name in places[:20])


FETAL = Layout(
    "bids_fetal",
    "participants.tsv with ga_days, sub-XXX/anat/*_T2w.nii.gz",
    partial(_detect, FETAL_FLAVOUR),
    partial(_check, FETAL_FLAVOUR),
)
ADULT = Layout(
    "bids_adult",
    "participants.tsv with age, sub-XXX/anat/*_T1w.nii.gz",
    partial(_detect, ADULT_FLAVOUR),
    partial(_check, ADULT_FLAVOUR),
)
