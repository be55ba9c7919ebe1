"""The main scores of a run beside its baselines, as the end of a run prints them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_book.parameters.chapters import Chapter
from fetal_book.runs.published import score_text
from fetal_book.runs.results import METRICS, read_results

MOST_METRICS = 2
SHOWN = {"test": "held-out cases of", "external": "cases of another source,"}
ARROWS = {True: "higher is better", False: "lower is better", None: "neither is better"}


def main_scores(chapter: Chapter, folder: Path) -> list[tuple[str, list[list[str]]]]:
    """Return the tables of a finished run: what was scored on, and rows of text with a head.

    Which metrics, baselines and models those are stands in `fetal_book.parameters.chapters`; a
    chapter that names none shows the first metrics that it has, of all its models. A name with a
    comma is a variant of a model or a part of the data, and is left out.
    """
    whole = (row for row in read_results(folder) if "," not in row["model"] + row["data"])
    rows = [row for row in whole if row["split"] in SHOWN]
    metrics = chapter.metrics or _first_metrics(rows)
    tables = []
    for split, data in sorted({(row["split"], row["data"]) for row in rows}, reverse=True):
        part = [row for row in rows if (row["split"], row["data"]) == (split, data)]
        lines = _lines(chapter, [row for row in part if row["metric"] in metrics], metrics)
        if lines:
            tables.append((f"{SHOWN[split]} {data}", [["", *metrics, "n"], *lines]))
    return tables


def metric_words(name: str) -> str:
    """Say what a metric is.

    >>> metric_words("adf_mm")
    'adf_mm: absolute difference of the sizes, lower is better'
    """
    return f"{name}: {METRICS[name].description}, {ARROWS[METRICS[name].higher_is_better]}"


def _first_metrics(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    found = {row["metric"] for row in rows if row["higher_is_better"] is not None}
    timed = (name for name in METRICS if name in found and not METRICS[name].timing)
    return tuple(timed)[:MOST_METRICS]


def _lines(
    chapter: Chapter, rows: list[dict[str, Any]], metrics: tuple[str, ...]
) -> list[list[str]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["model"], {})[row["metric"]] = row
    others = (name for name in found if name not in chapter.baselines)
    models = [*(chapter.models or others), *chapter.baselines]
    return [
        [
            f"{name} (baseline)" if name in chapter.baselines else name,
            *(score_text(found[name][one]) if one in found[name] else "-" for one in metrics),
            str(next(iter(found[name].values()))["n"] or "-"),
        ]
        for name in models
        if name in found
    ]
