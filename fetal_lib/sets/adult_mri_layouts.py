"""Find the scans and the people of an adult MRI folder: BIDS, IXI, OASIS-1.

Each layout gives rows of one scan with its person, the people or scans that are left out with
the reason, and the problems that must be repaired first.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.readers.delimited import UNKNOWN, TextTable, numbers, read_text_table

AGES = (15.0, 110.0, "years")
SIZES = {"etiv_ml": (500.0, 3000.0, "mL"), "nwbv": (0.3, 1.0, "of the head")}
SIZE_COLUMNS = {"etiv_ml": ("eTIV", "etiv_ml"), "nwbv": ("nWBV",)}
SEX_NAMES = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}
IXI_SEX = {"1": "M", "2": "F"}
IXI_NAME = re.compile(r"IXI(\d{3})-([A-Za-z]+)-(\d+)-T1\.nii(\.gz)?")
IXI_TABLES = ("IXI.csv", "IXI.tsv")
IXI_SEX_COLUMNS = ("SEX_ID (1=m, 2=f)", "SEX_ID")
OASIS_NAME = re.compile(r"(OAS1_\d{4})_(MR\d)")
OASIS_TABLES = ("oasis_cross-sectional.csv", "oasis_cross-sectional.tsv")
OASIS_SCANS = re.compile(r"_t88_masked_gfc\.(hdr|nii|nii\.gz)$|_T1w\.nii(\.gz)?$")


@dataclass
class Found:
    """Collect what a layout finds: rows, what was left out and why, what must be repaired."""

    rows: list[dict] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _row(subject: str, path: Path, age_years: float, sex: str, **more: object) -> dict:
    """Return the row of one scan; what is not given is unknown."""
    unknown = {"session": "", "labels_path": None, "site": "", "extra": {}}
    sizes = dict.fromkeys(SIZES, math.nan)
    known = {"subject": subject, "path": path, "age_years": age_years, "sex": sex}
    return {**unknown, **sizes, **known, **more}


def find_bids(folder: Path) -> Found:
    """Read ``participants.tsv`` and find each person's ``*_T1w.nii.gz``, sessions included."""
    known = [name for names in SIZE_COLUMNS.values() for name in names]
    needed = ["participant_id", "age", "sex"]
    text = read_text_table(folder / "participants.tsv", needed, [*known, "site"])
    values, sizes, problems = _numbers(text, "age", AGES)
    found = Found(problems=problems)
    for k, row in enumerate(text.rows):
        name = row["participant_id"]
        if not re.fullmatch(r"(sub-)?[A-Za-z0-9]+", name):
            found.problems.append(f"line {text.lines[k]}: participant_id is {name!r}, no BIDS name")
            continue
        person = {
            "subject": name if name.startswith("sub-") else f"sub-{name}",
            "age_years": values[k],
            "sex": sex_of(row["sex"]),
            "site": row.get("site", ""),
            "extra": _rest(row, [*needed, *known, "site"]),
            **{key: sizes[key][k] for key in SIZES},
        }
        _add_bids_scans(folder, person, found)
    _refuse_repeats(found, [row["participant_id"].removeprefix("sub-") for row in text.rows])
    return found


def _add_bids_scans(folder: Path, person: dict, found: Found) -> None:
    subject = person["subject"]
    home = folder / subject
    scans = sorted([*home.glob("anat/*_T1w.nii*"), *home.glob("ses-*/anat/*_T1w.nii*")])
    scans = [path for path in scans if path.name.endswith((".nii", ".nii.gz"))]
    if math.isnan(person["age_years"]):
        found.left_out.append(f"{subject}: no age in participants.tsv")
    elif not scans:
        found.problems.append(f"{subject}/anat/{subject}_T1w.nii.gz: no such file")
    for path in scans if not math.isnan(person["age_years"]) else []:
        more = {"session": _session(path), "labels_path": _labels(folder, path)}
        found.rows.append(_row(path=path, **person, **more))


def _session(path: Path) -> str:
    match = re.search(r"_(ses-[A-Za-z0-9]+)", path.name)
    return match.group(1) if match else ""


def _labels(folder: Path, scan: Path) -> Path | None:
    """Return the tissue labels of a scan, in any folder of ``derivatives``."""
    name = re.sub(r"_T1w(\.nii(\.gz)?)$", r"_dseg\1", scan.name)
    inside = scan.parent.relative_to(folder)
    found = sorted(folder.glob(f"derivatives/*/{inside.as_posix()}/{name}"))
    return found[0] if found else None


def find_ixi(folder: Path) -> Found:
    """Read ``IXI.csv`` (the sheet of IXI.xls) and find ``IXI002-Guys-0828-T1.nii.gz`` and such.

    IXI's sheet lists people without a scan, scans without a row, people without an age and
    people listed twice; they are left out by name unless the two rows agree.
    """
    table = next((folder / name for name in IXI_TABLES if (folder / name).is_file()), None)
    if table is None:
        return Found(problems=["IXI.xls: old Excel is not read; save its sheet as IXI.csv"])
    text = read_text_table(table, ["IXI_ID", "AGE"], IXI_SEX_COLUMNS)
    ages, _, problems = _numbers(text, "AGE", (0.0, AGES[1], "years"))
    found = Found(problems=problems)
    people: dict[str, list[tuple[float, str]]] = defaultdict(list)
    extra: dict[str, dict[str, str]] = {}
    for line, row, age in zip(text.lines, text.rows, ages, strict=True):
        if not re.fullmatch(r"\d{1,3}(\.0)?", row["IXI_ID"]):
            found.problems.append(f"line {line}: IXI_ID is {row['IXI_ID']!r}, no number")
            continue
        subject = f"IXI{int(float(row['IXI_ID'])):03d}"
        code = next((row[name] for name in IXI_SEX_COLUMNS if name in row), "")
        sex = IXI_SEX.get(code.removesuffix(".0"), "")
        people[subject].append((age if age >= AGES[0] else math.nan, sex))
        extra[subject] = _rest(row, ["IXI_ID", "AGE", *IXI_SEX_COLUMNS])
    _add_ixi_scans(folder, people, extra, found)
    return found


