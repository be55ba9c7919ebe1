"""Reference runs that are kept with the project: record, results, tables and figures.

They live in ``book/published/<chapter>/<run>/``. A run is published by copying the
small parts of its folder; its weights stay where they are.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetal_lib.parameters.project import project_root
from fetal_lib.runs.record import read_record
from fetal_lib.runs.results import read_results

PARTS = ("record.json", "results.json", "tables", "figures")


class PublishError(ValueError):
    """A run cannot be published; the text says why."""


@dataclass(frozen=True)
class PublishedRun:
    """A reference run.

    Attributes
    ----------
    name : str
        Of its folder.
    rows : list of dict
        Its result rows.
    parameters : dict
        Name to value.
    profile : str
    hardware : str
        Processor and number of cores, or the graphics card.
    """

    name: str
    rows: list[dict[str, Any]]
    parameters: dict[str, Any]
    profile: str
    hardware: str


def published_folder(chapter: str) -> Path:
    """Return the folder of a chapter's reference runs; it need not exist."""
    return project_root() / "book" / "published" / chapter


def published_runs(chapter: str) -> list[PublishedRun]:
    """Return the reference runs of a chapter in the order of their names; may be empty."""
    folders = sorted(published_folder(chapter).glob("*/results.json"))
    return [_read(path.parent) for path in folders]


def _read(folder: Path) -> PublishedRun:
    record = read_record(folder)
    if record is None:
        raise PublishError(f"{folder.name}: results without record.json; publish the run again.")
    values = {name: entry["value"] for name, entry in record.parameters.items()}
    machine = record.hardware
    hardware = machine.get("gpu") or f"{machine.get('cpu')}, {machine.get('cores')} cores"
    return PublishedRun(folder.name, read_results(folder), values, record.profile, hardware)


def publish(run_folder: str | Path, name: str) -> Path:
    """Copy the small parts of a finished run to where the book shows them.

    Parameters
    ----------
    run_folder : path
    name : str
        Of the published run, such as ``hc18-quick``; an older one of that name goes.

    Returns
    -------
    Path

    Raises
    ------
    PublishError
        If the run did not end ok. Whether its code had local changes stands in its record.
    """
    source = Path(run_folder)
    record = read_record(source)
    if record is None or record.status != "ok":
        state = "no record" if record is None else f"status {record.status!r}"
        raise PublishError(f"run={source.name!r}: {state}; only a run that ended ok is published.")
    target = published_folder(record.chapter) / name
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part)
        elif (source / part).is_file():
            shutil.copy2(source / part, target / part)
    return target
