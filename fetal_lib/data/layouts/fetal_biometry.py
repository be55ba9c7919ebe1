"""Heads, abdomens and femurs with callipers of experts: images and three tables of points.

``Head.csv`` (OFD, BPD), ``Abdomen.csv`` (TAD, APAD) and ``Femur.csv`` (FL) of the FP part of the
multicentre set, with the images that they name, wherever these lie in the folder: a pack has
``images/``, FETAL_PLANES_DB has ``Images/`` and the tables come beside it or in
``data/annotations/FP``. Names are compared without their endings, as the two releases write
``.png`` where a pack may hold ``.jpg``. Masks are drawn from the callipers.

The columns ``scale``, ``center_w`` and ``center_h`` describe a crop around the answer: a head's
``scale`` is its OFD. They are read to no case; `read_crop_scales` shows what it tells, and the
centre, half the size of the image on which the points were set, tells images of another size.

A row is left out, with a note, where it cannot be what it says: no scale, an image of another
size, diameters that share an end or are far from crossing at a right angle, and sizes outside
Hadlock's ranges. A subject whose planes differ by weeks is noted and kept.

References
----------
Di Vece C et al. A multi-centre, multi-device benchmark dataset for landmark-based comprehensive
fetal biometry. 2025. doi:10.48550/arXiv.2512.16710 (the points)
Burgos-Artizzu XP et al. Sci Rep 2020; 10:10200. doi:10.1038/s41598-020-67076-5 (the images)
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.data.bad_files import FileFault
from fetal_lib.data.images import IMAGE_ENDINGS, read_image
from fetal_lib.data.layouts.base import PARTS, Found, Layout, Roles, visible
from fetal_lib.data.layouts.sheet import Sheet, known
from fetal_lib.geometry.callipers import (
    band_mask,
    diameters_off,
    ellipse_from_diameters,
    line_length,
)
from fetal_lib.growth.hadlock import EFW_MM_RANGE, SIZE_MM_RANGE, ga_weeks
from fetal_lib.readers.delimited import numbers, read_text_table

if TYPE_CHECKING:
    import pandas as pd

TABLES = {"head": "Head.csv", "abdomen": "Abdomen.csv", "femur": "Femur.csv"}
LINES = {"head": ("ofd", "bpd"), "abdomen": ("tad", "apad"), "femur": ("fl",)}
MEASURES = ("bpd_mm", "ofd_mm", "hc_mm", "tad_mm", "apad_mm", "ac_mm", "fl_mm")
SIZE_OF = {"head": "hc_mm", "abdomen": "ac_mm", "femur": "fl_mm"}
PLACES = (".", "data/annotations/FP", "annotations/FP", "annotations")
SUBJECT_COLUMNS = ("SubjectID", "Patient")
ONE_FETUS = {"799": "786"}  # one scan of an abdomen stands under both numbers
SCALE, CENTER = "px_to_mm_rate", ("center_w", "center_h")
PIXELS = (-10_000, 10_000, "pixels")
MAX_SKEW_DEG, MAX_OFFSET = 30.0, 0.25  # of two diameters of one ellipse
MAX_WEEKS_APART = 5.0  # more than the two standard deviations of two measures at term together


def find(folder: Path) -> Found:
    """Find the rows of the three tables with their images, in the order of the names.

    Returns
    -------
    Found
        Cases: ``image``, ``image_path``, ``subject`` (over all planes), ``structure`` (``head``,
        ``abdomen``, ``femur``), ``lines`` (the ends of OFD and BPD, of TAD and APAD, or of FL, in
        pixels), ``pixel_size_mm``, ``machine``, ``split`` (the release's, empty where not given)
        and the sizes in mm that the callipers give, NaN for other planes.
    """
    found = Found(folder)
    paths = {path.stem: path for path in visible(folder, "**/*", IMAGE_ENDINGS)}
    n_before = len(paths)
    for structure in TABLES:
        table = _table(folder, structure)
        if table is not None:
            _add_table(found, table, structure, paths)
    if paths and len(paths) < n_before:
        message = f"{len(paths)} images, such as {next(iter(paths))}, are in none of the tables"
        found.note(".", "not listed", message)
    found.cases.sort(key=lambda case: case["image"])
    _note_ages(found)
    return found


def read_crop_scales(folder: Path) -> dict[str, float]:
    """Return ``scale`` of each head by its image's name without ending: only to show what it tells.

    Empty where the folder is in another layout, or its tables have no such column.
    """
    table = _table(folder, "head")
    if table is None:
        return {}
    text = read_text_table(table, ("image_name",), ("scale",))
    values, _ = numbers(text, {"scale": (0, math.inf, "")})
    named = zip(text.rows, values["scale"], strict=True)
    return {Path(row["image_name"]).stem: scale for row, scale in named if known(scale)}


def _table(folder: Path, structure: str) -> Path | None:
    paths = (folder / place / TABLES[structure] for place in PLACES)
    return next((path for path in paths if path.is_file()), None)


def _add_table(found: Found, table: Path, structure: str, paths: dict[str, Path]) -> None:
    ends = [f"{line}_{end}_{axis}" for line in LINES[structure] for end in "12" for axis in "xy"]
    limits = dict.fromkeys((*ends, *CENTER), PIXELS) | {SCALE: (0.001, 10, "mm a pixel")}
    names = ("image_name", *ends, SCALE)
    columns = (*SUBJECT_COLUMNS, "Algo", "Split", *CENTER)
    sheet = Sheet(found, table, names, columns, limits, ("image_name",))
    subject = sheet.number_column(SUBJECT_COLUMNS)
    if sheet.rows and subject is None:
        sheet.problem("columns", f"one of {SUBJECT_COLUMNS} is needed; found {sheet.columns}")
        return
    for line, row, values in sheet:
        sheet.need(line, row, ("image_name", subject, *ends))
        name = row["image_name"]
        path = paths.pop(Path(name).stem, None) or found.file(name, sheet.name)
        if path is None or not all(known(values[end]) for end in ends):
            continue
        points = np.array([values[end] for end in ends]).reshape(-1, 2, 2)
        case = {
            "image": path.name,
            "image_path": path,
            "subject": ONE_FETUS.get(row[subject], row[subject]),
        }
        case |= {"structure": structure, "lines": tuple(points), "pixel_size_mm": values[SCALE]}
        case |= {"machine": "Aloka" if row.get("Algo", "").startswith("Aloka") else "GE Voluson"}
        case |= {"split": PARTS.get(row.get("Split", "").casefold(), "")} | _sizes(case)
        fault = _size_fault(path, values) or _fault(case)
        if fault:
            kind, message = fault
            found.note(path, kind, f"left out: {message} ({sheet.name}, line {line})")
        else:
            found.cases.append(case)


def _sizes(case: Mapping[str, Any]) -> dict[str, float]:
    """Return the sizes of a case in mm; of diameters that give no ellipse, the lengths only."""
    lengths = [line_length(line) * case["pixel_size_mm"] for line in case["lines"]]
    names = [f"{line}_mm" for line in LINES[case["structure"]]]
    sizes = dict.fromkeys(MEASURES, np.nan) | dict(zip(names, lengths, strict=True))
    if len(lengths) == 2 and min(lengths) > 0:
        ellipse = ellipse_from_diameters(*case["lines"])
        sizes[SIZE_OF[case["structure"]]] = ellipse.perimeter * case["pixel_size_mm"]
    return sizes


def _fault(case: Mapping[str, Any]) -> tuple[str, str] | None:
    """Say why a case cannot be what its table says: kind and message."""
    if not known(case["pixel_size_mm"]):
        return "no scale", f"{SCALE} is empty, so that nothing can be measured"
    if len(case["lines"]) == 2:
        skew_deg, offset = diameters_off(*case["lines"])
        if skew_deg > MAX_SKEW_DEG or offset > MAX_OFFSET:
            names = " and ".join(line.upper() for line in LINES[case["structure"]])
            ends = np.concatenate(case["lines"])
            shared = len(np.unique(ends, axis=0)) < len(ends)
            how = "two ends are the same point" if shared else "they are axes of no ellipse"
            message = f"{names} miss a right angle by {skew_deg:.0f} degrees: {how}"
            return "callipers", message
    for measure, (low, high) in EFW_MM_RANGE.items():
        size = case.get(f"{measure.lower()}_mm", np.nan)
        if known(size) and not low <= size <= high:
            rule = f"a fetus of 12 weeks to term has {low} to {high} mm"
            return "implausible", f"{measure} is {size:.1f} mm; {rule}: the points or the scale"
    return None


def _size_fault(path: Path, values: Mapping[str, float]) -> tuple[str, str] | None:
    """Compare an image's size with the one that the points were set on, by its header alone."""
    from PIL import Image

    stated = tuple(2 * values.get(name, np.nan) for name in CENTER)
    try:
        with Image.open(path) as image:
            size = image.size
    except (OSError, ValueError, SyntaxError):
        return None  # the file is named when it is read
    if not all(map(known, stated)) or np.allclose(stated, size, rtol=0, atol=1.5):
        return None
    was, now = (f"{width:.0f} x {height:.0f}" for width, height in (stated, size))
    return "size", f"the points were set on {was} pixels, not {now}"


def _note_ages(found: Found) -> None:
    """Note subjects whose planes differ by more weeks than their sizes can, by Hadlock 1984."""
    ages: dict[str, list[tuple[float, str, Path]]] = defaultdict(list)
    for case in found.cases:
        measure = SIZE_OF[case["structure"]]
        size = np.clip(case[measure], *SIZE_MM_RANGE[measure[:2].upper()])
        weeks = float(ga_weeks(measure[:2], float(size)))
        ages[case["subject"]].append((weeks, case["structure"], case["image_path"]))
    for subject, planes in ages.items():
        (low, small, _), (high, large, path) = min(planes), max(planes)
        if high - low > MAX_WEEKS_APART:
            message = f"subject {subject}: {large} of {high:.1f} weeks, {small} of {low:.1f}"
            rule = "a scale is wrong, or they are of two visits; relative errors still hold"
            found.note(path, "scale", f"{message}; {rule}")


def read(row: Any) -> tuple[np.ndarray, np.ndarray]:
    """Read a row's image, uint8 (H, W), and draw its mask, bool (H, W), from the callipers.

    A head or an abdomen is the ellipse of its two diameters, a femur the band along its line.
    """
    image = read_image(row.image_path)
    if len(row.lines) == 2:
        mask = ellipse_from_diameters(*row.lines).mask(image.shape)
    else:
        mask = band_mask(row.lines[0], image.shape)
    if not mask.any():
        message = f"the callipers lie outside the image of {image.shape[1]} x {image.shape[0]}"
        raise FileFault(row.image_path, "callipers", message)
    return image, mask


def read_cases(folder: str | Path) -> pd.DataFrame:
    """Return the case table of a folder, as `find` describes it; no image is decoded.

    Raises
    ------
    BadFilesError
        A ValueError that names every bad row and every missing file.
    """
    return find(Path(folder)).usable()


def _detect(folder: Path) -> bool:
    return any(_table(folder, structure) for structure in TABLES)


LAYOUT = Layout(
    "fetal_biometry",
    "Head.csv, Abdomen.csv, Femur.csv with calliper points, and images",
    _detect,
    find,
    read,
    roles=Roles(("structure",), part="split", source="machine", metadata=("pixel_size_mm",)),
)
