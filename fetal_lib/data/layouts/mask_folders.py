"""Images and masks in two folders (or one), paired by their names."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from pathlib import Path

from fetal_lib.data.layouts.base import Layout, Progress, relative, visible, walk
from fetal_lib.data.layouts.images import check_pair, is_image_name
from fetal_lib.data.layouts.tables import Number, read_table
from fetal_lib.data.report import FolderReport, Problem

IMAGE_FOLDERS = ("images", "image", "imgs", "scans")
MASK_FOLDERS = ("masks", "mask", "annotations", "labels")
SUFFIXES = ("_mask", "_annotation", "_seg")
SIZE_TABLE = "pixel_sizes.csv"
PIXEL_SIZE = {"pixel_size_mm": Number(0.02, 1.0, "mm a pixel")}


def _sub(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _stem(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem)


def _without_suffix(stem: str) -> str:
    for suffix in SUFFIXES:
        if stem.casefold().endswith(suffix):
            return stem[: -len(suffix)]
    return stem


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return images and masks, from two folders or from one."""
    scans, drawn = _sub(folder, IMAGE_FOLDERS), _sub(folder, MASK_FOLDERS)
    images = [path for path in visible(scans or folder, "*") if is_image_name(path)]
    if drawn is not None:
        return images, [path for path in visible(drawn, "*") if is_image_name(path)]
    masks = [path for path in images if _without_suffix(_stem(path)) != _stem(path)]
    return [path for path in images if path not in set(masks)], masks


def _check(folder: Path, progress: Progress | None, classes: Collection[str]) -> FolderReport:
    images, masks = _listed(folder)
    by_stem: dict[str, list[Path]] = {_stem(path): [] for path in images}
    problems = _doubled(images, folder)
    for path in masks:
        stem = _stem(path)
        key = stem if stem in by_stem else _without_suffix(stem)
        if key in by_stem:
            by_stem[key].append(path)
        else:
            message = f"a mask without an image; {key}.png is needed"
            problems.append(Problem(relative(path, folder), "missing", message))
    pairs = [(path, by_stem[_stem(path)]) for path in images]
    if not pairs:
        problems.append(Problem("images", "missing", "no image in the folder"))
    problems += walk(pairs, lambda pair: _check_case(*pair, folder), progress)
    problems += _check_sizes(folder, images)
    return FolderReport(str(folder), len(images), tuple(problems))


def _doubled(images: list[Path], folder: Path) -> list[Problem]:
    seen: set[str] = set()
    message = "another image has the same name but for its ending; keep one"
    return [
        Problem(relative(path, folder), "duplicate", message)
        for path in images
        if _stem(path) in seen or seen.add(_stem(path))
    ]


def _check_case(image: Path, masks: list[Path], folder: Path) -> list[Problem]:
    if not masks:
        names = ", ".join(f"{image.stem}{suffix}.png" for suffix in ("", *SUFFIXES))
        return [Problem(relative(image, folder), "missing mask", f"one of {names} is needed")]
    if len(masks) > 1:
        names = ", ".join(mask.name for mask in masks)
        message = f"{len(masks)} masks ({names}); keep one"
        return [Problem(relative(image, folder), "duplicate", message)]
    return check_pair(image, masks[0], folder)


def _check_sizes(folder: Path, images: list[Path]) -> list[Problem]:
    """Check the table of pixel sizes, where there is one."""
    if not (folder / SIZE_TABLE).is_file():
        return []
    table = read_table(
        folder / SIZE_TABLE, ("filename", "pixel_size_mm"), PIXEL_SIZE, ("filename",)
    )
    sizes = {row.text.get("filename"): row.number.get("pixel_size_mm") for row in table.rows}
    for path in images:
        if table.rows and path.name not in sizes:
            table.note("no value", f"{path.name} has no pixel size; add its row")
    return table.problems


def _detect(folder: Path) -> bool:
    if _sub(folder, IMAGE_FOLDERS) and _sub(folder, MASK_FOLDERS):
        return True
    images, masks = _listed(folder)
    return bool(images and masks)


LAYOUT = Layout("mask_folders", "images/ and masks/, paired by name", _detect, _check)
