"""Find the scans and ages of a fetal MRI folder: BIDS, atlas templates, slices as pictures.

Each layout gives rows of one scan, and the problems that must be repaired first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.data.layouts.atlases import LABEL_WORDS, WEEKS, week_of
from fetal_lib.readers.delimited import TextTable, numbers, read_text_table

PLANES = ("axial", "coronal", "sagittal")
AGES = {  # column: limits, and days in its unit
    "ga_days": ((70.0, 310.0, "days (weeks × 7)"), 1.0),
    "ga_weeks": ((10.0, 45.0, "weeks"), 7.0),
    "gestational_age": ((10.0, 45.0, "weeks"), 7.0),
}
SPLITS = ("train", "valid", "val", "test")
VOLUMES = (".nii", ".nii.gz")
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


@dataclass
class Found:
    """Collect what a layout finds: rows, and what must be repaired."""

    rows: list[dict] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _row(subject: str, path: Path, ga_days: float, kind: str, **more: object) -> dict:
    """Return the row of one scan; what is not given is unknown."""
    unknown = {"group": subject, "session": "", "labels_path": None, "mask_path": None, "split": ""}
    known = {"subject": subject, "path": path, "ga_days": ga_days, "kind": kind}
    return {**unknown, **known, **more}


def find_bids(folder: Path) -> Found:
    """Read ``participants.tsv``; find each fetus' ``*_T2w.nii.gz``, sessions and runs included.

    Where ``sub-X/sub-X_sessions.tsv`` gives an age a session, it is taken.
    """
    text = read_text_table(folder / "participants.tsv", ("participant_id",), (*AGES, "split"))
    ages, problems = _ages(text, "participants.tsv")
    found = Found(problems=problems)
    names = [row["participant_id"] for row in text.rows]
    for line, name, row, age in zip(text.lines, names, text.rows, ages, strict=True):
        if not re.fullmatch(r"(sub-)?[A-Za-z0-9]+", name):
            found.problems.append(f"line {line}: participant_id is {name[:40]!r}, no BIDS name")
            continue
        subject = name if name.startswith("sub-") else f"sub-{name}"
        split = row.get("split", "").casefold()
        if split and split not in SPLITS:
            found.problems.append(f"line {line}: split is {split!r}; it must be {SPLITS}")
        _add_bids_scans(folder, subject, age, split, found)
    found.problems += _repeats([name.removeprefix("sub-") for name in names], "participant_id")
    return found


def _add_bids_scans(folder: Path, subject: str, age: float, split: str, found: Found) -> None:
    home = folder / subject
    ages = _session_ages(home, found)
    paths = _volumes(home, "_T2w")
    if not paths:
        found.problems.append(f"{subject}/anat/{subject}_T2w.nii.gz: no such file")
    for path in paths:
        session = next((part for part in path.parts[-3:-1] if part.startswith("ses-")), "")
        ga_days = ages.get(session, age)
        if math.isnan(ga_days):
            found.problems.append(f"{subject}: no gestational age in participants.tsv")
            return
        more = {
            "session": session,
            "split": split,
            "labels_path": _companion(folder, path, ("_dseg",)),
            "mask_path": _companion(folder, path, ("_mask", "_desc-brain_mask")),
        }
        found.rows.append(_row(subject, path, ga_days, "volume", **more))


def _session_ages(home: Path, found: Found) -> dict[str, float]:
    path = home / f"{home.name}_sessions.tsv"
    if not path.is_file():
        return {}
    text = read_text_table(path, ("session_id",), tuple(AGES))
    ages, problems = _ages(text, path.name)
    found.problems += problems
    names = [row["session_id"] for row in text.rows]
    names = [name if name.startswith("ses-") else f"ses-{name}" for name in names]
    return {n: age for n, age in zip(names, ages, strict=True) if not math.isnan(age)}


def _volumes(home: Path, ending: str) -> list[Path]:
    """Return the volumes of a subject whose name ends so, over all sessions."""
    found = [path for where in ("anat", "ses-*/anat") for path in home.glob(f"{where}/*")]
    return sorted(path for path in found if _stem(path).endswith(ending) and _is_volume(path))


def _companion(folder: Path, path: Path, endings: Sequence[str]) -> Path | None:
    """Return the labels or mask of a volume: beside it, or under derivatives/, by its name."""
    stem = _stem(path).removesuffix("_T2w")
    inside = path.parent.relative_to(folder)
    places = [path.parent, *sorted((folder / "derivatives").glob("*"))]
    for place in places:
        home = place if place == path.parent else place / inside
        for ending in endings:
            for suffix in reversed(VOLUMES):
                if (home / f"{stem}{ending}{suffix}").is_file():
                    return home / f"{stem}{ending}{suffix}"
    return None


def find_templates(folder: Path) -> Found:
    """Find atlas templates by the week in their path, with labels and mask beside them.

    All templates of a folder are one group: they are averages that share fetuses.
    """
    found = Found()
    paths = sorted(path for path in folder.rglob("*") if _is_volume(path))
    images = [path for path in paths if not _is_labels(path)]
    for path in images:
        week = week_of(path, folder)
        name = path.relative_to(folder).as_posix()
        if week is None:
            rule = f"its path names no week of {WEEKS[0]} to {WEEKS[1]}, as STA31 or GA31 does"
            found.problems.append(f"{name}: {rule}")
            continue
        near = [other for other in paths if other.parent == path.parent and _is_labels(other)]
        near = [other for other in near if week_of(other, folder) == week]
        masks = [other for other in near if "mask" in other.name.lower()]
        labels = [other for other in near if other not in masks]
        where = path.parent if path.parent != folder else path
        more = {
            "group": folder.name,
            "labels_path": labels[0] if labels else None,
            "mask_path": masks[0] if masks else None,
        }
        subject = _stem(where) if where is path else where.relative_to(folder).as_posix()
        found.rows.append(_row(subject, path, 7.0 * week, "template", **more))
    found.problems += _repeats([row["subject"] for row in found.rows], "template")
    return found


def find_slices(folder: Path) -> Found:
    """Read the table, and find ``PATIENT/axial|coronal|sagittal`` with pictures for each row."""
    path = _slices_table(folder)
    text = read_text_table(path, ("patient_id",), (*AGES, "split"))
    ages, problems = _ages(text, path.name)
    found = Found(problems=problems)
    for line, row, age in zip(text.lines, text.rows, ages, strict=True):
        name = row["patient_id"]
        if not name or Path(name).name != name or "\\" in name or name in (".", ".."):
            rule = "it must be the name of the patient's folder"
            found.problems.append(f"line {line}: patient_id is {name[:40]!r}; {rule}")
            continue
        if math.isnan(age):
            found.problems.append(f"line {line}: no gestational age for {name}")
        home = folder / name
        missing = [plane for plane in PLANES if not slice_paths(home, plane)]
        found.problems += [f"{name}/{plane}: no slice in it" for plane in missing]
        split = row.get("split", "").casefold()
        found.rows.append(_row(name, home, age, "slices", split=split))
    found.problems += _repeats([row["patient_id"] for row in text.rows], "patient_id")
    return found


def slice_paths(home: Path, plane: str) -> list[Path]:
    """Return a patient's pictures of one plane, in the order of the numbers in their names."""
    if not home.is_dir():
        return []
    places = [sub for sub in home.iterdir() if sub.is_dir() and sub.name.casefold() == plane]
    found = [path for place in places for path in place.iterdir()]
    pictures = [path for path in found if path.suffix.lower() in PICTURES]
    return sorted((path for path in pictures if path.name[0] != "."), key=_natural)


