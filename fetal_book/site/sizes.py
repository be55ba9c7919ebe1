"""What is known of the sources' networks at their sizes: records, steps, twins, claims."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetal_book.published_size.networks import NETWORKS, SourceNetwork
from fetal_book.published_size.record import FOLDER, SizeRecord, read_sizes
from fetal_book.published_size.steps import read_steps
from fetal_book.site.claims import read_sources
from fetal_book.site.shown_runs import ShownRun, shown_runs

NUMBER = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Point:
    """Hold one network at one size that was run and scored.

    Attributes
    ----------
    name : of the network.
    narrow : it is the twin of a reference run, not the published width.
    counted : parameters.
    side : pixels or voxels.
    score : row of results, with ``value, ci95_low, ci95_high``.
    processor_s, inference_ms : of training and of one answer; None where not known.
    """

    name: str
    narrow: bool
    counted: int
    side: int
    score: dict[str, Any]
    processor_s: float | None
    inference_ms: float | None


@dataclass(frozen=True)
class Sizes:
    """Hold all that the page is made of."""

    records: dict[str, SizeRecord]
    steps: list[dict[str, str]]
    points: list[Point]
    claims: dict[str, tuple[str, float | None]]  # network: words of its source, its number


def read_all(root: Path, chapters: list[str]) -> Sizes:
    """Gather records, steps, the twins of the reference runs, and what the sources say."""
    folder = root / FOLDER
    records = read_sizes(folder)
    runs = [run for run in shown_runs(root, chapters) if run.kept]
    points = [point for name in NETWORKS if (point := twin_of(name, runs))]
    points += [point for one in records.values() if (point := point_of(one))]
    claims = {}
    for source in read_sources(root / "book"):
        for claim in source.claims:
            for name, network in NETWORKS.items():
                metrics = [row.metric for row in claim.ours if row.model == network.twin]
                if network.chapter != source.chapter or not metrics or name in claims:
                    continue
                told = next((t for t in (claim.reported, claim.found) if NUMBER.search(t)), "")
                if told and network.twin:
                    number = float(NUMBER.search(told)[0])
                    same = network.metric in metrics and _is(network.metric, claim.measure)
                    claims[name] = (f"{claim.measure}: {told}", number if same else None)
    return Sizes(records, read_steps(folder), points, claims)


def _is(metric: str, measure: str) -> bool:
    """Say whether a claim's words are of a metric: a pixel accuracy is no Dice.

    >>> _is("dice", "Dice of UNeXt"), _is("dice", "Pixel accuracy of the outline")
    (True, False)
    """
    words = {"dice": "Dice", "mae_days": "absolute error", "mae_years": "absolute error"}
    return words.get(metric, "nothing") in measure


def point_of(record: SizeRecord) -> Point | None:
    """Return a network at its published size; None while it is not scored."""
    network = NETWORKS[record.network]
    score = score_of(record, network)
    if score is None or network.variant_of:
        return None
    spent = record.curve[-1]["processor_s"]
    known = (record.counted, record.side, score, spent, record.inference_ms)
    return Point(record.network, False, *known)


def score_of(record: SizeRecord, network: SourceNetwork) -> dict[str, Any] | None:
    """Return the row that stands for a network: of three tissues' Dice, that of its twin's row."""
    rows = [row for row in record.scores if row["metric"] == network.metric]
    rows = [row for row in rows if row["model"] == network.twin_score] or rows
    row = next((row for row in rows if row["model"] != "finds_nothing"), None)
    return None if row is None else with_columns(row)


def with_columns(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a record with its interval as runs' tables have it, in two columns."""
    low, high = row["ci95"] or (float("nan"),) * 2
    return row | {"ci95_low": low, "ci95_high": high}


def twin_of(name: str, runs: list[ShownRun]) -> Point | None:
    """Return a network's narrow twin from a reference run on the same data; None without one."""
    network = NETWORKS[name]
    for run in runs:
        if run.chapter != network.chapter or run.data != network.data or not network.twin:
            continue
        score = run.find(network.twin_score or network.twin, network.metric, "test")
        counted = run.find(network.twin, "params", "all")
        side = run.record["parameters"].get(network.side_field, {}).get("value")
        if score and counted and side:
            seconds = run.find(network.twin, "train_s", "train")
            speed = run.find(network.twin, "images_per_s", "all")
            cores = run.record.get("hardware", {}).get("cores", 1)
            spent = seconds["value"] * cores if seconds else None
            ms = 1000 / speed["value"] if speed else None
            return Point(name, True, int(counted["value"]), int(side), score, spent, ms)
    return None
