"""What data are: scans of people, phantoms, or made of an atlas' templates; and how to name them.

A chapter makes individuals of the atlas that it learns from, and takes the templates of another,
which it is only scored on, as they are.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fetal_lib.data.catalogue import manifest_folder, read_manifest
from fetal_lib.data.manifest import ManifestError

PHANTOM = "phantom"
ATLAS_LAYOUT = "fetal_atlas"


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


def kind_by_name(data: str, external: bool = False) -> str:
    """Return ``phantom``, ``blend``, ``template`` or ``scan``, by the name of the data alone.

    Parameters
    ----------
    data : str
        A name that begins with ``phantom``, that of a data set, or of a folder.
    external : bool
        The data were scored only: of an atlas these are the templates, not blends of them.

    Examples
    --------
    >>> kind_by_name("phantom, head"), kind_by_name("a_folder_of_mine")
    ('phantom', 'scan')
    """
    if data.startswith(PHANTOM):
        return PHANTOM
    if data in atlases():
        return "template" if external else "blend"
    return "scan"


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
