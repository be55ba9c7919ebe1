"""Sixteen classes of fetal brain on ultrasound, and the ways in which collections misspell them.

The public collection writes ``cerebellah-hypoplasia``, ``colphocephaly``, ``polencephaly``. Every
spelling that was seen is mapped here by hand; a new one is refused, not guessed.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from fetal_lib.data.groups import anomaly_case, source_stem
from fetal_lib.errors import did_you_mean

SPELLINGS: dict[str, tuple[str, ...]] = {
    "normal": ("normal", "normal-brain"),
    "mild_ventriculomegaly": ("mild-ventriculomegaly",),
    "moderate_ventriculomegaly": ("moderate-ventriculomegaly",),
    "severe_ventriculomegaly": ("severe-ventriculomegaly",),
    "arachnoid_cyst": ("arachnoid-cyst",),
    "cerebellar_hypoplasia": ("cerebellar-hypoplasia", "cerebellah-hypoplasia"),
    "encephalocele": ("encephalocele",),
    "porencephaly": ("porencephaly", "polencephaly"),
    "colpocephaly": ("colpocephaly", "colphocephaly"),
    "intracranial_hemorrhage": (
        "intracranial-hemorrhage",
        "intracranial-haemorrhage",
        "intracranial-hemorrdge",
        "intracnanial-hemorrdge",
    ),
    "arnold_chiari_malformation": (
        "arnold-chiari-malformation",
        "chiari-malformation",
        "chiari-ii-malformation",
        "anold-chiari-malformation",
        "anold-chiari-maformation",
    ),
    "mega_cisterna_magna": ("mega-cisterna-magna", "cisterna-magna", "m-magna"),
    "hydranencephaly": ("hydranencephaly", "hydracenphaly", "hydracenphay"),
    "intracranial_tumor": ("intracranial-tumor", "intracranial-tumour"),
    "holoprosencephaly": ("holoprosencephaly",),
    "vein_of_galen": ("vein-of-galen", "vein-of-galen-malformation"),
}
"""Class to its spellings in lower case, words joined by hyphens; the first is the right one."""

OUTSIDE = {"tuberous-sclerosis": "tuberous_sclerosis"}
"""Seen in a collection's file names, but none of the sixteen classes."""

LABELS = tuple(SPELLINGS)
"""The sixteen classes; a test holds them equal to those that the phantoms draw."""

BY_SPELLING: dict[str, str] = {
    spelling: label for label, spellings in SPELLINGS.items() for spelling in spellings
}


def label_of(name: str) -> str:
    """Return the class of a name as a table, a folder or a COCO category writes it.

    Upper case, blanks, underscores and hyphens make no difference.

    Raises
    ------
    ValueError
        If it is none of the spellings known, with the closest one.

    Examples
    --------
    >>> label_of(" cerebellah-hypoplasia"), label_of("Anold chiari malformation")
    ('cerebellar_hypoplasia', 'arnold_chiari_malformation')
    """
    key = _spelling(name)
    if key in BY_SPELLING:
        return BY_SPELLING[key]
    hint = did_you_mean(key, BY_SPELLING)
    raise ValueError(
        f"class {str(name)!r}: none of the 16 classes {', '.join(LABELS)}{hint} rename it, or add "
        "the spelling to SPELLINGS."
    )


def is_class(name: str) -> bool:
    """Return whether a name is one of the spellings of a class."""
    return _spelling(name) in BY_SPELLING


def _spelling(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", str(name).strip().lower()).strip("-")


def label_of_file(name: str) -> str:
    """Return the class that a file's own name tells, an empty text if it tells none.

    ``PatientNNNNN_Plane3`` are standard planes of a database of normal pregnancies.

    Examples
    --------
    >>> label_of_file("Copy-of-anold-chiari-malformation-16e_aug_5_png_jpg.rf.3801581fd5b2.jpg")
    'arnold_chiari_malformation'
    >>> label_of_file("Patient00714_Plane3_3_of_8.png"), label_of_file("polencephaly30k.png")
    ('normal', 'porencephaly')
    >>> label_of_file("IMG_0012.png"), label_of_file("tuberous-sclerosis-34a.png")
    ('', 'tuberous_sclerosis')
    """
    stem = re.sub(r"[\s_-]+", "-", source_stem(name).lower())
    if re.match(r"patient\d+-plane", stem):
        return "normal"
    known = {**BY_SPELLING, **OUTSIDE}
    starts = [s for s in known if re.match(re.escape(s) + r"(?![a-z])", stem)]
    return known[max(starts, key=len)] if starts else ""


def subject_of_file(name: str) -> str:
    """Return the patient, or else the case as far as the name tells: class and number.

    ``encephalocele-20a``, ``-20b`` and ``-20c`` show one head; misspelt classes are put right
    first, so that ``hydracenphaly-15i`` and ``hydracenphay_15j`` stay together. The number may
    be no more than the week of gestation: two fetuses can be joined, one is rarely torn.

    Examples
    --------
    >>> subject_of_file("hydracenphaly-15i_png.jpg"), subject_of_file("hydracenphay_15j.png")
    ('hydranencephaly-15', 'hydranencephaly-15')
    >>> subject_of_file("Patient00714_Plane3_3_of_8_png.rf.d9f3f1b0525ea884.jpg")
    'Patient00714'
    """
    case = anomaly_case(name)
    label, number = label_of_file(name), re.search(r"(?:-\d+)+$", case)
    return label + number.group() if label and number else case


def source_of_file(name: str) -> str:
    """Return where an image seems to come from, by its name: planes_database, case_gallery, or
    unknown.

    Examples
    --------
    >>> source_of_file("Patient00714_Plane3_3_of_8.png"), source_of_file("m-magna-29b.png")
    ('planes_database', 'case_gallery')
    """
    if re.match(r"Patient\d+_Plane", PurePath(str(name)).name):
        return "planes_database"
    return "case_gallery" if label_of_file(name) else "unknown"
