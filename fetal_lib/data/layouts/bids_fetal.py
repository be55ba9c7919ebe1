"""Fetal MRI in BIDS: ``participants.tsv`` with ``ga_days``, ``sub-XXX/anat/*_T2w.nii.gz``.

All scans of a ``group``, usually one fetus, must stay on one side of a split. Where
``sub-X/sub-X_sessions.tsv`` gives an age a session, it is taken.
"""

from __future__ import annotations

import math
from pathlib import Path

from fetal_lib.data.layouts.base import Found, Layout
from fetal_lib.data.layouts.bids import (
    TABLE_NAME,
    companion,
    looks_like,
    people_of,
    scans_of,
    session_of,
)
from fetal_lib.data.layouts.fetal_scan import (
    AGES,
    ROLES,
    ages_in_days,
    case,
    in_order,
    read,
    split_of,
)
from fetal_lib.data.layouts.sheet import Sheet

CONTRAST = "T2w"


def find(folder: Path) -> Found:
    """Find each fetus' volumes, sessions and runs included, with labels, mask and age."""
    found = Found(folder)
    sheet = Sheet(found, folder / TABLE_NAME, ("participant_id",), ("split",), AGES)
    by_line = {line: age for (line, _, _), age in zip(sheet, ages_in_days(sheet), strict=True)}
    for line, subject, row, _ in people_of(found, sheet):
        split = split_of(sheet, line, row.get("split", ""))
        _add_scans(found, sheet, subject, by_line[line], split)
    return in_order(found)


def _add_scans(found: Found, sheet: Sheet, subject: str, age: float, split: str) -> None:
    ages = _session_ages(found, subject)
    for path in scans_of(found, subject, CONTRAST):
        session = session_of(path)
        ga_days = ages.get(session, age)
        if math.isnan(ga_days):
            sheet.problem("no value", f"{subject}: no gestational age in {TABLE_NAME}")
            return
        more = {
            "session": session,
            "split": split,
            "labels_path": companion(found.folder, path, CONTRAST, ("_dseg",)),
            "mask_path": companion(found.folder, path, CONTRAST, ("_mask", "_desc-brain_mask")),
        }
        found.cases.append(case(subject, path, ga_days, "volume", **more))


def _session_ages(found: Found, subject: str) -> dict[str, float]:
    path = found.folder / subject / f"{subject}_sessions.tsv"
    if not path.is_file():
        return {}
    sheet = Sheet(found, path, ("session_id",), (), AGES)
    names = [f"ses-{row['session_id'].removeprefix('ses-')}" for _, row, _ in sheet]
    ages = zip(names, ages_in_days(sheet), strict=True)
    return {name: age for name, age in ages if not math.isnan(age)}


def _detect(folder: Path) -> bool:
    return looks_like(folder, CONTRAST, tuple(AGES), ("age",))


LAYOUT = Layout(
    "bids_fetal",
    "participants.tsv with ga_days, sub-XXX/anat/*_T2w.nii.gz",
    _detect,
    find,
    read,
    roles=ROLES,
)
