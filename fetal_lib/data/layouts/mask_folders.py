"""A user's own images and masks in two folders, or in one, paired by their names.

``images/12.png`` goes with ``masks/12.png``, ``12_mask.png``, ``12_Annotation.png`` or
``12_seg.png``; the endings of the files may differ. Outlines are filled. ``pixel_sizes.csv`` may
give the pixel size of each image.
"""

from __future__ import annotations

import math
from pathlib import Path

from fetal_lib.data.bad_files import plain_name, repeated
from fetal_lib.data.images import IMAGE_ENDINGS
from fetal_lib.data.layouts.base import Found, Layout, relative, visible
from fetal_lib.data.layouts.sheet import Sheet, known
from fetal_lib.data.masks import read_masked

IMAGE_FOLDERS = ("images", "image", "imgs", "scans")
MASK_FOLDERS = ("masks", "mask", "annotations", "labels")
SUFFIXES = ("_mask", "_annotation", "_seg", "_dseg")
NO_MASK = "missing mask"
SIZE_TABLE = "pixel_sizes.csv"
NAME_COLUMNS = ("filename", "image", "file", "name")
SIZE_COLUMNS = ("pixel_size_mm", "pixel size(mm)", "pixel_size")
SIZE_LIMITS = (0.02, 1.0, "mm a pixel")


def find(folder: Path) -> Found:
    """Pair images with masks by name.

    Returns
    -------
    Found
        Cases sorted by name: ``image``, ``image_path``, ``mask_path``, ``subject`` (the image's
        name without its ending), ``pixel_size_mm`` (NaN without a table).
    """
    found = Found(folder)
    images, masks = _listed(folder)
    masks_of = paired(found, images, masks)
    sizes = _pixel_sizes(found, [path.name for path in images])
    for path, mask in masks_of.items():
        case = {"image": path.name, "image_path": path, "mask_path": mask}
        size = sizes.get(plain_name(path.name), math.nan)
        found.cases.append(case | {"subject": stem_of(path), "pixel_size_mm": size})
    return found


def paired(found: Found, images: list[Path], masks: list[Path]) -> dict[Path, Path]:
    """Return the mask of each image, by their names; what has not exactly one is a problem.

    Where images of two folders share a name, the folders below ``images`` and ``masks`` must be
    called alike, too.
    """
    stems = [stem_of(path).casefold() for path in images]
    deep = found.folder if len(set(stems)) < len(stems) else None
    near, pairs = _by_key(found, images, masks, deep), {}
    for path in images:
        named = near[_key(path, deep)]
        names = ", ".join(mask.name for mask in named)
        if not named:
            rule = " or ".join(f"{path.stem}{suffix}.png" for suffix in ("", *SUFFIXES))
            message = f"an image without a mask; {rule} is needed"
            found.problem(relative(path, found.folder), NO_MASK, message)
        elif len(named) > 1:
            message = f"{len(named)} masks ({names}); keep one"
            found.problem(relative(path, found.folder), "duplicate", message)
        else:
            pairs[path] = named[0]
    return pairs


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return images and masks, from two folders or from one."""
    scans, drawn = _sub(folder, IMAGE_FOLDERS), _sub(folder, MASK_FOLDERS)
    images = visible(scans or folder, "*", IMAGE_ENDINGS)
    if drawn is not None:
        return images, visible(drawn, "*", IMAGE_ENDINGS)
    masks = [path for path in images if without_suffix(stem_of(path)) != stem_of(path)]
    return [path for path in images if path not in masks], masks


def _by_key(
    found: Found, images: list[Path], masks: list[Path], deep: Path | None
) -> dict[str, list[Path]]:
    """Return the masks of each image, by its name; those of no image become problems."""
    near: dict[str, list[Path]] = {_key(path, deep): [] for path in images}
    for key in repeated([_key(path, deep) for path in images]):
        path = next(path for path in images if _key(path, deep) == key)
        message = f"{stem_of(path)}: two images of this name; keep one"
        found.problem(relative(path, found.folder), "duplicate", message)
    for path in masks:
        key = _key(path, deep)
        key = key if key in near else without_suffix(key)
        if key in near:
            near[key].append(path)
        else:
            message = f"a mask without an image; {without_suffix(stem_of(path))}.png is needed"
            found.problem(relative(path, found.folder), "missing", message)
    return near


def _pixel_sizes(found: Found, names: list[str]) -> dict[str, float]:
    """Return the pixel size of each image in mm; nothing without a table."""
    path = found.folder / SIZE_TABLE
    if not path.is_file():
        return {}
    limits = dict.fromkeys(SIZE_COLUMNS, SIZE_LIMITS)
    sheet = Sheet(found, path, (), NAME_COLUMNS, limits)
    columns = sheet.number_column(NAME_COLUMNS), sheet.number_column(SIZE_COLUMNS)
    if not sheet.rows or None in columns:
        rule = f"a column of {NAME_COLUMNS} and one of {SIZE_COLUMNS} are needed"
        if sheet.rows:
            sheet.problem("columns", f"{rule}; found {sheet.columns}")
        return {}
    name, size = columns
    listed = [plain_name(row[name]) for _, row, _ in sheet]
    for again in repeated(listed):
        sheet.problem("duplicate", f"{again} stands more than once; keep one row")
    sizes = {stated: values[size] for stated, (_, _, values) in zip(listed, sheet, strict=True)}
    for image in names:
        if not known(sizes.get(plain_name(image), math.nan)):
            sheet.problem("no value", f"{image} has no pixel size; add its row")
    return sizes


def _sub(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def stem_of(path: Path) -> str:
    """Return a name without its ending, also of ``.nii.gz``, with composed letters."""
    return plain_name(path.name.removesuffix(".gz").rpartition(".")[0])


def _key(path: Path, deep: Path | None) -> str:
    """Return what an image and its mask share: the name, and with a root the folders below it."""
    home = "" if deep is None else home_of(path, deep)
    return f"{home}/{stem_of(path)}".removeprefix("/").casefold()


def home_of(path: Path, folder: Path) -> str:
    """Return the folders of a file below another one, without those called images or masks.

    >>> home_of(Path("set/images/P7/1.png"), Path("set")), home_of(Path("set/1.png"), Path("set"))
    ('P7', '')
    """
    parts = path.relative_to(folder).parts[:-1]
    kept = [part for part in parts if part.casefold() not in IMAGE_FOLDERS + MASK_FOLDERS]
    return "/".join(kept)


def without_suffix(stem: str) -> str:
    """Return the name of the image that a mask of this name is drawn on."""
    ending = next((suffix for suffix in SUFFIXES if stem.casefold().endswith(suffix)), "")
    return stem[: len(stem) - len(ending)]


def _detect(folder: Path) -> bool:
    if _sub(folder, IMAGE_FOLDERS) and _sub(folder, MASK_FOLDERS):
        return True
    images, masks = _listed(folder)
    return bool(images and masks)


LAYOUT = Layout("mask_folders", "images/ and masks/, paired by name", _detect, find, read_masked)
