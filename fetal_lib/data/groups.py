"""Which cases belong together: the group rule of each data set, read from its file names.

Cases of one group (a fetus, an examination, a source image) must stay on one side of a split.
Every set hides the group in its names in another way; each rule below is a function from a
file's name to its group, and refuses a name that it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

ROBOFLOW_HASH = re.compile(r"\.rf\.[0-9a-z]{8,}$", re.IGNORECASE)
SUFFIX_LEFT_BY_ROBOFLOW = re.compile(r"(?:_(?:png|jpe?g|bmp|tiff?|webp))+$", re.IGNORECASE)
AUGMENTATION = re.compile(r"[_-]aug[_-]?\d+$", re.IGNORECASE)
COPY = re.compile(r"^(?:copy[-_ ]of[-_ ])+", re.IGNORECASE)
LEFTOVER = re.compile(r"(?:[-_ ]image|[-_ ]copy|[-_]+)$", re.IGNORECASE)
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def hc18_examination(name: str) -> str:
    """Return the examination of an HC18 file: its leading number.

    ``010_HC.png`` and ``010_2HC.png`` are frames of one examination. Numbers do not name women
    (806 numbers, 551 women in the whole set), so even this rule keeps too few together.

    Raises
    ------
    ValueError
        If the name does not start with digits and an underscore.

    References
    ----------
    van den Heuvel TLA et al. PLOS ONE 2018. doi:10.1371/journal.pone.0200412

    Examples
    --------
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
    """Return the patient of a file of FETAL_PLANES_DB: ``PatientNNNNN_PlaneK_i_of_n``.

    Works on the names that Roboflow makes of them too.

    Raises
    ------
    ValueError
        If the name does not start with ``Patient`` and digits.

    References
    ----------
    Burgos-Artizzu XP et al. Sci Rep 2020. doi:10.1038/s41598-020-67076-5

    Examples
    --------
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


def oasis_subject(name: str) -> str:
    """Return the subject of an OASIS-1 session; MR1 and MR2 are one person.

    Raises
    ------
    ValueError
        If the name holds no ``OAS1_NNNN``.

    References
    ----------
    Marcus DS et al. J Cogn Neurosci 2007. doi:10.1162/jocn.2007.19.9.1498

    Examples
    --------
    >>> oasis_subject("OAS1_0061_MR2"), oasis_subject("OAS1_0061_MR1_mpr_n4_anon.nii.gz")
    ('OAS1_0061', 'OAS1_0061')
    """
    return _first(r"(OAS1_\d{4})(?=_|\.|$)", name, "OASIS-1 sessions are named as OAS1_0061_MR1")


def ixi_subject(name: str) -> str:
    """Return the subject of an IXI file; site and contrast are cut off.

    Raises
    ------
    ValueError
        If the name does not start with ``IXI`` and digits.

    Examples
    --------
    >>> ixi_subject("IXI002-Guys-0828-T1.nii.gz"), ixi_subject("IXI002-Guys-0828-T2.nii.gz")
    ('IXI002', 'IXI002')
    """
    return _first(r"(IXI\d{3})(?=-|\.|$)", name, "IXI files are named as IXI002-Guys-0828-T1")


def bids_subject(name: str) -> str:
    """Return the ``sub-XXX`` of a path in BIDS layout; session, run and contrast are cut off.

    Raises
    ------
    ValueError
        If no part of the path names a subject, or two parts name different ones.

    References
    ----------
    Gorgolewski KJ et al. Sci Data 2016. doi:10.1038/sdata.2016.44

    Examples
    --------
    >>> bids_subject("sub-CC110033/ses-2/anat/sub-CC110033_ses-2_run-1_T1w.nii.gz")
    'sub-CC110033'
    """
    found = {
        match.group(1)
        for part in PurePath(str(name)).parts
        if (match := re.match(r"(sub-[A-Za-z0-9]+)(?=_|\.|$)", part))
    }
    if len(found) != 1:
        raise _refusal(name, f"a BIDS path names one subject as sub-01 does; found {sorted(found)}")
    return found.pop()


RULES: dict[str, Callable[[str], str]] = {
    "hc18": hc18_examination,
    "source_stem": source_stem,
    "fetal_planes": planes_patient,
    "brain_anomalies": anomaly_case,
    "oasis1": oasis_subject,
    "ixi": ixi_subject,
    "bids": bids_subject,
}


def groups_of(names: Iterable[str], rule: str) -> list[str]:
    """Return the group of each name by one of the rules, or all names that it cannot read.

    Parameters
    ----------
    names : iterable of str
        File names or paths.
    rule : str
        A key of ``RULES``.

    Raises
    ------
    ValueError
        If the rule is unknown, or names do not follow it; up to ten are shown.

    Examples
    --------
    >>> groups_of(["392_HC.png", "392_2HC.png"], "hc18")
    ['392', '392']
    """
    if rule not in RULES:
        raise ValueError(f"rule: received {rule!r}; it must be one of {sorted(RULES)}.")
    groups, bad = [], []
    for name in names:
        try:
            groups.append(RULES[rule](str(name)))
        except ValueError:
            bad.append(str(name))
    if bad:
        shown = ", ".join(bad[:10]) + (" ..." if len(bad) > 10 else "")
        raise ValueError(
            f"names: {len(bad)} do not follow the rule {rule!r}: {shown}. Rename the files, or "
            f"choose another rule of {sorted(RULES)}."
        )
    return groups


def join_groups(groups: Sequence[str], linked: Iterable[tuple[str, str]]) -> list[str]:
    """Join groups that turned out to belong together, such as those whose images look alike.

    Parameters
    ----------
    groups : sequence of str
        Group of each case.
    linked : iterable of (str, str)
        Pairs of groups, as ``group_a`` and ``group_b`` of an audit's ``pairs``; links carry on:
        a-b and b-c join all three, also where no case is of group b.

    Returns
    -------
    list of str
        The new group of each case: of joined groups the name that sorts first.

    Examples
    --------
    >>> join_groups(["a", "b", "c", "d"], [("c", "b"), ("d", "c")])
    ['a', 'b', 'b', 'b']
    """
    parent: dict[str, str] = {}

    def root(group: str) -> str:
        while (above := parent.setdefault(group, group)) != group:
            group = above
        return group

    for first, second in linked:
        low, high = sorted((root(str(first)), root(str(second))))
        parent[high] = low
    return [root(str(group)) for group in groups]


def _without_suffix(name: str) -> str:
    lowered = name.lower()
    suffix = next((s for s in IMAGE_SUFFIXES if lowered.endswith(s)), "")
    return name[: len(name) - len(suffix)] if suffix else name


def _first(pattern: str, name: str, rule: str) -> str:
    match = re.match(pattern, PurePath(str(name)).name)
    if match is None:
        raise _refusal(name, rule)
    return match.group(1)


def _refusal(name: str, rule: str) -> ValueError:
    return ValueError(f"name={str(name)!r}: {rule}. Rename the file, or use another group rule.")
