"""What the data of a run are, and which of them the pages never put together.

A run says it in its table ``data_sets`` (``data, part, kind``). For one that does not, the name of
the data tells.
"""

from __future__ import annotations

import csv
from pathlib import Path

from fetal_lib.data.kinds import PHANTOM, kind_by_name

ATLAS = ("blend", "template")
GROUPS = {
    "real": "real data",
    PHANTOM: "phantoms",
    "atlas": "blends of atlas templates",
}
"""What is never put together, with its words on the pages."""


def data_kind(folder: Path, data: str, split: str = "test") -> str:
    """Return ``phantom``, ``blend``, ``template`` or ``scan`` for a data set of a run's results."""
    external = split == "external"
    path = folder / "tables" / "data_sets.csv"
    if path.is_file() and not data.startswith(PHANTOM):
        with path.open(encoding="utf-8", newline="") as file:
            found = {(row["data"], row["part"]): row["kind"] for row in csv.DictReader(file)}
        part = "external" if external else "own"
        if (data, part) in found:
            return found[data, part]
    return kind_by_name(data, external)


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
