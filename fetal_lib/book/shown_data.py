"""What the data of a run are: scans of people, phantoms, or made of an atlas' templates.

A run says it in its table ``data_sets`` (``data, part, kind``). For one that does not, a name that
begins with ``phantom`` is known, and so are the atlases that have a manifest: a chapter makes
individuals of the atlas that it learns from, and takes the templates of another as they are.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from fetal_lib.data.catalogue import manifest_folder, read_manifest
from fetal_lib.data.manifest import ManifestError

PHANTOM = "phantom"
ATLAS = ("blend", "template")
ATLAS_LAYOUT = "fetal_atlas"
GROUPS = {
    "real": "real data",
    PHANTOM: "phantoms",
    "atlas": "blends of atlas templates",
}
"""What is never put together, with its words on the pages."""


def data_kind(folder: Path, data: str, split: str = "test") -> str:
    """Return ``phantom``, ``blend``, ``template``, or ``scan``.

    Parameters
    ----------
    folder : Path
        Of a run.
    data : str
        A data set of its results.
    split : str
        ``external`` for a set that the run was scored on only.
    """
    if data.startswith(PHANTOM):
        return PHANTOM
    part = "external" if split == "external" else "own"
    path = folder / "tables" / "data_sets.csv"
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            found = {(row["data"], row["part"]): row["kind"] for row in csv.DictReader(file)}
        if (data, part) in found:
            return found[data, part]
    if data in atlases():
        return "template" if part == "external" else "blend"
    return "scan"


def atlases() -> dict[str, str]:
    """Return name and title of the atlases that have a manifest; empty without manifests."""
    try:
        return _atlases(manifest_folder())
    except ManifestError:
        return {}


@cache
def _atlases(folder: Path) -> dict[str, str]:
    manifests = [read_manifest(path) for path in sorted(folder.glob("*.yml"))]
    return {one.name: one.title for one in manifests if one.verifier == ATLAS_LAYOUT}


def group_of(kind: str) -> str:
    """Return which of ``GROUPS`` a kind of data belongs to.

    Examples
    --------
    >>> [group_of(kind) for kind in ("scan", "blend", "phantom")]
    ['real', 'atlas', 'phantom']
    """
    if kind in ATLAS:
        return "atlas"
    return PHANTOM if kind == PHANTOM else "real"


def data_words(data: str, kind: str, mark: str = "**") -> str:
    """Name data so that no reader takes phantoms, or blends of templates, for people.

    Examples
    --------
    >>> data_words("hc18", "scan"), data_words("phantom, head", "phantom")
    ('**hc18**', 'phantoms, head')
    >>> data_words("an_atlas", "blend", mark="")
    'individuals blended from templates of an_atlas'
    """
    if kind == PHANTOM:
        return data.replace(PHANTOM, "phantoms", 1)
    before = {"blend": "individuals blended from templates of ", "template": "templates of "}
    return f"{before.get(kind, '')}{mark}{data}{mark}"
