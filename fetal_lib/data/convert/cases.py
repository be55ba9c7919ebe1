"""Find a user's images, masks and table, and put together what belongs to one image."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fetal_lib.data.bad_files import plain_name
from fetal_lib.data.convert.columns import (
    NUMBERS,
    Column,
    ConvertError,
    check_columns,
    understand,
    values_of,
)
from fetal_lib.data.images import IMAGE_ENDINGS
from fetal_lib.data.layouts.base import Found, relative, visible
from fetal_lib.data.layouts.bids import VOLUMES
from fetal_lib.data.layouts.clinical_ultrasound import pixel_size_of
from fetal_lib.data.layouts.mask_folders import (
    MASK_FOLDERS,
    NO_MASK,
    home_of,
    paired,
    stem_of,
    without_suffix,
)
from fetal_lib.readers.delimited import TextTable, read_text_table

TABLES, WORKBOOKS = (".csv", ".tsv", ".txt"), (".xlsx", ".xls", ".ods", ".numbers")
TEXTS = ("patient", "structure", "class", "sex")


@dataclass(frozen=True)
class Case:
    """Hold one image and what is known of it.

    Attributes
    ----------
    image, mask : Path, and Path or None.
    texts : by meaning; empty where unknown.
    numbers : by meaning, in the units of the layouts; NaN where unknown.
    """

    image: Path
    mask: Path | None
    texts: Mapping[str, str]
    numbers: Mapping[str, float]

    def number(self, name: str) -> float:
        """Return a number, NaN where it is unknown."""
        return self.numbers.get(name, math.nan)


@dataclass
class Source:
    """Hold what was understood of a user's folder.

    Attributes
    ----------
    found : its folder, problems and notes.
    cases : the images that can be converted as far as names and table tell.
    images, masks : all that lie in it, told apart by their names and folders.
    table, text : Path and content of the table, or None without one.
    columns : what each column of the table is taken as.
    """

    found: Found
    images: list[Path]
    masks: list[Path]
    table: Path | None = None
    text: TextTable | None = None
    columns: Sequence[Column] = ()
    cases: list[Case] = field(default_factory=list)

    def has(self, meaning: str) -> bool:
        """Return whether a column of that meaning was found."""
        return any(column.meaning == meaning for column in self.columns)


def find_source(
    place: Path,
    table: Path | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
) -> Source:
    """Find images, masks and table of a folder; nothing is opened but the table.

    Parameters
    ----------
    place : a folder, or a table whose folder is meant.
    table : the table, where the folder does not hold exactly one.
    columns, units : what the user says of columns, see `understand`.

    Raises
    ------
    ConvertError, TableReadError
        ValueErrors: if there is no image, or the table cannot be read.
    """
    if place.is_file():
        place, table = place.parent, place
    if not place.is_dir():
        raise ConvertError(f"{place} is no folder; name the one that holds the images")
    source = Source(Found(place), *_listed(place), table or _table_in(place))
    if not source.images:
        kinds = ", ".join((*IMAGE_ENDINGS, *VOLUMES))
        raise ConvertError(f"{place}: no image in it ({kinds}); name the folder that holds them")
    if source.table is None and (columns or units):
        raise ConvertError(f"{place}: no table in it for --column or --unit; name it by --table")
    if source.table is not None:
        source.text = read_text_table(source.table, ())
        source.columns = understand(source.text, columns or {}, units or {})
        if not source.has("image"):
            source.columns = _with_image_column(source)
    return source


def read_rows(
    source: Source,
    carries: Callable[[str], bool],
    pixel_size_mm: float = math.nan,
    patients: str = "",
) -> None:
    """Put together what belongs to one image; the table's rows are read as far as they are carried.

    Parameters
    ----------
    source : its cases and problems are filled in.
    carries : whether a meaning is written to the layout; other columns are not looked at.
    pixel_size_mm : of all images for which neither the table nor the file says it.
    patients : "folder" or "name": what tells them where no column does, see `patient_of`.

    Raises
    ------
    ConvertError
        If two columns mean the same, a unit is missing, or the pixel size is none.
    """
    low, high = NUMBERS["pixel_size_mm"]
    if not (math.isnan(pixel_size_mm) or low <= pixel_size_mm <= high):
        rule = f"it must be the side of a pixel in mm, {low:g}-{high:g}"
        raise ConvertError(f"--pixel-size: received {pixel_size_mm:g}; {rule}")
    place, images, masks = source.found.folder, source.images, source.masks
    rows, masks_by_image, bad = {}, {}, set()
    if source.text is not None:
        carried = [one for one in source.columns if carries(one.meaning)]
        check_columns(source.table.name, carried)
        rows, masks_by_image, bad = _matched(source, carried)
    if not source.has("mask"):
        masks_by_image = paired(source.found, images, masks) if masks else {}
    dropped = {one.file for one in source.found.problems if one.kind != NO_MASK}
    source.found.problems = [one for one in source.found.problems if one.kind != NO_MASK]
    for image in images:
        name = relative(image, place)
        texts, values = rows.get(image, ({}, {}))
        if patients and not texts.get("patient"):
            texts = texts | {"patient": patient_of(image, place, patients)}
        if source.table is not None and image not in rows:
            source.found.problem(name, "not listed", f"no row of {source.table.name} names it")
        elif name not in dropped and image not in bad:
            size = values.get("pixel_size_mm", math.nan)
            size = pixel_size_of(image, size) if math.isnan(pixel_size_mm) else size
            values["pixel_size_mm"] = pixel_size_mm if math.isnan(size) else size
            source.cases.append(Case(image, masks_by_image.get(image), texts, values))


def patient_of(image: Path, folder: Path, told_by: str) -> str:
    """Return the patient of an image: its uppermost folder, or its name before ``_``.

    Raises
    ------
    ConvertError
        If it is told by something else.

    Examples
    --------
    >>> image = Path("set/images/P7/day2/s3_12.png")
    >>> patient_of(image, Path("set"), "folder"), patient_of(image, Path("set"), "name")
    ('P7', 's3')
    """
    if told_by not in ("folder", "name"):
        raise ConvertError(f"--patients: received {told_by!r}; it must be folder or name")
    name = stem_of(image).partition("_")[0]
    return name if told_by == "name" else home_of(image, folder).partition("/")[0] or name


def _table_in(folder: Path) -> Path | None:
    """Return the only table of a folder; a workbook is named so that its reader refuses it."""
    tables = visible(folder, "*", TABLES) or visible(folder, "*", WORKBOOKS)
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise ConvertError(f"{folder}: {len(tables)} tables ({names}); name one by --table")
    return tables[0] if tables else None


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return images and masks below a folder: masks by their folder's name or their own."""
    paths = visible(folder, "**/*", (*IMAGE_ENDINGS, *VOLUMES))
    masks = {path for path in paths if _is_mask(path, folder)}
    return [path for path in paths if path not in masks], [p for p in paths if p in masks]


