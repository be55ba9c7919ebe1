"""Which ultrasound images belong together, read from their file names.

Cases of one group (an examination, a patient, a source image) must stay on one side of a split.
Every set hides the group in its names in another way.
"""

from __future__ import annotations

import re
from pathlib import PurePath

ROBOFLOW_HASH = re.compile(r"\.rf\.[0-9a-z]{8,}$", re.IGNORECASE)
SUFFIX_LEFT_BY_ROBOFLOW = re.compile(r"(?:_(?:png|jpe?g|bmp|tiff?|webp))+$", re.IGNORECASE)
AUGMENTATION = re.compile(r"[_-]aug[_-]?\d+$", re.IGNORECASE)
COPY = re.compile(r"^(?:copy[-_ ]of[-_ ])+", re.IGNORECASE)
LEFTOVER = re.compile(r"(?:[-_ ]image|[-_ ]copy|[-_]+)$", re.IGNORECASE)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def hc18_examination(name: str) -> str:
    """Return the examination of an HC18 file: its leading number, or raise a ValueError.

    ``010_HC.png`` and ``010_2HC.png`` are frames of one examination. Numbers do not name women
    (806 numbers, 551 women in the whole set), so even this rule keeps too few together
    (van den Heuvel TLA et al. PLOS ONE 2018. doi:10.1371/journal.pone.0200412).

    >>> hc18_examination("010_2HC.png"), hc18_examination("010_HC_Annotation.png")
    ('010', '010')
    """
    rule = "HC18 names start with the examination's number and an underscore, as 010_2HC.png does"
    return _first(r"(\d+)_", name, rule)


def source_stem(name: str) -> str:
    """Return the name that an image had before it was augmented, copied and exported.

    Removed, until nothing more comes off: the folder and suffix, Roboflow's ``.rf.<hash>`` and
    the ``_png_jpg`` that it makes of suffixes, ``_aug_5`` and a leading ``Copy-of-`` of the
    16-class set, ``-image`` and hyphens at the end. ``18b-1-`` stays another picture than ``18b``:
    it was ``18b(1)``, a second file of one name.

    Examples
    --------
    >>> source_stem("Copy-of-colphocephaly_29c_aug_1_png_jpg.rf.03909b08f96c4a39.jpg")
    'colphocephaly_29c'
    >>> source_stem("mild-ventriculomegaly-18b-1-_png.rf.50723eb78ce5d18f.jpg")
    'mild-ventriculomegaly-18b-1'
    """
    stem = _without_suffix(PurePath(str(name)).name)
    stem = COPY.sub("", stem)
    for _ in range(8):
        shorter = stem
        for pattern in (ROBOFLOW_HASH, SUFFIX_LEFT_BY_ROBOFLOW, AUGMENTATION, LEFTOVER):
            cut = pattern.sub("", shorter)
            shorter = cut or shorter
        if shorter == stem:
            break
        stem = shorter
    return stem


def planes_patient(name: str) -> str:
    """Return the patient of a file of FETAL_PLANES_DB, or raise a ValueError.

    Files are named ``PatientNNNNN_PlaneK_i_of_n``, or as Roboflow then names them (Burgos-Artizzu
    XP et al. Sci Rep 2020. doi:10.1038/s41598-020-67076-5).

    >>> planes_patient("Patient00714_Plane3_3_of_8_png.rf.d9f3f1b0525ea884.jpg")
    'Patient00714'
    """
    rule = "names start as Patient00714_Plane3 does, with the patient's number"
    return _first(r"(Patient\d+)(?=_Plane|[_.]|$)", name, rule)


def anomaly_case(name: str) -> str:
    """Return the case behind an image of the anomaly collections, as far as names tell.

    The patient of a ``PatientNNNNN`` name. Else the source's stem without the letter of the
    picture: ``encephalocele-20a``, ``-20b`` and ``-20c`` show one head. No list of patients
    exists, and the number is likely the gestational week, so the rule may join two fetuses; it
    errs on the side that does not leak. A name without a number is a case of its own.

    Examples
    --------
    >>> anomaly_case("encephalocele-20b_png.rf.50723eb78ce5d18f.jpg")
    'encephalocele-20'
    >>> anomaly_case("colphocephaly_29c_aug_1.png"), anomaly_case("polencephaly30k_png.jpg")
    ('colphocephaly-29', 'polencephaly-30')
    >>> anomaly_case("Patient00714_Plane3_3_of_8.png")
    'Patient00714'
    """
    stem = source_stem(name)
    if re.match(r"Patient\d+", stem):
        return planes_patient(stem)
    match = re.fullmatch(r"(.*?[^\W\d_])[-_ ]?((?:\d[-_ ])?)(\d+)[a-z]?\d?(?:-\d)?", stem)
    if match is None:
        return stem
    kind, part, number = match.groups()
    return "-".join(filter(None, (kind, part.rstrip("-_ "), number)))


def _without_suffix(name: str) -> str:
    lowered = name.lower()
    suffix = next((s for s in IMAGE_SUFFIXES if lowered.endswith(s)), "")
    return name[: len(name) - len(suffix)] if suffix else name


def _first(pattern: str, name: str, rule: str) -> str:
    match = re.match(pattern, PurePath(str(name)).name)
    if match is None:
        raise ValueError(f"name={str(name)!r}: {rule}. Rename the file.")
    return match.group(1)
