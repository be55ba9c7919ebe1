"""Reports of examinations while scans are measured: a page, JSON, DICOM Structured Reports.

An examination is written as soon as the last of its images was measured, so that memory does not
grow with their number. Of a size that was measured in several images the mean is taken, and the
mean of the ends of its intervals: errors of one fetus's images are alike.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

import numpy as np

from fetal_lib.growth.examination import Examination, Size, examine
from fetal_lib.predict.biometry import MeasuredScan, biometry_row, draw_measured
from fetal_lib.predict.examination_page import CAUTION, Picture, examination_html, page
from fetal_lib.predict.structured_report import write_report
from fetal_lib.predict.visits import Visit

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from fetal_lib.predict.biometry_model import BiometrySpec

PICTURE_WIDTH = 640
TEXT_COLUMNS = ("image", "status", "plane", "pixel_size_from", "reason")


@dataclass(frozen=True)
class Found:
    """What is kept of a measured scan until its examination is whole."""

    path: Path
    row: dict[str, str]
    sizes: dict[str, Size]
    picture: Picture | None


def joined_sizes(found: Sequence[dict[str, Size]]) -> dict[str, Size]:
    """Return the sizes of several images of one examination, of each size the mean.

    >>> joined_sizes([{"FL": Size(60.0, 58.0, 62.0)}, {"FL": Size(62.0, 60.0, 64.0)}])
    {'FL': Size(mm=61.0, low_mm=59.0, high_mm=63.0)}
    """
    by_name: dict[str, list[Size]] = defaultdict(list)
    for sizes in found:
        for name, size in sizes.items():
            by_name[name].append(size)
    ends = ("mm", "low_mm", "high_mm")
    return {
        name: Size(*(float(np.mean([getattr(size, end) for size in several])) for end in ends))
        for name, several in by_name.items()
    }


def small_picture(one: MeasuredScan) -> Picture | None:
    """Return a scan with what was measured in it, no wider than `PICTURE_WIDTH`."""
    import cv2

    if one.scan.image is None:
        return None
    drawn = draw_measured(one)
    if (factor := PICTURE_WIDTH / drawn.shape[1]) < 1:
        drawn = cv2.resize(drawn, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])
    seen = one.plane.name if one.plane else "not recognised"
    return Picture(jpeg.tobytes(), f"{one.scan.path.name}: {seen}")


def report_json(name: str, examination: Examination, rows: Sequence[dict[str, str]]) -> dict:
    """Return an examination for machines; None stands where there is no number."""
    known = examination.ga_days
    return {
        "examination": name,
        "ga_days": known if math.isfinite(known) else None,
        "images": [{key: _plain(key, value) for key, value in row.items()} for row in rows],
        "quantities": examination.rows(),
        "flags": list(examination.flags),
    }


def _plain(column: str, text: str) -> Any:
    if column in TEXT_COLUMNS:
        return text
    return float(text) if text else None


def about(spec: BiometrySpec, convention: str) -> dict[str, Any]:
    """Return what holds for all examinations of a call."""
    return {
        "program": f"fetal-lib {version('fetal-lib')}",
        "model_trained_on": spec.trained_on,
        "model_licence": spec.licence,
        "convention": convention,
        "interval_level": spec.interval_coverage,
    }


class Reports:
    """Writes reports; scans are handed to `add` in the order of their visits.

    Files are written beside their names and appear when the context ends without an error.

    Parameters
    ----------
    visits : sequence of Visit, one a scan
    about : dict
        What holds for all, as the function `about` returns it.
    html, json_file, sr_folder : path, optional
        What is asked for.
    Attributes
    ----------
    problems : list of str
        Why a Structured Report could not be written.
    """

    def __init__(
        self,
        visits: Sequence[Visit],
        about: dict[str, Any],
        html: Path | None = None,
        json_file: Path | None = None,
        sr_folder: Path | None = None,
    ) -> None:
        self._visits, self._left = iter(visits), Counter(visits)
        self._about = about
        self._files = {"html": html, "json": json_file}
        self._sr_folder, self._names = sr_folder, Counter()
        self._open: dict[Visit, list[Found]] = defaultdict(list)
        self._texts: dict[str, TextIO] = {}
        self._stack, self._n_written = ExitStack(), 0
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        if self._sr_folder is not None:
            self._sr_folder.mkdir(parents=True, exist_ok=True)
        for kind, path in self._files.items():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f"{path.name}.part")
                self._texts[kind] = self._stack.enter_context(part.open("w", encoding="utf-8"))
        words = "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in self._about.items())
        self._start, self._end = page("Fetal biometry", words)
        head = json.dumps(self._about | {"caution": CAUTION}, indent=1)[:-2]
        self._write("html", self._start)
        self._write("json", f'{head},\n "examinations": [')
        return self

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if kind is None:
            self._write("html", self._end)
            self._write("json", "\n ]\n}\n")
        self._stack.close()
        for name in self._texts:
            path = self._files[name]
            part = path.with_name(f"{path.name}.part")
            part.replace(path) if kind is None else part.unlink(missing_ok=True)

    def add(self, one: MeasuredScan) -> None:
        """Take a scan; write its examination if it was the last of it."""
        visit = next(self._visits)
        picture = small_picture(one) if "html" in self._texts else None
        kept = Found(one.scan.path, biometry_row(one), one.sizes, picture)
        self._open[visit].append(kept)
        self._left[visit] -= 1
        if not self._left[visit]:
            self._finish(visit, self._open.pop(visit))

    def _finish(self, visit: Visit, found: Sequence[Found]) -> None:
        sizes = joined_sizes([one.sizes for one in found])
        examination = examine(sizes, visit.ga_days, self._about["convention"])
        rows = [one.row for one in found]
        reasons = [f"{row['image']}: {row['reason']}" for row in rows if row["reason"]]
        pictures = [one.picture for one in found if one.picture]
        self._write("html", examination_html(visit.name, examination, pictures, reasons))
        told = json.dumps(report_json(visit.name, examination, rows), allow_nan=False)
        self._write("json", f"{',' if self._n_written else ''}\n  {told}")
        self._n_written += 1
        if self._sr_folder is not None and sizes:
            self._write_sr(visit, examination, [one.path for one in found if one.sizes])

    def _write_sr(self, visit: Visit, examination: Examination, paths: Sequence[Path]) -> None:
        safe = re.sub(r"[^\w.-]+", "_", visit.name)[-120:].strip(".") or "examination"
        self._names[safe] += 1
        name = safe if self._names[safe] == 1 else f"{safe}_{self._names[safe]}"
        try:
            write_report(examination, self._sr_folder / f"{name}.dcm", _headers(paths))
        except ValueError as error:
            self.problems.append(f"{visit.name}: no Structured Report: {error}")

    def _write(self, kind: str, text: str) -> None:
        if kind in self._texts:
            self._texts[kind].write(text)


def _headers(paths: Sequence[Path]) -> list[Dataset]:
    from fetal_lib.readers.checks import first_bytes, is_dicom
    from fetal_lib.readers.dicom_header import read_header

    return [read_header(path) for path in paths if is_dicom(first_bytes(path))]
