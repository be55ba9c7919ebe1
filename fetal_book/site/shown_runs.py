"""The runs that the book shows: their data, their rows, how a number is written, where it leads.

What the data of a run are stands in its table ``data_sets`` (``data, part, kind``). For a run that
has none, the name of the data tells.
"""

from __future__ import annotations

import csv
import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.runs.results import results_table
from fetal_book.runs.session import FLAWS
from fetal_book.site.jobs import published_results, run_folder
from fetal_lib.data.kinds import PHANTOM, data_words, kind_by_name
from fetal_lib.files.atomic import read_json
from fetal_lib.metrics.intervals import interval_words

if TYPE_CHECKING:
    import pandas as pd

ATLAS = ("blend", "template")
ELSEWHERE = ("external",)
"""Figures of data that a run did not learn from, beside its own."""
GROUPS = {
    "real": "real data",
    PHANTOM: "phantoms",
    "atlas": "blends of atlas templates",
}
"""What is never put together, with its words on the pages."""


class ShownRun:
    """Hold a run that a page shows, or a reference run that is kept with the book.

    Parameters
    ----------
    root : Path
        The project.
    folder : Path
        Of a finished run, with its record and results.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        self.record: dict[str, Any] = read_json(folder / "record.json") or {}
        self.chapter: str = self.record.get("chapter", "")
        self.data: str = self.record.get("data") or "unknown data"
        self.profile: str = self.record.get("profile", "unknown")
        self.kept = folder.is_relative_to(root / "book" / "published")
        own = f"{self.profile}-{self.data}"
        self.name: str = folder.name if self.kept else own
        place = folder.relative_to(root / "book") if self.kept else Path("runs", self.chapter)
        self.place: str = place.as_posix()
        """Folder of its record, figures and tables on the site, below the book's root."""

    @property
    def number(self) -> str:
        """Number of the chapter, such as 04."""
        return self.chapter.partition("_")[0]

    @property
    def phantom(self) -> bool:
        """Tell whether its models learnt from phantoms."""
        return self.data == PHANTOM

    @property
    def group(self) -> str:
        """Group of its own data, one of ``GROUPS``."""
        return group_of(data_kind(self.folder, self.data))

    def setting(self, name: str) -> Any:
        """Return the value of a parameter of its chapter; None where its record has none."""
        return (self.record.get("parameters") or {}).get(name, {}).get("value")

    @property
    def data_words(self) -> str:
        """Name of its own data, with what it is, without marks; of both sets where it joins two."""
        also = self.setting("also")
        words = data_words(self.data, data_kind(self.folder, self.data), mark="")
        return f"{words} and {Path(also).name}" if also else words

    def group_of(self, row: dict[str, Any]) -> str:
        """Return the group of the data that a result was measured on, one of ``GROUPS``."""
        return group_of(data_kind(self.folder, row["data"], row["split"]))

    def has_figure(self, name: str) -> bool:
        """Tell whether a figure can be shown: its words and its picture are there."""
        folder = self.folder / "figures"
        known = read_json(folder / "index.json") or {}
        return name in known and (folder / f"{name}.png").is_file()

    @property
    def label(self) -> str:
        """Name of its part of the page of all numbers, for cross-references."""
        return f"run-{self.number}-{self.name}{'' if self.kept else '-shown'}".lower()

    @property
    def link(self) -> str:
        """Cross-reference to the run, which says so where its numbers prove the wiring only."""
        smoke = ", which proves the wiring only" if self.profile == "smoke" else ""
        return f"{{ref}}`run {self.name} <{self.label}>`{smoke}"

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its results, as ``results_table`` gives them; templates of an atlas have no interval.

        They are averages that share fetuses: one group, however many there are.
        """
        found = results_table([self.folder])
        keys = zip(found["data"], found["split"], strict=True)
        kinds = [data_kind(self.folder, data, split) for data, split in keys]
        shared = [kind == "template" for kind in kinds]
        found.loc[shared, ["ci95_low", "ci95_high"]] = math.nan
        return found

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of its table."""
        return self.table.to_dict("records")

    @cached_property
    def differences(self) -> dict[tuple[str, str, str], dict[str, float]]:
        """What flaws do to its scores by flawed model, honest model and metric; may be empty.

        Each has ``difference, low, high``, and ``trainings, epochs, exposed``, NaN where they are
        not known; a run that was made before runs kept them has none.
        """
        names = "difference", "low", "high", "trainings", "epochs", "exposed"
        return {
            (row["flawed"], row["honest"], row["metric"]): {
                name: float(row.get(name) or "nan") for name in names
            }
            for row in table_rows(self.folder, FLAWS)
        }

    def find(self, model: str, metric: str, split: str) -> dict[str, Any] | None:
        """Return the first row of a model, metric and split, None where the run has none."""
        wanted = {"model": model, "metric": metric, "split": split}
        return next((r for r in self.rows if all(r[k] == v for k, v in wanted.items())), None)


