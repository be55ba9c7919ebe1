"""Write a user's cases in the layout of a chapter: images copied, masks as the layout has them."""

from __future__ import annotations

import csv
import math
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fetal_lib.data.anomaly_names import subject_of_file
from fetal_lib.data.bad_files import problems_of
from fetal_lib.data.convert.cases import Case
from fetal_lib.data.images import read_image, read_pair
from fetal_lib.data.layouts import anomaly_cases, clinical_ultrasound, heads
from fetal_lib.data.layouts.mask_folders import stem_of
from fetal_lib.data.masks import cut_at_half, is_outline, mask_from_drawing
from fetal_lib.data.report import Problem
from fetal_lib.geometry.ellipse import Ellipse, head_circumference_mm
from fetal_lib.geometry.fit import ellipse_from_mask
from fetal_lib.geometry.outline import ellipse_from_outline

ORIGINS = "converted_from.csv"
ALIKE = 0.9  # Dice between a mask and its ellipse below which it is noted


@dataclass
class Written:
    """Hold what was written, and what could not be.

    Attributes
    ----------
    rows : of the layout's table.
    origins : new name, image and mask as they were called, patient.
    problems, notes : of the files that were read; none of these cases was written.
    """

    rows: list[dict[str, str]] = field(default_factory=list)
    origins: list[dict[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


Write = Callable[[Case, str, Path, Written], dict[str, str]]


def write_cases(
    cases: Sequence[Case],
    names: Sequence[str],
    write: Write,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Written:
    """Write case after case; one whose files cannot be used is a problem and is left out."""
    written = Written()
    for k, (case, name) in enumerate(zip(cases, names, strict=True), start=1):
        try:
            written.rows.append(write(case, name, folder, written))
        except (ValueError, OSError) as error:
            written.problems += problems_of(error)
        else:
            files = {"image": case.image, "mask": case.mask}
            origin = {key: "" if path is None else str(path) for key, path in files.items()}
            origin = {"name": name, **origin, "patient": case.texts.get("patient", "")}
            written.origins.append(origin)
        if progress is not None:
            progress(k, len(cases))
    return written


def write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write rows as a table: UTF-8, commas, or tabs in a .tsv."""
    with path.open("w", encoding="utf-8", newline="") as target:
        mark = "\t" if path.suffix == ".tsv" else ","
        table = csv.DictWriter(target, list(rows[0]), delimiter=mark, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def shown(value: float) -> str:
    """Return a number as it stands in a table; nothing where it is unknown.

    >>> shown(0.1205), shown(17.3 * 10), shown(float("nan"))
    ('0.1205', '173', '')
    """
    return "" if math.isnan(value) else f"{value:.10g}"


def examination_names(cases: Sequence[Case]) -> list[str]:
    """Return names as HC18 has them: the examination's number, ``_``, the name as it was.

    Patients are numbered as they come. Without patients, names that begin with a number and ``_``
    are kept; else each image is an examination of its own.
    """
    stems = [stem_of(case.image) for case in cases]
    named = any(case.texts.get("patient") for case in cases)
    if not named and all(re.match(r"\d+_", stem) for stem in stems):
        return [case.image.name for case in cases]
    patients = [(case.texts.get("patient"), str(case.image)) for case in cases]
    patients = [patient or image for patient, image in patients]
    known = {patient: k for k, patient in enumerate(dict.fromkeys(patients), start=1)}
    return distinct(
        f"{known[patient]:03d}_{case.image.name}"
        for patient, case in zip(patients, cases, strict=True)
    )


def distinct(names: Iterable[str]) -> list[str]:
    """Return names of which no two are equal before the ending, whatever their case.

    >>> distinct(["a.png", "A.jpg", "b.png"])
    ['a.png', 'A-2.jpg', 'b.png']
    """
    seen: set[str] = set()
    made = []
    for name in names:
        stem, again = Path(name).stem, 1
        while f"{stem}-{again}".casefold() in seen:
            again += 1
        seen.add(f"{stem}-{again}".casefold())
        made.append(name if again == 1 else f"{stem}-{again}{Path(name).suffix}")
    return made


def write_head(case: Case, name: str, folder: Path, written: Written) -> dict[str, str]:
    """Write an image and its outline in HC18's layout; HC is measured where it is not known."""
    image, drawing = read_pair(case.image, case.mask)
    mask = cut_at_half(drawing, case.mask)
    if is_outline(mask):
        ring, ellipse = mask, ellipse_from_outline(mask)
    else:
        ellipse = ellipse_from_mask(mask)
        ring = outline_of(ellipse, mask.shape)
        _note_unlike(case, mask, ellipse, written)
    size_mm, hc_mm = case.number("pixel_size_mm"), case.number("hc_mm")
    if math.isnan(hc_mm):
        hc_mm = round(head_circumference_mm(ellipse, (size_mm, size_mm)), 2)
    place = folder / heads.IMAGE_FOLDER
    _copy(case.image, place / name)
    save_png(place / f"{Path(name).stem}_Annotation.png", ring)
    return dict(
        zip(("filename", *heads.COLUMNS), (name, shown(size_mm), shown(hc_mm)), strict=True)
    )


def _note_unlike(case: Case, mask: np.ndarray, ellipse: Ellipse, written: Written) -> None:
    inside = ellipse.mask(mask.shape)
    dice = 2 * (inside & mask).sum() / (inside.sum() + mask.sum())
    if dice < ALIKE:
        message = f"the mask is no ellipse (Dice {dice:.2f} with the nearest): is it a head?"
        written.notes.append(Problem(str(case.mask), "shape", message))


def outline_of(ellipse: Ellipse, shape: tuple[int, int]) -> np.ndarray:
    """Draw an ellipse as HC18 does: a ring one pixel wide on its boundary, bool (H, W)."""
    x, y = np.round(ellipse.boundary(max(720, int(8 * ellipse.perimeter)))).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    ring = np.zeros(shape, bool)
    ring[y[inside], x[inside]] = True
    return ring


def write_clinical(case: Case, name: str, folder: Path, written: Written) -> dict[str, str]:
    """Write an image and its mask, as it was drawn, in the clinical layout."""
    mask_from_drawing(read_pair(case.image, case.mask)[1], case.mask)
    mask = f"masks/{Path(name).stem}{case.mask.suffix}"
    _copy(case.image, folder / "images" / name)
    _copy(case.mask, folder / mask)
    subject = case.texts.get("patient") or stem_of(case.image)
    texts = {"subject": subject, "structure": case.texts["structure"].casefold()}
    numbers = {column: shown(case.number(column)) for column in clinical_ultrasound.LIMITS}
    return {"image": f"images/{name}", "mask": mask, **texts, **numbers}


def write_anomaly(case: Case, name: str, folder: Path, written: Written) -> dict[str, str]:
    """Write an image and its class in the layout that knows patients."""
    read_image(case.image)
    _copy(case.image, folder / "images" / name)
    row = {"image": f"images/{name}", "lesion": "", "label": case.texts["class"]}
    if case.mask is not None:
        read_pair(case.image, case.mask)
        row["lesion"] = f"lesions/{Path(name).stem}{case.mask.suffix}"
        _copy(case.mask, folder / row["lesion"])
    numbers = {column: shown(case.number(column)) for column in anomaly_cases.LIMITS}
    row["patient"] = case.texts.get("patient") or subject_of_file(case.image.name)
    return row | numbers


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def save_png(path: Path, mask: np.ndarray) -> None:
    """Write a mask, bool (H, W), as 0 and 255."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)
