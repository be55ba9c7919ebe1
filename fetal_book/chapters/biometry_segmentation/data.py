"""Find, read and select the data of chapter 03: scans and masks from one or two sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.fingerprint import hash_cases
from fetal_book.parameters.biometry_segmentation import BiometrySegmentationParameters
from fetal_book.runs.data_sets import data_folder
from fetal_book.runs.folder import data_name
from fetal_lib.data.layouts import clinical_ultrasound, fetal_biometry, heads
from fetal_lib.data.layouts.registry import detect_layout
from fetal_lib.data.masks import iter_cases
from fetal_lib.data.splits.shares import split_by_group
from fetal_lib.geometry.biometry import SIZES
from fetal_phantoms import abdomen_set

COLUMNS = ("image", "image_path", "mask_path", "lines", "subject", "structure", "source", "layout")
MEASURES = tuple(name for names in SIZES.values() for name in names)
NUMBERS = ("pixel_size_mm", "true_mm", "ga_days", *MEASURES)
SUBJECTS = {
    "hc18": (
        "A subject is an **examination**, the number that a file's name begins with; a woman who "
        "was examined twice counts twice"
    ),
    "clinical": "A subject is what the set's own table calls so, one fetus",
    "callipers": (
        "A subject is one number over all planes. The masks are drawn from callipers of experts: "
        "ellipses, and the band along a femur"
    ),
}
RELEASED = {"hc18": (999, 806)}
"""Annotated images and examinations of a whole release, by layout; data_manifests/hc18.yml."""
LEFT_OUT = "left out"
ITERATE = {
    "hc18": heads.iter_cases,
    "clinical": iter_cases,
    "callipers": partial(iter_cases, read=fetal_biometry.read),
}


@dataclass(frozen=True)
class CaseArrays:
    """Images and filled masks of one size, and the scans' own sizes."""

    images: np.ndarray  # uint8 (N, S, S)
    masks: np.ndarray  # uint8 (N, S, S), the share of each pixel that is covered, 0 to 255
    sizes_hw: np.ndarray  # int (N, 2)

    def select(self, chosen: np.ndarray) -> CaseArrays:
        """Return the cases where ``chosen``, bool (N,), holds."""
        chosen = np.asarray(chosen)
        return CaseArrays(self.images[chosen], self.masks[chosen], self.sizes_hw[chosen])


def find_data(parameters: BiometrySegmentationParameters) -> list[Path]:
    """Return the folders of ``data`` and ``also``; phantoms are made on first use."""
    p = parameters
    spec = {"kind": "biometry", "version": abdomen_set.GENERATOR_VERSION, "n": p.n_phantoms}
    spec |= {"seed": p.seed, "marks": p.marks}
    make = partial(
        abdomen_set.write_biometry_set, n_subjects=p.n_phantoms, seed=p.seed, marks=p.marks
    )
    names = [name for name in (p.data, p.also) if name]
    return [data_folder(name, make, spec) for name in names]


def read_cases(parameters: BiometrySegmentationParameters, folders: list[Path]) -> pd.DataFrame:
    """Return one path table of all sources: HC18's layout, callipers, or the clinical one.

    Subjects of two sources never share a name: it starts with the source's, and so do the names
    of images where sources share some. ``true_mm`` is the circumference of the head or
    abdomen that the image shows, or the length of its femur.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ValueError(f"also={parameters.also!r}: it is the data itself; name another, or none.")
    names = source_names([name for name in (parameters.data, parameters.also) if name])
    tables = []
    for name, folder in zip(names, folders, strict=True):
        table = _read_source(folder)
        table["source"] = name
        table["subject"] = table["source"] + ":" + table["subject"].astype(str)
        charted = table["structure"].map({name: sizes[0] for name, sizes in SIZES.items()})
        table["true_mm"] = [table[size].iloc[i] for i, size in enumerate(charted)]
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)[[*COLUMNS, *NUMBERS]]
    if joined["image"].duplicated().any():
        joined["image"] = joined["source"] + "/" + joined["image"]
    return joined


def source_names(data: list[str]) -> list[str]:
    """Return distinct names of data sets: the last word of each, where equal with the one before.

    Examples
    --------
    >>> source_names(["phantom", "sets/hc18"]), source_names(["a/scans", "b/scans"])
    (['phantom', 'hc18'], ['a-scans', 'b-scans'])
    >>> source_names(["x/a/scans", "y/a/scans"])
    ['scans-1', 'scans-2']
    """
    last = [data_name(name) for name in data]
    two = [data_name("-".join(Path(name).parts[-2:])) for name in data]
    numbered = [f"{name}-{i}" for i, name in enumerate(last, 1)]
    return next(names for names in (last, two, numbered) if len(set(names)) == len(names))


def _read_source(folder: Path) -> pd.DataFrame:
    if fetal_biometry.LAYOUT.detect(folder):
        table = fetal_biometry.read_cases(folder).assign(layout="callipers", mask_path=None)
    elif (folder / clinical_ultrasound.TABLE_NAME).is_file():
        table = clinical_ultrasound.read_cases(folder).assign(layout="clinical", lines=None)
    else:
        table = heads.read_cases(folder).rename(columns={"examination": "subject"})
        table = table.assign(structure="head", layout="hc18", lines=None)
    return table.assign(**{name: np.nan for name in NUMBERS if name not in table})


def deal_out(table: pd.DataFrame, shares: Mapping[str, float], seed: int) -> np.ndarray:
    """Assign each image to ``train`` or a part of ``shares``, a subject with all of its planes.

    Each source is dealt out by itself, so that a subject is in the same part whether its source
    is run alone or joined with another. Subjects are stratified by the planes that they have,
    then by size, so that the parts have subjects of several planes alike.
    """
    part = np.full(len(table), "train", dtype="<U16")
    for rows in table.groupby("source").indices.values():
        own = table.iloc[rows]
        by = own.groupby("subject")
        planes = by["structure"].transform(lambda names: "+".join(sorted(set(names))))
        label = 1e4 * pd.factorize(planes, sort=True)[0] + by["true_mm"].transform("mean")
        part[rows] = split_by_group(own["subject"], label, shares, seed)
    return part


def left_out(folders: list[Path]) -> pd.DataFrame:
    """Return what the sources' layouts left out or found odd: file, kind and message."""
    notes = [note for one in folders for note in detect_layout(one).find(one).notes]
    return pd.DataFrame(notes, columns=["file", "kind", "message"])