def table_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """Read the rows of a run's table; without the table there are none."""
    path = folder / "tables" / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def data_kind(folder: Path, data: str, split: str = "test") -> str:
    """Return ``phantom``, ``blend``, ``template`` or ``scan`` for a data set of a run's results."""
    part = "external" if split == "external" else "own"
    if not data.startswith(PHANTOM):
        for row in table_rows(folder, "data_sets"):
            if (row["data"], row["part"]) == (data, part):
                return row["kind"]
    return kind_by_name(data, split == "external")


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


def run_folders(root: Path, chapters: list[str]) -> list[Path]:
    """List the runs that the book reports: those its pages show, then the reference runs."""
    shown = [run_folder(root, chapter) for chapter in chapters]
    published = [(root / path).parent for path in published_results(root)]
    return [folder for folder in [*shown, *published] if (folder / "results.json").is_file()]


def shown_runs(root: Path, chapters: list[str]) -> list[ShownRun]:
    """Return the runs by chapter: by the order of ``GROUPS``, runs for the wiring last."""
    runs = [ShownRun(root, folder) for folder in run_folders(root, chapters)]
    order = list(GROUPS)
    return sorted(
        runs, key=lambda run: (run.chapter, run.profile == "smoke", order.index(run.group))
    )


def figure_text(run: ShownRun, figure: str, label: str, to_root: str = "", more: str = "") -> str:
    """Write a run's figure with its caption, phantoms named first; empty where it has none."""
    if not run.has_figure(figure):
        return ""
    words = read_json(run.folder / "figures" / "index.json")[figure]
    data = "Phantoms, made up." if run.phantom else f"{run.data_words}."
    if figure in ELSEWHERE:
        sets = dict.fromkeys(data_text(r, run, "") for r in run.rows if r["split"] == "external")
        data = f"{data.rstrip('.').partition(',')[0]}, beside {' and '.join(sets)}."
    caption = f"{words['caption']} {more}".strip()
    return "\n".join(
        [
            f"```{{figure}} {to_root}{run.place}/figures/{figure}.png",
            f":name: {label}",
            f":alt: {words['alt']}",
            "",
            f"**{data}** {caption} From {run.link}.",
            "```",
            "",
        ]
    )


def data_text(row: dict[str, Any], run: ShownRun, mark: str = "**") -> str:
    """Name the data of a result, so that no reader takes phantoms for people."""
    return data_words(row["data"], data_kind(run.folder, row["data"], row["split"]), mark)


def number_text(row: dict[str, Any], run: ShownRun) -> str:
    """Write one result: data, model, metric, value, interval, n."""
    model = row["model"].replace("_", " ")
    number = f"`{row['metric']}` {value_text(row)}{details_text(row)}"
    return f"{data_text(row, run)}: {model}, {number}"


def details_text(row: dict[str, Any], *more: str) -> str:
    """Write interval and count of a result in brackets, and more; nothing where it has none.

    Examples
    --------
    >>> details_text({"value": 2.14, "ci95_low": 1.83, "ci95_high": 2.49, "n": 146})
    ' (1.83 to 2.49, n 146)'
    """
    interval = interval_text(row)
    details = [] if interval == "–" else [interval]
    if row["n"] is not None and row["n"] == row["n"]:
        details.append(f"n {int(row['n']):,}")
    details += more
    return f" ({', '.join(details)})" if details else ""


def value_text(row: Any) -> str:
    """Write a value with three or four significant digits and its unit.

    Examples
    --------
    >>> value_text({"value": 0.97214, "unit": ""}), value_text({"value": 2.4912, "unit": "mm"})
    ('0.972', '2.49 mm')
    """
    return f"{row['value']:,.{decimal_places(row['value'])}f} {row['unit']}".rstrip()


def interval_text(row: Any) -> str:
    """Write an interval with as many decimals as its value; an absent one is a dash.

    Examples
    --------
    >>> interval_text({"value": 0.97214, "ci95_low": 0.9701, "ci95_high": 0.9743})
    '0.970 to 0.974'
    """
    if math.isnan(row["ci95_low"]):
        return "–"
    return interval_words(row["ci95_low"], row["ci95_high"], decimal_places(row["value"]))


def with_ends(row: Any) -> str:
    """Write a value with its interval in brackets, where it has one.

    Examples
    --------
    >>> row = {"value": -108.2, "unit": "mm", "ci95_low": -117.446, "ci95_high": -98.789}
    >>> with_ends(row), with_ends(row | {"ci95_low": float("nan")})
    ('-108 mm (-117 to -99)', '-108 mm')
    """
    interval = interval_text(row)
    return value_text(row) + (f" ({interval})" if interval != "–" else "")


def count_text(n: Any) -> str:
    """Write a count of cases; an absent one is a dash."""
    return "–" if n is None or n != n else f"{int(n):,}"


def decimal_places(value: float) -> int:
    """Choose how many decimals a value is printed with: three below one, none from a hundred on.

    Examples
    --------
    >>> [decimal_places(value) for value in (0.5, 2.49, 45.8, 746, -12.0)]
    [3, 2, 1, 0, 1]
    """
    size = abs(value)
    return next((d for bound, d in ((1, 3), (10, 2), (100, 1)) if size < bound), 0)
