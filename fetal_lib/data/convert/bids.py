"""Write a user's volumes in BIDS: a folder a person, sessions where there are several scans."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from fetal_lib.data.bad_files import FileFault
from fetal_lib.data.convert.cases import Case
from fetal_lib.data.convert.write import Written, shown
from fetal_lib.data.layouts import bids_adult, bids_fetal
from fetal_lib.data.layouts.bids import VOLUMES
from fetal_lib.data.layouts.mask_folders import stem_of, without_suffix


def bids_names(cases: Sequence[Case]) -> list[str]:
    """Return ``sub-X``, and ``sub-X_ses-02`` for the second scan of a person.

    A person is called as the table calls them, in letters and digits; where two would be called
    alike, all are numbered.
    """
    people = [case.texts.get("patient") or stem_of(case.image) for case in cases]
    labels = {name: re.sub(r"[^A-Za-z0-9]", "", name.removeprefix("sub-")) for name in people}
    if len(set(labels.values()) - {""}) < len(labels):
        labels = {name: f"{k:03d}" for k, name in enumerate(labels, start=1)}
    names = []
    for k, name in enumerate(people):
        number = people[: k + 1].count(name)
        session = f"_ses-{number:02d}" if people.count(name) > 1 else ""
        names.append(f"sub-{labels[name]}{session}")
    return names


def write_fetal(case: Case, name: str, folder: Path, written: Written) -> dict[str, str]:
    """Write a T2 volume with its mask; the age of each session goes to a table of sessions."""
    subject, _, session = name.partition("_")
    ga_days = shown(case.number("ga_days"))
    _copy_scan(case, name, folder, bids_fetal.CONTRAST)
    if session:
        table = folder / subject / f"{subject}_sessions.tsv"
        header = "" if table.exists() else "session_id\tga_days\n"
        with table.open("a", encoding="utf-8") as target:
            target.write(f"{header}{session}\t{ga_days}\n")
    return {"participant_id": subject, "ga_days": ga_days}


def write_adult(case: Case, name: str, folder: Path, written: Written) -> dict[str, str]:
    """Write a T1 volume with its tissue labels; a person has one age."""
    subject = name.partition("_")[0]
    row = {"participant_id": subject, "age": shown(case.number("age"))}
    others = {one["age"] for one in written.rows if one["participant_id"] == subject}
    if others - {row["age"]}:
        message = f"age {row['age']} here and {others.pop()} at another scan; a person has one"
        raise FileFault(case.image, "age", message)
    _copy_scan(case, name, folder, bids_adult.CONTRAST)
    return row | {"sex": case.texts.get("sex") or "n/a"}


def _copy_scan(case: Case, name: str, folder: Path, contrast: str) -> None:
    place = folder.joinpath(*name.split("_"), "anat")
    place.mkdir(parents=True)
    shutil.copyfile(case.image, place / f"{name}_{contrast}{_ending(case.image)}")
    if case.mask is not None:
        stem = stem_of(case.mask).casefold()
        kind = "mask" if without_suffix(stem) in (stem, stem.removesuffix("_mask")) else "dseg"
        shutil.copyfile(case.mask, place / f"{name}_{kind}{_ending(case.mask)}")


def _ending(path: Path) -> str:
    """Return the ending of a volume; what is none is refused."""
    ending = next((end for end in reversed(VOLUMES) if path.name.lower().endswith(end)), None)
    if ending is None:
        raise FileFault(path, "wrong type", f"a volume is needed, {' or '.join(VOLUMES)}")
    return ending