def flow_table(table: pd.DataFrame, folders: list[Path]) -> pd.DataFrame:
    """Return who is in each part, who is not, and why: images, with subjects in brackets.

    The table has ``part``. What a release has beyond the files at hand is known of HC18 alone.
    """
    rows = []
    for (name, own), folder in zip(table.groupby("source", sort=False), folders, strict=True):
        notes = detect_layout(folder).find(folder).notes
        gone = [note.kind for note in notes if note.message.startswith(LEFT_OUT)]
        told = ", ".join(f"{n} {kind}" for kind, n in Counter(gone).items())
        released = RELEASED.get(own["layout"].iloc[0])
        row = {"source": name, "annotated in the release": _counted(*released) if released else ""}
        row |= {"at hand": f"{len(own) + len(gone):,}", "left out, why": told or "none"}
        parts = {"used": own} | {
            part: own[own["part"] == part] for part in ("train", "val", "test")
        }
        rows.append(row | {k: _counted(len(v), v["subject"].nunique()) for k, v in parts.items()})
    return pd.DataFrame(rows)


def _counted(images: int, subjects: int) -> str:
    return f"{images:,} ({subjects:,})"


def load_cases(table: pd.DataFrame, shape: tuple[int, int]) -> CaseArrays:
    """Read all images and masks of a path table, squashed to ``shape``."""
    cases = {}
    for layout, rows in table.groupby("layout").indices.items():
        found = ITERATE[layout](table.iloc[rows], shape)
        cases |= dict(zip(rows, found, strict=True))
    images, masks, sizes = zip(*(cases[row] for row in range(len(table))), strict=True)
    return CaseArrays(np.stack(images), np.stack(masks), np.array(sizes))


def references(table: pd.DataFrame, arrays: CaseArrays) -> list[np.ndarray]:
    """Return the filled masks at the scans' own sizes, uint8 (H, W) each."""
    return [at_own_size(table, arrays, i)[1] for i in range(len(table))]


def at_own_size(table: pd.DataFrame, arrays: CaseArrays, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a scan and its filled mask at the scan's own size, uint8 (H, W) each."""
    read = ITERATE[table["layout"].iloc[row]]
    shape = int(arrays.sizes_hw[row][0]), int(arrays.sizes_hw[row][1])
    image, mask, _ = next(iter(read(table.iloc[[row]], shape)))
    return image, mask


def pooled_name(table: pd.DataFrame) -> str:
    """Return the name of all sources of a table or of scores together."""
    return "+".join(table["source"].unique())


def fingerprint(table: pd.DataFrame, arrays: CaseArrays) -> str:
    """Return a hash of the table and the arrays: what a fit depends on."""
    columns = ["image", "subject", "structure", "source", "pixel_size_mm", "true_mm"]
    return hash_cases(table[columns], arrays.images, arrays.masks)


def data_text(table: pd.DataFrame) -> str:
    """Say how many subjects the images come from, what a subject is, and where AC comes from."""
    lines = []
    for name, rows in table.groupby("source", sort=False):
        frames = rows.groupby("subject").size()
        lines.append(
            f"`{name}`: **{len(rows):,} images of {len(frames):,} subjects**, up to "
            f"{frames.max()} of one. {SUBJECTS[rows['layout'].iloc[0]]}."
        )
    abdomens = table[table["structure"] == "abdomen"]
    if abdomens.empty:
        lines.append("No image shows an abdomen: this run has **no AC and no weight**.")
    else:
        names = ", ".join(f"`{name}`" for name in abdomens["source"].unique())
        lines.append(f"Abdomens, on which AC and weight rest: {len(abdomens):,}, from {names}.")
    return " ".join(lines)
