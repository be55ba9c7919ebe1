"""Adult MRI in BIDS: ``participants.tsv`` with ages, ``sub-XXX/anat/*_T1w.nii.gz``.

Tissue labels, where there are some, lie beside or in ``derivatives/NAME/sub-X/anat/``; Cam-CAN
has this layout.

References
----------
Taylor JR et al. NeuroImage 2017;144:262-269. doi:10.1016/j.neuroimage.2015.09.018 (Cam-CAN).
"""

from __future__ import annotations

import math
from pathlib import Path

from fetal_lib.data.layouts.adult_scan import (
    AGES,
    ROLES,
    SIZE_LIMITS,
    case,
    in_order,
    read,
    rest_of,
    sex_of,
    sizes_of,
)
from fetal_lib.data.layouts.base import Found, Layout
from fetal_lib.data.layouts.bids import (
    TABLE_NAME,
    companion,
    looks_like,
    people_of,
    scans_of,
    session_of,
)
from fetal_lib.data.layouts.fetal_scan import AGES as FETAL_AGES
from fetal_lib.data.layouts.sheet import Sheet

CONTRAST = "T1w"
NEEDED = ("participant_id", "age", "sex")


def find(folder: Path) -> Found:
    """Find each person's volumes, sessions included; who has no age is left out."""
    found = Found(folder)
    limits = {"age": AGES, **SIZE_LIMITS}
    sheet = Sheet(found, folder / TABLE_NAME, NEEDED, ("site",), limits)
    for _, subject, row, values in people_of(found, sheet):
        if math.isnan(values["age"]):
            found.note(subject, "no age", f"no age in {TABLE_NAME}")
            continue
        person = {"site": row.get("site", ""), "extra": rest_of(row, (*NEEDED, "site"))}
        person |= sizes_of(sheet, values)
        for path in scans_of(found, subject, CONTRAST):
            labels = companion(folder, path, CONTRAST, ("_dseg",))
            more = person | {"session": session_of(path), "labels_path": labels}
            found.cases.append(case(subject, path, values["age"], sex_of(row["sex"]), **more))
    return in_order(found)


def _detect(folder: Path) -> bool:
    return looks_like(folder, CONTRAST, ("age",), tuple(FETAL_AGES))


LAYOUT = Layout(
    "bids_adult",
    "participants.tsv with age, sub-XXX/anat/*_T1w.nii.gz",
    _detect,
    find,
    read,
    roles=ROLES,
)
