"""Find, read, split and describe the images of chapter 02."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.fingerprint import hash_cases
from fetal_book.parameters.brain_anomalies import BrainAnomaliesParameters
from fetal_book.runs.data_sets import data_folder
from fetal_book.runs.session import Run
from fetal_lib.data.audit.hashes import packed, thumbnail, view_hashes
from fetal_lib.data.audit.twins import join_twins
from fetal_lib.data.layouts.brain_anomalies import iter_images, read_cases
from fetal_lib.data.splits.check import assert_disjoint
from fetal_lib.data.splits.shares import split_by_class
from fetal_lib.files.fingerprint import file_sha256
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.predict.brain_view import ASPECT, FINDER, load_head_finder, mask_view, views_of
from fetal_lib.readers.image import read_gray
from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.phantom import IMAGE_SIZE
from fetal_phantoms.anomalies.write import GENERATOR_VERSION, write_anomaly_set
from fetal_phantoms.reserved import refuse_reserved

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Cases:
    """Images of one size with their classes."""

    # one row an image: ``image, label, subject, source_stem`` and, once split, ``part``
    table: pd.DataFrame
    images: np.ndarray  # (N, S, S), uint8
    labels: np.ndarray  # (N,), int: place of the class in ``LABELS``
    groups: np.ndarray  # (N,), str: what stays on one side of a split
    lesions: np.ndarray | None  # (N, S, S), bool, or None: where the anomaly is; only phantoms know
    aspect: float  # width over height of the images before they were squashed
    n_left_out: int = 0  # images of a class that is none of the sixteen, or that names do not tell
    # (N,), bool, or None: whether the head was found, so that the view is cut around it
    found: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: np.ndarray) -> Cases:
        """Return the chosen cases; ``chosen`` is bool (N,) or the places of the cases."""
        at = np.flatnonzero(chosen) if np.asarray(chosen).dtype == bool else np.asarray(chosen)
        return Cases(
            self.table.iloc[at].reset_index(drop=True),
            self.images[at],
            self.labels[at],
            self.groups[at],
            None if self.lesions is None else self.lesions[at],
            self.aspect,
            found=None if self.found is None else self.found[at],
        )

    def part(self, name: str) -> Cases:
        """Return the cases of one part of the split."""
        return self.select((self.table["part"] == name).to_numpy())


def find_data(parameters: BrainAnomaliesParameters) -> Path:
    """Return the folder that ``data`` names; phantoms are made on first use, but not of a seed that
    a shipped network has seen. The folder of ``external_data`` is looked at here, not after
    training.
    """
    p = parameters
    if p.external_data:
        sixteen_classes(Path(p.external_data))
    if p.data == "phantom":
        refuse_reserved(p.seed)
    size = phantom_size(p.image_size)
    spec = {"kind": "anomalies", "version": GENERATOR_VERSION, "n": p.n_phantoms}
    spec |= {"seed": p.seed, "marks": p.marks, "size": size}
    make = partial(
        write_anomaly_set, n_patients=p.n_phantoms, seed=p.seed, marks=p.marks, image_size=size
    )
    return data_folder(p.data, make, spec)


def phantom_size(side: int) -> tuple[int, int]:
    """Return (height, width) of a phantom scan that is twice as fine as its view, or finer.

    >>> phantom_size(64), phantom_size(96), phantom_size(320)
    ((240, 324), (240, 324), (400, 540))
    """
    height, width = IMAGE_SIZE
    rows = min(height, max(240, round(2.5 * side)))
    return rows, round(rows * width / height)


def load_cases(folder: Path, side: int, view: str = "head") -> Cases:
    """Read a folder in any of the known formats."""
    table, left_out = sixteen_classes(folder)
    return _as_cases(table, left_out, make_views(table, side, view))


def sixteen_classes(folder: Path) -> tuple[pd.DataFrame, int]:
    """Return the path table of the sixteen classes, and how many images are of none of them. A set
    that says only normal or abnormal is read by the class in its file names.
    """
    table = read_cases(folder)
    known = table["fine_label"].isin(LABELS).to_numpy()
    kept = table[known].assign(label=table["fine_label"]).reset_index(drop=True)
    if kept["label"].nunique() < 2:
        raise ValueError(
            f"data={str(folder)!r}: {kept['label'].nunique()} of the {len(LABELS)} classes in it; "
            "a classifier needs two or more. Check the folder names or file names."
        )
    return kept.drop(columns=["part"]), int((~known).sum())


def make_views(table: pd.DataFrame, side: int, view: str) -> dict[str, np.ndarray]:
    """Read all scans and turn them into views: the arrays ``images, found, aspect``, ``lesions``
    where they are known, and hashes of the scans, ``words``, where names do not tell patients.
    """
    shapes: list[tuple[int, int]] = []
    words: list[np.ndarray] = []
    named = "lesion_path" in table  # phantoms and own tables name their patients

    def scans() -> Iterator[np.ndarray]:
        for scan in iter_images(table):
            shapes.append(scan.shape)
            if not named:
                words.append(packed(view_hashes(thumbnail(scan))))
            yield scan

    finder = load_head_finder() if view == "head" else None
    sizes = table["pixel_size_mm"] if "pixel_size_mm" in table else None
    made = views_of(scans(), side, view, finder, pixel_sizes=sizes)
    images, ellipses = zip(*made, strict=True)
    height, width = np.median(shapes, axis=0)
    arrays = {
        "images": np.stack(images),
        "found": np.array([ellipse is not None for ellipse in ellipses]),
        "aspect": np.array([ASPECT if view == "head" else width / height]),
    }
    if not named:
        arrays["words"] = np.stack(words)
    lesions = _lesions(table, ellipses, side, view)
    return arrays if lesions is None else arrays | {"lesions": lesions}


def _as_cases(table: pd.DataFrame, left_out: int, views: Mapping[str, np.ndarray]) -> Cases:
    places = {name: k for k, name in enumerate(LABELS)}
    if "words" in views:
        table = table.assign(
            subject=join_twins(table["subject"].to_numpy(str), views["words"]),
            picture=join_twins(table["source_stem"].to_numpy(str), views["words"]),
        )
    return Cases(
        table=table,
        images=views["images"],
        labels=table["label"].map(places).to_numpy(int),
        groups=table["subject"].astype(str).to_numpy(),
        lesions=views.get("lesions"),
        aspect=float(views["aspect"][0]),
        n_left_out=left_out,
        found=views["found"],
    )


def read_views(run: Run, folder: Path, view: str = "") -> Cases:
    """Read the cases of a run, in its view unless another is named; views that were made before
    are taken from the cache.
    """
    p = run.parameters
    view = view or p.view
    run.fingerprint_folder(folder)
    table, left_out = sixteen_classes(folder)

    def make(into: Path) -> None:
        np.savez_compressed(into / "views.npz", **make_views(table, p.image_size, view))

    spec = {"name": "views", "view": view, "side": p.image_size}
    if view == "head":
        spec["finder"] = file_sha256(FINDER / "weights.npz")
    code = ("fetal_lib.predict.brain_view", "fetal_lib.data.images", "fetal_lib.data.audit.hashes")
    outcome = run.fit_or_reuse(spec, {}, code, make)
    with np.load(outcome.folder / "views.npz", allow_pickle=False) as file:
        return _as_cases(table, left_out, dict(file))


def _lesions(
    table: pd.DataFrame, ellipses: Sequence[Ellipse | None], side: int, view: str
) -> np.ndarray | None:
    """Return where the anomalies are, in the views' pixels; None where that is not known."""
    if "lesion_path" not in table:
        return None
    masks = np.zeros((len(table), side, side), bool)
    for i, (path, ellipse) in enumerate(zip(table["lesion_path"], ellipses, strict=True)):
        if path is not None and Path(path).is_file():
            masks[i] = mask_view(read_gray(path) >= 128, ellipse, side, view)
    return masks


