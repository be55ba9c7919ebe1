"""A user's own images and masks in two folders, or in one, paired by their names.

``scans/12.png`` goes with ``masks/12.png``, ``12_mask.png``, ``12_Annotation.png`` or
``12_seg.png``; the endings of the files may differ. Outlines are filled. The subject is the
image's name without its ending, or what a pattern finds in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.readers.delimited import TableReadError, numbers, read_text_table
from fetal_lib.sets.bad_files import BadFilesError, plain_name, repeated
from fetal_lib.sets.masked_images import iter_cases

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["iter_cases", "read_table"]

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm")
MASK_SUFFIXES = ("_mask", "_Annotation", "_seg")
NAME_COLUMNS = ("filename", "image", "file", "name")
SIZE_COLUMNS = ("pixel size(mm)", "pixel_size_mm", "pixel_size")
SIZE_LIMITS = (0.02, 1.0, "mm a pixel")


def read_table(
    images: str | Path,
    masks: str | Path | None = None,
    subject_pattern: str | None = None,
    pixel_sizes: str | Path | None = None,
    suffixes: Sequence[str] = MASK_SUFFIXES,
) -> pd.DataFrame:
    """Return the case table of images and masks paired by name; no image is read.

    Parameters
    ----------
    images : path
        Folder of images; folders in it are not entered, hidden and other files are passed over.
    masks : path, optional
        Folder of masks; without it the masks lie beside the images and carry a suffix.
    subject_pattern : str, optional
        Regular expression searched in the image's name without ending; its first group, or the
        whole match, is the subject. ``r"^(\\d+)_"`` for HC18.
    pixel_sizes : path, optional
        Table with a name column (``filename`` or ``image``) and ``pixel size(mm)`` or
        ``pixel_size_mm``; it must know every image.
    suffixes : sequence of str
        What a mask's name may have behind the image's, whatever the case.

    Returns
    -------
    DataFrame
        Sorted by name: ``image``, ``image_path``, ``mask_path``, ``subject``,
        ``pixel_size_mm`` (NaN without a table).

    Raises
    ------
    ValueError
        If a folder is missing or empty, or the pattern is none.
    BadFilesError
        A ValueError that names all files without a partner, with two, or without a subject.

    Examples
    --------
    >>> read_table("nowhere")
    Traceback (most recent call last):
    ValueError: images='nowhere': no such folder; name the folder that holds the images.
    """
    import pandas as pd

    scans = _list_images(images, "images")
    if masks is None or Path(masks).resolve() == Path(images).resolve():
        drawn = [path for path in scans if _without_suffix(path.stem, suffixes) != path.stem]
        scans = [path for path in scans if path not in drawn]
    else:
        drawn = _list_images(masks, "masks")
    pairs = _pair(scans, drawn, suffixes)
    table = pd.DataFrame({"image": [image.name for image, _ in pairs]})
    table["image_path"], table["mask_path"] = zip(*pairs, strict=True)
    table["subject"] = _subjects([image for image, _ in pairs], subject_pattern)
    table["pixel_size_mm"] = _pixel_sizes(list(table["image"]), pixel_sizes)
    return table


def _list_images(folder: str | Path, what: str) -> list[Path]:
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            f"{what}={str(folder)!r}: no such folder; name the folder that holds the {what}."
        )
    paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    paths = [path for path in paths if path.suffix.lower() in IMAGE_ENDINGS and path.is_file()]
    if not paths:
        raise ValueError(
            f"{what}={str(folder)!r}: no image in it; files must end in "
            f"{', '.join(IMAGE_ENDINGS)}. Folders inside it are not entered."
        )
    return sorted(paths)


def _without_suffix(stem: str, suffixes: Sequence[str]) -> str:
    for suffix in suffixes:
        if suffix and stem.casefold().endswith(suffix.casefold()):
            return stem[: -len(suffix)]
    return stem


def _pair(scans: list[Path], drawn: list[Path], suffixes: Sequence[str]) -> list[tuple[Path, Path]]:
    """Pair images with masks by name; raise once for all that have no partner or two."""
    by_stem: dict[str, list[Path]] = {plain_name(path.stem): [] for path in scans}
    doubled = repeated([path.stem for path in scans])
    problems = [f"{stem}: two images of this name; keep one" for stem in doubled]
    for path in drawn:
        stem = plain_name(path.stem)
        key = stem if stem in by_stem else _without_suffix(stem, suffixes)
        if key in by_stem:
            by_stem[key].append(path)
        else:
            problems.append(f"{path.name}: a mask without an image; {key}.png is needed")
    for path in scans:
        names = [mask.name for mask in by_stem[plain_name(path.stem)]]
        if not names:
            rule = " or ".join(f"{path.stem}{suffix}.png" for suffix in ("", *suffixes))
            problems.append(f"{path.name}: an image without a mask; {rule} is needed")
        elif len(names) > 1:
            problems.append(f"{path.name}: {len(names)} masks ({', '.join(names)}); keep one")
    if problems:
        raise BadFilesError("images and masks", problems)
    return [(path, by_stem[plain_name(path.stem)][0]) for path in scans]


def _subjects(paths: list[Path], pattern: str | None) -> list[str]:
    stems = [plain_name(path.stem) for path in paths]
    if pattern is None:
        return stems
    try:
        matches = [re.search(pattern, stem) for stem in stems]
    except re.error as error:
        raise ValueError(
            f"subject_pattern={pattern!r}: no regular expression ({error}); "
            r"give one such as ^(\d+)_."
        ) from error
    found = [match and match.group(1 if match.re.groups else 0) for match in matches]
    bad = [path.name for path, text in zip(paths, found, strict=True) if not text]
    if bad:
        rule = f"subject_pattern={pattern!r} finds no subject in its name"
        raise BadFilesError("images and masks", [f"{name}: {rule}" for name in bad])
    return found


def _pixel_sizes(names: list[str], path: str | Path | None) -> list[float]:
    """Return the pixel size of each image in mm, NaN without a table."""
    if path is None:
        return [math.nan] * len(names)
    text = read_text_table(path, (), (*NAME_COLUMNS, *SIZE_COLUMNS))
    name_column, size_column = (
        next((column for column in known if column in text.columns), None)
        for known in (NAME_COLUMNS, SIZE_COLUMNS)
    )
    if name_column is None or size_column is None:
        rule = f"a column of {NAME_COLUMNS} and one of {SIZE_COLUMNS} are needed"
        raise TableReadError(text.path, [f"{rule}; found {text.columns}"])
    values, problems = numbers(text, {size_column: SIZE_LIMITS})
    listed = [plain_name(row[name_column]) for row in text.rows]
    problems += [f"{name} stands more than once; keep one row" for name in repeated(listed)]
    sizes = dict(zip(listed, values[size_column], strict=True))
    known = [sizes.get(plain_name(name), math.nan) for name in names]
    unknown = [name for name, size in zip(names, known, strict=True) if math.isnan(size)]
    problems += [f"{name} has no pixel size; add its row" for name in unknown if not problems]
    if problems:
        raise TableReadError(text.path, problems)
    return known
