"""Fetal brain atlases: templates by gestational week, with labels on the same grid."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.volumes import check_labels, check_volume, read_facts
from fetal_lib.data.report import FolderReport, Problem

WEEKS = (18, 44)
LABEL_WORDS = ("parcellation", "mask", "tissue", "regional", "seg", "label")
_WEEK = re.compile(r"(?:STA|GA|week|wk|t)[-_]?(\d{2})(?!\d)", re.IGNORECASE)


def week_of(path: Path, folder: Path) -> int | None:
    """Return the gestational week that a template's path names, or None.

    Examples
    --------
    >>> week_of(Path("a/STA31_tissue.nii.gz"), Path("a"))
    31
    >>> week_of(Path("a/fetal_SB_atlas_GA21_notoperated/srr.nii.gz"), Path("a"))
    21
    """
    found = [int(text) for text in _WEEK.findall(path.relative_to(folder).as_posix())]
    weeks = [week for week in found if WEEKS[0] <= week <= WEEKS[1]]
    return weeks[-1] if weeks else None


def _is_labels(path: Path) -> bool:
    return any(word in path.name.lower() for word in LABEL_WORDS)


def _volumes(folder: Path) -> list[Path]:
    return [path for path in visible(folder, "**/*") if path.name.endswith((".nii", ".nii.gz"))]


def _image_of(labels: Path, images: list[Path], folder: Path) -> Path | None:
    """Return the template that labels belong to: the one of that week in the same folder."""
    week = week_of(labels, folder)
    near = [path for path in images if path.parent == labels.parent]
    near = [path for path in near if week_of(path, folder) == week]
    return near[0] if len(near) == 1 else None


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    paths = _volumes(folder)
    images = [path for path in paths if not _is_labels(path)]
    problems = [] if images else [Problem("*.nii.gz", "missing", "no template in the folder")]
    problems += walk(paths, lambda path: _check_template(path, images, folder), progress)
    return FolderReport(str(folder), len(paths), tuple(problems))


def _check_template(path: Path, images: list[Path], folder: Path) -> list[Problem]:
    if not _is_labels(path):
        problems = check_volume(path, folder)[1]
        if week_of(path, folder) is None:
            rule = f"its path names no week of {WEEKS[0]} to {WEEKS[1]}, as STA31 or GA31 does"
            problems = [*problems, Problem(relative(path, folder), "no age", rule)]
        return problems
    image = _image_of(path, images, folder)
    if image is None:
        message = "labels without a template of the same week beside them"
        alone = Problem(relative(path, folder), "missing image", message)
        return [*check_labels(path, folder, None), alone]
    return check_labels(path, folder, read_facts(image))


def _detect(folder: Path) -> bool:
    return any(week_of(path, folder) is not None for path in _volumes(folder)[:50])


LAYOUT = Layout("fetal_atlas", "templates by week: STA31.nii.gz, ..._GA31_.../", _detect, _check)
