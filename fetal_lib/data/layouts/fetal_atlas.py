"""Fetal brain atlases: templates by gestational week, with labels and masks on the same grid."""

from __future__ import annotations

import re
from pathlib import Path

from fetal_lib.data.layouts.base import Found, Layout, relative, visible
from fetal_lib.data.layouts.bids import VOLUMES
from fetal_lib.data.layouts.fetal_scan import case, in_order, read

WEEKS = (18, 44)
LABEL_WORDS = ("parcellation", "mask", "tissue", "regional", "seg", "label")
LOOKED_AT = 50  # volumes that may show whether a folder is an atlas
_WEEK = re.compile(r"(?:STA|GA|week|wk|t)[-_]?(\d{2})(?!\d)", re.IGNORECASE)


def find(folder: Path) -> Found:
    """Find templates by the week in their path, with labels and mask beside them.

    All templates of a folder are one group: they are averages that share fetuses.
    """
    found = Found(folder)
    paths = visible(folder, "**/*", VOLUMES)
    images = [path for path in paths if not is_labels(path)]
    taken: set[Path] = set()
    for path in images:
        near = _beside(path, paths, folder)
        taken.update(near)
        _add_template(found, path, near)
    for path in [path for path in paths if is_labels(path) and path not in taken]:
        rule = "labels without a template of the same week beside them"
        found.note(path, "missing image", rule)
    return in_order(found)


def _add_template(found: Found, path: Path, near: list[Path]) -> None:
    week = week_of(path, found.folder)
    name = relative(path, found.folder)
    if week is None:
        rule = f"its path names no week of {WEEKS[0]} to {WEEKS[1]}, as STA31 or GA31 does"
        found.problem(name, "no age", rule)
        return
    masks = [other for other in near if "mask" in other.name.lower()]
    labels = [other for other in near if other not in masks]
    alone = path.parent == found.folder
    subject = path.name.split(".", 1)[0] if alone else relative(path.parent, found.folder)
    if any(one["subject"] == subject for one in found.cases):
        found.problem(name, "duplicate", f"template {subject} stands more than once; keep one")
    more = {"group": found.folder.name, "labels_path": next(iter(labels), None)}
    more["mask_path"] = next(iter(masks), None)
    found.cases.append(case(subject, path, 7.0 * week, "template", **more))


def _beside(path: Path, paths: list[Path], folder: Path) -> list[Path]:
    """Return labels and masks in a template's folder that name its week."""
    near = [other for other in paths if other.parent == path.parent and is_labels(other)]
    return [other for other in near if week_of(other, folder) == week_of(path, folder)]


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


def is_labels(path: Path) -> bool:
    """Return whether a volume's name is that of labels or a mask."""
    return any(word in path.name.lower() for word in LABEL_WORDS)


def _detect(folder: Path) -> bool:
    paths = visible(folder, "**/*", VOLUMES)[:LOOKED_AT]
    return any(week_of(path, folder) is not None for path in paths)


LAYOUT = Layout(
    "fetal_atlas", "templates by week: STA31.nii.gz, ..._GA31_.../", _detect, find, read
)
