"""BIDS: ``participants.tsv``, a folder ``sub-XXX`` a subject, volumes in ``anat/``, labels beside.

What fetal and adult sets share; they differ in the age, the contrast, and what a row holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fetal_lib.data.layouts.base import Found, natural, relative, visible
from fetal_lib.data.layouts.sheet import Sheet
from fetal_lib.errors import short

TABLE_NAME = "participants.tsv"
VOLUMES = (".nii", ".nii.gz")
People = Iterator[tuple[int, str, Mapping[str, str], Mapping[str, float]]]


def people_of(found: Found, sheet: Sheet) -> People:
    """Yield line, ``sub-XXX``, texts and numbers of each person of the table.

    A name that is none or stands twice is a problem; folders that no row names are noted.
    """
    names: list[str] = []
    for line, row, values in sheet:
        name = row["participant_id"]
        if not re.fullmatch(r"(sub-)?[A-Za-z0-9]+", name):
            message = f"line {line}: participant_id is {short(name)!r}, no BIDS name"
            sheet.problem("file name", message)
            continue
        name = name.removeprefix("sub-")
        if name in names:
            message = f"participant_id {name} stands more than once; keep one row"
            sheet.problem("duplicate", message)
        names.append(name)
        yield line, f"sub-{name}", row, values
    for place in sorted(found.folder.glob("sub-*")) if sheet.rows else []:
        if place.is_dir() and place.name.removeprefix("sub-") not in names:
            found.note(place, "not listed", f"no row in {TABLE_NAME}; add the subject")


def scans_of(found: Found, subject: str, contrast: str) -> list[Path]:
    """Return the volumes of a subject in a contrast, sessions and runs included.

    A subject without one, and a volume that is named for another subject, are problems.
    """
    home = found.folder / subject
    near = [path for where in ("anat", "ses-*/anat") for path in visible(home, f"{where}/*")]
    paths = sorted((path for path in near if _stem(path).endswith(f"_{contrast}")), key=natural)
    paths = [path for path in paths if path.name.lower().endswith(VOLUMES)]
    if not paths:
        rule = f"no {contrast} volume; {subject}/anat/{subject}_{contrast}.nii.gz: no such file"
        found.problem(subject, "missing", rule)
    for path in paths:
        if not path.name.startswith(f"{subject}_"):
            message = f"it lies in {subject}; its name must start with {subject}_"
            found.problem(relative(path, found.folder), "file name", message)
    return paths


def session_of(path: Path) -> str:
    """Return the session of a volume, by its folder or its name; nothing without one."""
    match = re.search(r"(?:^|_)(ses-[A-Za-z0-9]+)", "_".join(path.parts[-3:]))
    return match.group(1) if match else ""


def companion(folder: Path, scan: Path, contrast: str, endings: Sequence[str]) -> Path | None:
    """Return the labels or mask of a volume: beside it, or under derivatives/, by its name."""
    stem = _stem(scan).removesuffix(f"_{contrast}")
    inside = scan.parent.relative_to(folder)
    homes = [scan.parent, *(place / inside for place in sorted(folder.glob("derivatives/*")))]
    names = [f"{stem}{ending}{suffix}" for ending in endings for suffix in reversed(VOLUMES)]
    paths = (home / name for home in homes for name in names)
    return next((path for path in paths if path.exists()), None)


def looks_like(folder: Path, contrast: str, ages: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether it is BIDS with these ages: by the table's columns, else by the volumes."""
    try:
        with (folder / TABLE_NAME).open(encoding="utf-8-sig", errors="replace") as source:
            header = source.readline(10_000).casefold().replace(" ", "_").strip()
    except OSError:
        header = ""
    columns = set(header.split("\t"))
    if columns & set(ages):
        return True
    volumes = (path for path in folder.glob("sub-*/**/*.nii*"))
    return not columns & set(others) and any(_stem(path).endswith(contrast) for path in volumes)


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0]