def has_slices(folder: Path) -> bool:
    """Return whether some subfolder has a folder named after a plane."""
    subs = (path for path in folder.glob("*/*") if path.name.casefold() in PLANES)
    return any(path.is_dir() for path in subs)


def has_templates(folder: Path) -> bool:
    """Return whether a volume's path names a week of gestation."""
    paths = (path for path in folder.rglob("*") if _is_volume(path))
    return any(week_of(path, folder) is not None for path in paths)


def _slices_table(folder: Path) -> Path:
    tables = sorted([*folder.glob("*.csv"), *folder.glob("*.tsv")])
    return next(
        (path for path in tables if path.name == "table.csv"), (*tables, folder / "table.csv")[0]
    )


def _ages(text: TextTable, name: str) -> tuple[list[float], list[str]]:
    """Return the age of each row in days, NaN where unknown."""
    column = next((column for column in AGES if column in text.columns), None)
    if column is None:
        rule = f"column 'ga_days' missing; found {list(text.columns)[:12]}"
        return [math.nan] * len(text.rows), [f"{name}: {rule}"]
    limits, days = AGES[column]
    values, problems = numbers(text, {column: limits})
    return [days * value for value in values[column]], [f"{name}, {text}" for text in problems]


def _natural(path: Path) -> list:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _repeats(names: Sequence[str], what: str) -> list[str]:
    doubled = sorted({name for name in names if names.count(name) > 1})
    return [f"{what} {name} stands more than once; keep one row" for name in doubled]


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0]


def _is_volume(path: Path) -> bool:
    return path.name.lower().endswith(VOLUMES) and path.name[0] != "."


def _is_labels(path: Path) -> bool:
    return any(word in path.name.lower() for word in LABEL_WORDS)