def _is_mask(path: Path, folder: Path) -> bool:
    homes = {part.casefold() for part in path.relative_to(folder).parts[:-1]}
    return bool(homes & set(MASK_FOLDERS)) or without_suffix(stem_of(path)) != stem_of(path)


Rows = dict[Path, tuple[dict[str, str], dict[str, float]]]
Matched = tuple[Rows, dict[Path, Path], set[Path]]


def _matched(source: Source, carried: Sequence[Column]) -> Matched:
    """Return each image's row, its mask where the table names it, and the images of bad rows."""
    found, text, name = source.found, source.text, source.table.name
    values, faults = values_of(text, carried)
    for fault in faults:
        found.problem(name, fault.kind, str(fault))
    header = {one.meaning: one.header for one in carried}
    wrong = {int(line[1]) for fault in faults if (line := re.match(r"line (\d+)", fault))}
    near, near_masks = _Names(source.images, found.folder), _Names(source.masks, found.folder)
    rows, pairs, bad = {}, {}, set()
    for line, row, numbers in zip(text.lines, text.rows, values, strict=True):
        image = near.one(found, name, line, row[header["image"]])
        if image is None:
            continue
        if image in rows:
            found.problem(name, "duplicate", f"line {line}: {image.name} has a row already")
            wrong.add(line)
        bad |= {image} if line in wrong else set()
        rows[image] = {one: row[header[one]] for one in TEXTS if one in header}, numbers
        if "mask" in header and row[header["mask"]]:
            mask = near_masks.one(found, name, line, row[header["mask"]])
            pairs |= {} if mask is None else {image: mask}
        elif "mask" in header:
            found.problem(name, "no value", f"line {line}: no mask for {image.name}")
    return rows, pairs, bad


def _with_image_column(source: Source) -> list[Column]:
    """Return the columns, the one whose cells are names of the images, most of them, as such."""
    text, near = source.text, _Names(source.images, source.found.folder)
    n_known = {h: sum(bool(near.all(row[h])) for row in text.rows) for h in text.columns}
    best = max(n_known, key=lambda header: n_known[header])
    if 2 * n_known[best] <= len(text.rows):
        found = ", ".join(map(repr, text.columns))
        raise ConvertError(
            f"{text.path.name}: no column names the images; found {found}. Give "
            "--column 'image=NAME OF THE COLUMN'"
        )
    return [
        Column(one.header, "image", examples=one.examples) if one.header == best else one
        for one in source.columns
    ]


class _Names:
    """Find files by what a table calls them: a path, a name, or a name without its ending."""

    def __init__(self, paths: Sequence[Path], folder: Path) -> None:
        self._known: dict[str, list[Path]] = {}
        for path in paths:
            short = f"{home_of(path, folder)}/{path.name}"
            for name in {relative(path, folder), short, path.name, stem_of(path)}:
                self._known.setdefault(_key(name), []).append(path)

    def all(self, name: str) -> list[Path]:
        """Return the files of a name; a path of another computer is taken by its last part."""
        key = _key(name)
        last = key.rpartition("/")[2]
        keys = (key, key.rpartition(".")[0], last, last.rpartition(".")[0])
        return next((self._known[one] for one in keys if one in self._known), [])

    def one(self, found: Found, table: str, line: int, name: str) -> Path | None:
        """Return the one file of a name; another number of them is a problem."""
        paths = self.all(name)
        if len(paths) != 1:
            many = f"{len(paths)} files have this name" if paths else "no such file in the folder"
            kind = "duplicate" if paths else "missing"
            found.problem(table, kind, f"line {line}: {name!r}: {many}")
        return paths[0] if len(paths) == 1 else None


def _key(name: str) -> str:
    return plain_name(name.replace("\\", "/")).casefold()
