"""Cases that the biometry networks learn from: scans with their ellipses and lines, by channel.

A head of HC18 is drawn around the outer edge of the skull, a head of the calliper set by callipers
that end at the inner edge of the far skull, so that they are two channels. Examinations and
subjects (over all planes) stay on one side of the split.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fetal_lib.data.images import read_image
from fetal_lib.data.layouts import fetal_biometry, heads
from fetal_lib.data.splits.shares import split_by_class, split_by_group
from fetal_lib.geometry.callipers import ellipse_from_diameters
from fetal_lib.geometry.ellipse import Ellipse

HC18_SHARES = {"test": 0.18, "validation": 0.12}
CALLIPER_SHARES = {"test": 0.16, "validation": 0.16}
SEED = 0


@dataclass(frozen=True)
class Case:
    """One scan and what is known of it.

    Attributes
    ----------
    path : Path
    plane : "head", "abdomen" or "femur".
    subject : str
        Examination or subject, with the name of its set.
    source : str
        ``hc18``, or the machine of the calliper set.
    part : "train", "validation" or "test".
    pixel_size_mm : float
    sizes_mm : dict of float
        What the annotation gives, as `fetal_lib.geometry.biometry.SIZES` names it.
    ellipse : Ellipse or None
        In pixels of the scan.
    lines : tuple of float arrays (2, 2)
        The callipers: TAD and APAD, FL; for HC18 none.
    """

    path: Path
    plane: str
    subject: str
    source: str
    part: str
    pixel_size_mm: float
    sizes_mm: dict[str, float]
    ellipse: Ellipse | None
    lines: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @property
    def convention(self) -> str:
        """Return where a head's callipers stand."""
        return "outer-outer" if self.source == "hc18" else "outer-inner"

    @cached_property
    def image(self) -> np.ndarray:
        """Return the scan, uint8 (H, W)."""
        return read_image(self.path)

    @cached_property
    def image_size(self) -> tuple[int, int]:
        """Return the height and width of the scan."""
        return self.image.shape


def hc18_cases(folder: str | Path) -> list[Case]:
    """Read the cases of a folder in HC18's layout, the ellipses fitted to its outlines."""
    table = heads.read_cases(folder)
    parts = split_by_group(table["examination"], table["hc_mm"], HC18_SHARES, SEED)
    found = []
    for row, part in zip(table.itertuples(index=False), parts, strict=True):
        ellipse = heads.read(row).ellipse
        sizes = _head_sizes(ellipse, row.pixel_size_mm) | {"hc_mm": float(row.hc_mm)}
        known = (row.image_path, "head", f"hc18 {row.examination}", "hc18", str(part))
        found.append(Case(*known, float(row.pixel_size_mm), sizes, ellipse))
    return found


def calliper_cases(folder: str | Path) -> list[Case]:
    """Read the cases of a folder in the layout of the multicentre calliper set."""
    table = fetal_biometry.read_cases(folder)
    parts = split_by_class(table["subject"], table["structure"], CALLIPER_SHARES, SEED)
    return [_calliper_case(row, str(part)) for row, part in zip(
        table.itertuples(index=False), parts, strict=True)]  # fmt: skip


def _calliper_case(row: Any, part: str) -> Case:
    ellipse = ellipse_from_diameters(*row.lines) if len(row.lines) == 2 else None
    named = {name: float(getattr(row, name)) for name in fetal_biometry.MEASURES}
    sizes = {name: size for name, size in named.items() if np.isfinite(size)}
    known = (row.image_path, row.structure, f"fp {row.subject}", row.machine, part)
    return Case(*known, float(row.pixel_size_mm), sizes, ellipse, row.lines)


def _head_sizes(ellipse: Ellipse, pixel_size_mm: float) -> dict[str, float]:
    return {
        "hc_mm": ellipse.perimeter * pixel_size_mm,
        "bpd_mm": 2 * ellipse.semi_minor * pixel_size_mm,
        "ofd_mm": 2 * ellipse.semi_major * pixel_size_mm,
    }


def of_part(cases: Iterable[Case], part: str) -> list[Case]:
    """Return the cases of a part of the split."""
    return [case for case in cases if case.part == part]