def _add_ixi_scans(folder: Path, people: Mapping, extra: Mapping, found: Found) -> None:
    seen: set[str] = set()
    for path in sorted(folder.rglob("IXI*-T1.nii*")):
        match = IXI_NAME.fullmatch(path.name)
        if match is None:
            found.left_out.append(f"{path.name}: not named as IXI002-Guys-0828-T1.nii.gz is")
            continue
        subject = f"IXI{match.group(1)}"
        again = "a second scan of this person" if subject in seen else ""
        seen.add(subject)
        if reason := again or _why_not(people.get(subject, [])):
            found.left_out.append(f"{path.name}: {reason}")
            continue
        age, sex = people[subject][0]
        more = {"site": match.group(2), "extra": extra[subject]}
        found.rows.append(_row(subject, path, age, sex, **more))
    lost = sorted(set(people) - seen)
    found.left_out += [f"{subject}: in the table, but no T1 scan" for subject in lost]


def _why_not(rows: list[tuple[float, str]]) -> str:
    """Return why a person of IXI cannot be used, or nothing."""
    if not rows:
        return "not in the table"
    if all(math.isnan(age) for age, _ in rows):
        return "no age in the table"
    if len(set(rows)) > 1:
        return f"listed {len(rows)} times in the table with different ages or sexes"
    return ""


def find_oasis1(folder: Path) -> Found:
    """Read ``oasis_cross-sectional.csv`` and find the scans of ``OAS1_0001_MR1`` and such.

    The atlas-registered, masked scan (``*_t88_masked_gfc``) is taken, or a ``*_T1w.nii.gz``
    below the session's folder. The sessions MR1 and MR2 of a person keep one subject.
    ``labels_path`` is FSL FAST's segmentation where the release has it: no truth.
    """
    table = next(folder / name for name in OASIS_TABLES if (folder / name).is_file())
    known = [name for names in SIZE_COLUMNS.values() for name in names]
    text = read_text_table(table, ["ID", "M/F", "Age"], [*known, "CDR"])
    ages, sizes, problems = _numbers(text, "Age", AGES)
    found = Found(problems=problems)
    scans = _oasis_scans(folder)
    for k, row in enumerate(text.rows):
        match = OASIS_NAME.fullmatch(row["ID"])
        if match is None:
            found.problems.append(f"line {text.lines[k]}: ID is {row['ID']!r}, not OAS1_NNNN_MRn")
        elif row["ID"] not in scans:
            found.left_out.append(f"{row['ID']}: in the table, but no scan")
        elif math.isnan(ages[k]):
            found.left_out.append(f"{row['ID']}: no age in the table")
        else:
            path, more = scans[row["ID"]], {key: sizes[key][k] for key in SIZES}
            more |= {"session": match.group(2), "labels_path": _fast_labels(path)}
            more["extra"] = _rest(row, ["ID", "M/F", "Age", *known])
            found.rows.append(_row(match.group(1), path, ages[k], sex_of(row["M/F"]), **more))
    _refuse_repeats(found, [row["ID"] for row in text.rows])
    lost = sorted(set(scans) - {row["ID"] for row in text.rows})
    found.left_out += [f"{session}: not in the table" for session in lost]
    return found


def _oasis_scans(folder: Path) -> dict[str, Path]:
    """Return one scan a session: the registered, masked one before a T1w."""
    scans: dict[str, Path] = {}
    for path in sorted(folder.rglob("OAS1_*")):
        match = OASIS_NAME.match(path.name)
        if match and OASIS_SCANS.search(path.name) and path.is_file():
            scans.setdefault(match.group(0), path)
    return scans


def _fast_labels(scan: Path) -> Path | None:
    ending = scan.name[scan.name.index("_gfc") + 4 :] if "_gfc" in scan.name else ""
    name = scan.name.removesuffix(ending) + "_fseg" + ending
    session = next((p for p in scan.parents if OASIS_NAME.fullmatch(p.name)), scan.parent)
    return next(iter(sorted(session.rglob(name))), None) if ending else None


def sex_of(text: str) -> str:
    """Return ``"F"``, ``"M"``, or nothing where the table says neither.

    Examples
    --------
    >>> sex_of("Female"), sex_of("M"), sex_of("n/a")
    ('F', 'M', '')
    """
    return SEX_NAMES.get(text.strip().casefold(), "")


def _numbers(
    text: TextTable, age: str, limits: tuple[float, float, str]
) -> tuple[list[float], dict[str, list[float]], list[str]]:
    """Return ages, head and brain sizes (NaN where there is no column), and problems."""
    columns = {
        key: next((name for name in names if name in text.columns), None)
        for key, names in SIZE_COLUMNS.items()
    }
    known = {name: SIZES[key] for key, name in columns.items() if name}
    values, problems = numbers(text, {age: limits, **known})
    unknown = [math.nan] * len(text.rows)
    return values[age], {key: values.get(columns[key], unknown) for key in SIZES}, problems


def _rest(row: Mapping[str, str], taken: list[str]) -> dict[str, str]:
    """Return the columns that have no place of their own; unknown ones are left out."""
    return {k: v for k, v in row.items() if k and k not in taken and v.casefold() not in UNKNOWN}


def _refuse_repeats(found: Found, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    found.problems += [
        f"{name} stands more than once in the table; keep one row" for name in doubled
    ]