def fingerprint(cases: Cases) -> str:
    """Return a hash of names, classes, groups and images: what a fit depends on."""
    return hash_cases(cases.table[["image", "label", "subject"]], cases.images)


def split_cases(cases: Cases, parameters: BrainAnomaliesParameters) -> Cases:
    """Deal out whole patients to train, val and test, stratified by class."""
    p = parameters
    shares = {"test": p.test_fraction, "val": p.val_fraction}
    part = split_by_class(cases.groups, cases.table["label"], shares, p.seed)
    assert_disjoint(cases.groups, part)
    return replace(cases, table=cases.table.assign(part=part))


def class_counts(cases: Cases) -> pd.DataFrame:
    """Return images of each class and part, and patients, the commonest class first."""
    table = pd.crosstab(cases.table["label"], cases.table["part"])
    table = table.reindex(columns=PARTS, fill_value=0)
    table["images"] = table.sum(axis=1)
    table["patients"] = cases.table.groupby("label")["subject"].nunique()
    return table.sort_values("images", ascending=False).rename_axis("class").reset_index()


def one_of_each(cases: Cases, seed: int = 0) -> np.ndarray:
    """Return the place of one image of each class that is there, in the order of the classes."""
    rng = np.random.default_rng(seed)
    return np.array(
        [rng.choice(np.flatnonzero(cases.labels == k)) for k in np.unique(cases.labels)]
    )


def pretty_label(name: str) -> str:
    """Return a class name for people.

    >>> pretty_label("mild_ventriculomegaly"), pretty_label("vein_of_galen")
    ('mild ventriculomegaly', 'vein of Galen')
    """
    text = name.replace("_", " ").replace("galen", "Galen")
    return text.replace("arnold chiari", "Arnold-Chiari")
