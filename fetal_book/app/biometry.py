"""What the tab for biometry does: the scans of one examination in, one report out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from fetal_book.app import markup
from fetal_book.app.head import read_known_age
from fetal_book.app.shelf import Shelf
from fetal_book.app.uploads import ScaleNeeded, Upload, pixel_size, read_scan, shrunk
from fetal_lib.growth.bpd_convention import OUTER_OUTER
from fetal_lib.growth.examination import Examination, examine
from fetal_lib.predict.batch import number_text
from fetal_lib.predict.biometry import biometry_row, measure_scans
from fetal_lib.predict.examination_page import examination_html, page
from fetal_lib.predict.examination_report import about, joined_sizes, small_picture
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes, given_sizes
from fetal_lib.predict.scans import Scan

NO_SCALE = "its file states no pixel size; type one for all"
WEIGHTS = ("AC, FL, BPD, HC", "AC, FL, HC", "AC, FL, BPD", "AC, FL", "AC, HC")
"""Sizes that a weight is computed from, the one to show first."""
TITLE = "Your examination"


def answer_files(
    files: Sequence[Upload],
    shelf: Shelf,
    label: str | None = None,
    pixel_size_mm: Any = None,
    known_age: str | None = None,
) -> str:
    """Return the report of the scans of one examination, as HTML."""
    start, sizes, ga_days = perf_counter(), given_sizes(pixel_size_mm), read_known_age(known_age)
    loaded, planes = shelf.get("biometry", label), shelf.planes()
    scans = [_read(file, sizes) for file in files]
    if all(scan.problem == NO_SCALE for scan, _ in scans):
        raise ScaleNeeded("Millimetres need a scale: type the pixel size, then drop the scans.")
    with loaded.lock:
        found = list(measure_scans([scan for scan, _ in scans], loaded.model, planes))
    rows = [
        biometry_row(one) | {"pixel_size_mm": number_text(mm, 5)}
        for one, (_, mm) in zip(found, scans, strict=True)
    ]
    examination = examine(joined_sizes([one.sizes for one in found]), ga_days, OUTER_OUTER)
    reasons = [f"{row['image']}: {row['reason']}" for row in rows if row["reason"]]
    shown = [picture for one in found if (picture := small_picture(one))]
    report = examination_html(TITLE, examination, shown, reasons)
    words = "; ".join(map(str, about(loaded.model.spec, OUTER_OUTER).values()))
    whole = report.join(page("Fetal biometry", words))
    parts = (
        _headline(examination),
        markup.print_and_save(whole, "biometry.html"),
        report,
        markup.table(rows, "biometry.csv", loaded.choice),
    )
    title = files[0].name if len(files) == 1 else f"{len(files)} scans"
    return markup.result(title, *parts, choice=loaded.choice, start=start)


def _read(file: Upload, sizes: PixelSizes) -> tuple[Scan, float]:
    """Return an upload as a scan, and the side of its pixels as it was uploaded."""
    path, image = Path(file.name), None
    try:
        image, factor = shrunk(read_scan(file))
        size = pixel_size(file, sizes)
    except ValueError as error:
        return Scan(path, image, PixelSize(), str(error)), math.nan
    problem = NO_SCALE if math.isnan(size.mm) else ""
    return Scan(path, image, PixelSize(size.mm * factor, size.origin), problem), size.mm


def _headline(examination: Examination) -> str:
    for name in WEIGHTS:
        weight = examination.find("weight", name)
        if not weight.reason:
            note = f"{weight.source} from {name}"
            if math.isfinite(weight.high):
                note += f"; {weight.low:.0f} to {weight.high:.0f} g by the intervals of the sizes"
            return markup.headline("Estimated fetal weight", f"{weight.value:.0f} g", note)
    sizes = [line for line in examination.quantities if line.group == "size" and not line.reason]
    if not sizes:
        return markup.headline("Fetal biometry", "I don’t know", kind="unknown")
    told = ", ".join(f"{line.name} {line.value:.1f} mm" for line in sizes)
    note = "a weight needs an abdomen, and a head or a femur"
    return markup.headline("Fetal biometry", told, note)
