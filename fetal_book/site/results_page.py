"""Write the page of all numbers: for each run what it was, and its results metric by metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.runs.again import again_notes, command_again
from fetal_book.runs.record import RunRecord
from fetal_book.runs.results import METRICS, results_table
from fetal_book.site.markdown import cell, table
from fetal_book.site.shown_runs import (
    ShownRun,
    count_text,
    data_text,
    interval_text,
    shown_runs,
    value_text,
)
from fetal_lib.data.kinds import atlases
from fetal_lib.files.atomic import write_text

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
COLUMNS = 4
"""Measures beside each other, so that a table fits a page."""
ARROWS = {True: " ↑", False: " ↓"}


def write_results(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/results.csv`` and ``book/generated/results.md``."""
    import pandas as pd

    runs = shown_runs(root, chapters)
    generated = root / "book" / "generated"
    generated.mkdir(parents=True, exist_ok=True)
    results = pd.concat([run.table for run in runs]) if runs else results_table([])
    results.to_csv(generated / "results.csv", index=False, lineterminator="\n")
    sections = [run_section(run, chapters) for run in runs] or ["No chapter has been run yet.\n"]
    write_text(generated / "results.md", "\n".join(sections))


def run_section(run: ShownRun, chapters: list[str]) -> str:
    """Write one run's part of the page: heading, where its numbers come from, and its tables.

    Each split and each data set has a table of its own, so that real data and phantoms are never
    mixed.
    """
    found = run.table
    parts = [f"({run.label})=", f"## {heading(run)}\n", provenance(run, chapters)]
    for split, words in SPLIT_WORDS.items():
        if split in HIDDEN_SPLITS:
            continue
        rows = found[(found["split"] == split) & ~variants(found)]
        for _, group in rows.groupby("data", sort=True):
            data = data_text(group.iloc[0], run, mark="")
            caption = f"{words}, {data}: run {run.name} of chapter {run.number}."
            written = split_table(group, run.label, caption)
            parts.append(f"````{{dropdown}} {words}: {data}\n{written}````\n")
    return "\n".join(parts)


def variants(rows: pd.DataFrame) -> pd.Series[bool]:
    """Say which rows are of a variant of a model or a part of a set: their names have a comma.

    They are in ``results.csv`` and in the run's own results, not on the page.
    """
    return (rows["model"] + rows["data"]).str.contains(",", regex=False)


def heading(run: ShownRun) -> str:
    """Name a run: chapter number, title, data, and the run's own name."""
    title = run.record.get("title") or run.chapter.partition("_")[2]
    return f"{run.number} {title}, on {run.data_words}: run {run.name}"


def provenance(run: ShownRun, chapters: list[str]) -> str:
    """Say which run the numbers below come from, with its record and results to download."""
    record, made = run.record, RunRecord.model_validate(run.record)
    code = record.get("code", {})
    commit = f"`{code['commit'][:10]}`" if code.get("commit") else "no commit"
    page = f"[chapter {run.number}](notebooks/{run.chapter})"
    where = "kept with the book as a reference run" if run.kept else f"shown by {page}"
    if run.kept and run.chapter in chapters:
        where += f", see {page}"
    hardware = record.get("hardware") or {}
    facts = {
        "Data": about_data(run),
        "Where": where,
        "Profile, seed": f"`{run.profile}`, {record.get('seeds', {}).get('seed', 'unknown')}",
        "Makes it again": cell(" ".join([f"`{command_again(made)}`", *again_notes(made)])),
        "Code": commit + (", with changes that are not committed" if code.get("dirty") else ""),
        "Finished": str(record.get("finished") or "unknown")[:10],
        "Machine": hardware.get("gpu")
        or f"{hardware.get('cpu', 'unknown')}, {cores_text(hardware.get('cores'))}",
        "Files": f"{{download}}`record.json <{run.place}/record.json>`, "
        f"{{download}}`results.json <{run.place}/results.json>`",
    }
    return table(["", ""], [(f"**{name}**", value) for name, value in facts.items()])


def about_data(run: ShownRun) -> str:
    """Say what the data of a run are, and of which atlas where they are made of one."""
    if run.phantom:
        return "phantoms, made up by this project"
    if run.group != "atlas":
        return run.data_words
    title = atlases().get(run.data)
    words = f"{run.data_words} ({title})" if title else run.data_words
    return f"{words}: they share a few templates, so that folds flatter; none of them is a person"


def split_table(rows: pd.DataFrame, label: str = "", caption: str = "") -> str:
    """Write a split as tables of a few measures each, a row a model; values lead to the label.

    The best by the first measure of a table stands first. A count beside a value is of the cases
    that it rests on, where they are fewer than those of the model's row.
    """
    known = [name for name in METRICS if name in set(rows["metric"])]
    parts = []
    for start in range(0, len(known), COLUMNS):
        metrics = known[start : start + COLUMNS]
        better = METRICS[metrics[0]].higher_is_better
        own = rows[rows["metric"].isin(metrics)]
        order = own[own["metric"] == metrics[0]]
        if better is not None:
            order = order.sort_values("value", ascending=not better, kind="stable")
        models = dict.fromkeys([*order["model"], *own["model"]])
        lines = [_model_line(own[own["model"] == name], metrics, label) for name in models]
        more = f"{caption.rstrip('.')}, continued." if start and caption else caption
        parts.append(table(["Model", *map(_title, metrics), "n"], lines, more))
    return "\n".join(parts)


def _title(metric: str) -> str:
    known = METRICS[metric]
    unit = f", {known.unit}" if known.unit else ""
    return f"`{metric}`{unit}{ARROWS.get(known.higher_is_better, '')}"


def _model_line(rows: pd.DataFrame, metrics: list[str], label: str) -> list[str]:
    found = {row["metric"]: row for row in rows.to_dict("records")}
    n = rows["n"].max()
    cells = [_value(found[one], label, n) if one in found else "" for one in metrics]
    return [str(rows["model"].iloc[0]).replace("_", " "), *cells, count_text(n)]


def _value(row: dict[str, Any], label: str, n: float) -> str:
    value, interval = value_text(row | {"unit": ""}), interval_text(row)
    value = f"{{ref}}`{value} <{label}>`" if label else value
    more = [] if interval == "–" else [interval]
    more += [f"n {count_text(row['n'])}"] if row["n"] == row["n"] and row["n"] < n else []
    return f"{value} ({', '.join(more)})" if more else value


def cores_text(cores: int | None) -> str:
    """Count the processor cores of a machine.

    Examples
    --------
    >>> cores_text(1), cores_text(2), cores_text(None)
    ('1 core', '2 cores', 'unknown cores')
    """
    return f"{cores or 'unknown'} core{'' if cores == 1 else 's'}"
