"""Reference runs that are kept with the project: record, results, tables and figures.

They live in ``book/published/<chapter>/<run>/``. A run is published by copying the
small parts of its folder; its weights stay where they are.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.parameters.project import project_root
from fetal_book.runs.exhibits import KINDS, copy_exhibits, index_of
from fetal_book.runs.record import ended_ok, read_record
from fetal_book.runs.results import read_results
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json
from fetal_lib.metrics.intervals import with_interval

if TYPE_CHECKING:
    import pandas as pd

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class PublishError(UserError, ValueError):
    """A run cannot be published; the text says why."""


@dataclass(frozen=True)
class PublishedRun:
    """A reference run: the name of its folder, its result rows, parameters and machine."""

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


def reference_table(
    chapter: str, metrics: Sequence[str], models: Sequence[str] = (), part: str = "test"
) -> pd.DataFrame:
    """Return what the reference runs of a chapter found outside phantoms, a row a model.

    Columns are ``run, data, model``, the metrics as text with their 95 % intervals, ``n``. The
    part is ``test``, or ``external`` for sets that the runs were scored on only, which also says
    what a run learnt from. Without ``models`` all that have one of the metrics are listed.
    """
    import pandas as pd

    lines = []
    for published in published_runs(chapter):
        rows = [r for r in published.rows if r["split"] == part and r["data"] != "phantom"]
        own = (
            {"learnt from": published.parameters.get("data", "unknown")}
            if part == "external"
            else {}
        )
        known = dict.fromkeys((r["data"], r["model"]) for r in rows if r["metric"] in metrics)
        order = list(models) or list(dict.fromkeys(model for _, model in known))
        for model in order:
            for data in [data for data, one in known if one == model]:
                found = {r["metric"]: r for r in rows if (r["data"], r["model"]) == (data, model)}
                mine = {name: score_text(found[name]) for name in metrics if name in found}
                first = next(found[name] for name in metrics if name in found)
                line = {"run": published.name, **own, "data": data, "model": model}
                lines.append(line | mine | {"n": first["n"]})
    return pd.DataFrame(lines)


def score_text(row: dict[str, Any]) -> str:
    """Write a result with its 95 % interval; four decimals for overlaps, two otherwise.

    >>> score_text({"metric": "mae_years", "value": 6.05, "ci95": [5.38, 6.79]})
    '6.05 (5.38 to 6.79)'
    """
    digits = 4 if row["metric"] in ("dice", "iou") else 2
    return with_interval(row["value"], row["ci95"], digits)


def _read(folder: Path) -> PublishedRun:
    record = read_record(folder)
    if record is None:
        raise PublishError(f"{folder.name}: results without record.json; publish the run again.")
    values = {name: entry["value"] for name, entry in record.parameters.items()}
    machine = record.hardware
    hardware = machine.get("gpu") or f"{machine.get('cpu')}, {machine.get('cores')} cores"
    return PublishedRun(folder.name, read_results(folder), values, record.profile, hardware)


def publish(run_folder: str | Path, name: str, without: Iterable[str] = ()) -> Path:
    """Copy the small parts of a finished run to where the book shows them.

    An older published run of that name goes. ``without`` names figures and tables that stay
    behind: those that show scans or single persons of a data set that may not be passed on.
    """
    source = Path(run_folder)
    record = ended_ok(source)
    kept_back = set(without)
    unknown = sorted(kept_back - {name for kind in KINDS for name in index_of(source / kind)})
    if unknown:
        raise PublishError(f"without={', '.join(unknown)}: the run has no such figure or table.")
    if not NAME.fullmatch(name):
        rule = "it must be letters, digits, '.', '_' and '-', such as hc18-quick"
        raise PublishError(f"name={name!r}: {rule}.")
    target = published_folder(record.chapter) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".publish-", dir=target.parent) as scratch:
        copy = Path(scratch) / name
        copy_exhibits(source, copy)
        for kind in KINDS:
            _leave_out(copy / kind, kept_back)
        if target.exists():
            shutil.rmtree(target)
        copy.rename(target)
    return target


def _leave_out(folder: Path, names: set[str]) -> None:
    index = index_of(folder)
    for name in names & index.keys():
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    if index:
        kept = {name: entry for name, entry in index.items() if name not in names}
        write_json(folder / "index.json", kept)
