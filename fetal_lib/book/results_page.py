"""Write the results page: for each run a table of its numbers, metric by metric."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.runs.results import METRICS

if TYPE_CHECKING:
    import pandas as pd

SPLIT_WORDS = {
    "test": "Held-out test cases",
    "external": "Cases of another source",
    "protocol": "As the source's own protocol would have scored",
    "val": "Validation cases",
    "train": "Training cases",
    "all": "All cases",
}
HIDDEN_SPLITS = ("train", "val")
ARROWS = {True: " ↑", False: " ↓"}


def run_folders(root: Path, chapters: list[str]) -> list[Path]:
    """List the runs that the book reports: those its pages show, then the published ones."""
    shown = [root / "runs" / "book" / chapter for chapter in chapters]
    published = sorted(
        path.parent for path in (root / "book" / "published").glob("*/*/results.json")
    )
    return [folder for folder in [*shown, *published] if (folder / "results.json").is_file()]


def write_results(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/results.csv`` and ``book/generated/results.md``."""
    from fetal_lib.runs.results import results_table

    folders = run_folders(root, chapters)
    generated = root / "book" / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    results_table(folders).to_csv(generated / "results.csv", index=False, lineterminator="\n")
    sections = [run_section(folder) for folder in folders] or ["No chapter has been run yet.\n"]
    write_text(generated / "results.md", "\n".join(sections))


def run_section(folder: Path) -> str:
    """Write one run's part of the page: a heading, where the numbers come from, and its tables.

    Parameters
    ----------
    folder : Path
        A run with its record and results.

    Returns
    -------
    str
        MyST Markdown.
    """
    from fetal_lib.runs.results import results_table

    record = read_json(folder / "record.json") or {}
    table = results_table([folder])
    parts = [f"## {heading(record)}\n", provenance(record)]
    for split, words in SPLIT_WORDS.items():
        rows = table[table["split"] == split]
        if len(rows) and split not in HIDDEN_SPLITS:
            parts.append(f"### {words}\n\n{split_table(rows)}")
    return "\n".join(parts)


def heading(record: dict[str, Any]) -> str:
    """Name a run: chapter number, title, data.

    Examples
    --------
    >>> record = {"chapter": "04_head_circumference", "title": "Heads", "data": "phantom"}
    >>> heading(record)
    '04 Heads, on phantoms'
    """
    number, _, name = record.get("chapter", "").partition("_")
    data = "phantoms" if record.get("data") == "phantom" else record.get("data", "unknown data")
    return f"{number} {record.get('title') or name}, on {data}"


def provenance(record: dict[str, Any]) -> str:
    """Say in one line which run the numbers below come from."""
    code = record.get("code", {})
    commit = f"commit `{code['commit'][:10]}`" if code.get("commit") else "no commit"
    changed = " with local changes" if code.get("dirty") else ""
    date = str(record.get("finished") or "")[:10]
    return f"Profile {record.get('profile', 'unknown')}, run of {date}, {commit}{changed}.\n"


def split_table(rows: pd.DataFrame) -> str:
    """Write the results of one split as a Markdown table, metric by metric, the best model first.

    Parameters
    ----------
    rows : DataFrame
        Rows of one split, as ``results_table`` gives them.

    Returns
    -------
    str
        One row a number, with unit, 95 % interval and count of cases.
    """
    lines = ["| Metric | Model | Value | 95 % interval | n |", "|---|---|---|---|---|"]
    for metric in [name for name in METRICS if name in set(rows["metric"])]:
        better = METRICS[metric].higher_is_better
        group = rows[rows["metric"] == metric]
        if better is not None:
            group = group.sort_values("value", ascending=not better, kind="stable")
        label = f"`{metric}`{ARROWS.get(better, '')}"
        for _, row in group.iterrows():
            cells = [label, row["model"].replace("_", " "), value_text(row), interval_text(row)]
            lines.append(f"| {' | '.join([*cells, count_text(row['n'])])} |")
            label = ""
    return "\n".join(lines) + "\n"


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
    decimals = decimal_places(row["value"])
    return f"{row['ci95_low']:,.{decimals}f} to {row['ci95_high']:,.{decimals}f}"


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
    return 3 if size < 1 else 2 if size < 10 else 1 if size < 100 else 0
