"""Write the page of external validation: scores on real sets that a model did not learn from.

Its numbers are those that code wrote: ``external.csv`` beside each shipped model, and the results
of the reference runs on the part ``external``.
"""

from __future__ import annotations

import csv
import math
import textwrap
from dataclasses import dataclass
from pathlib import Path

from fetal_book.runs.results import METRICS
from fetal_book.site.cards import read_cards, shipped_folder
from fetal_book.site.ladder_picture import LOOKS, NAME_WIDTH, draw_score, measure_words
from fetal_book.site.markdown import table
from fetal_book.site.shown_runs import (
    ShownRun,
    count_text,
    data_text,
    shown_runs,
    value_text,
    with_ends,
)
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.plots.style import tidy

PICTURE = "external.png"
ERRORS = ("adf_mm", "mae_days", "mae_years", "macro_f1", "dice")
"""What stands for a model, the first that it has."""
TITLES = ("Model", "Learnt from → scored on", "n (declined)", "Error or score", "Coverage")
MATRIX, CHAPTERS_OWN = "adf_mm", "network of chapter 04"
TAUGHT = "unet_heads_of_"
"""Begins the names of one U-Net by where it learnt, in a run that joins two hospitals."""
ALT = (
    "A row a model and set: an open diamond for the score elsewhere, a dot for that on held-out"
    " cases of its own data where a run has one, each with its interval. The table has the numbers."
)
CAPTION = (
    "Scores on sets that a model did not learn from (diamond), beside those on held-out cases of "
    "the data that it learnt from (dot); bars are 95 % intervals."
)


@dataclass(frozen=True)
class Elsewhere:
    """Hold what a model scored on a set that it did not learn from.

    Attributes
    ----------
    score : with ``value, ci95_low, ci95_high, unit, n``, as a row of results.
    own : the same on held-out cases of its own data; None where it is not known.
    link : to the run or card.
    """

    model: str
    learnt_from: str
    data: str
    metric: str
    score: dict
    own: dict | None
    declined: str
    coverage: str
    link: str


def write_external(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/external.md`` with its picture."""
    runs = shown_runs(root, chapters)
    found, missing = shipped(root)
    told = {_number(one) for one in found}
    parts = {
        name: what for text in read_cards(root / "book").models for name, what in text.parts.items()
    }
    in_runs = [one for run in runs for one in of_run(run, parts)]
    found += [  # a run that scores a shipped model tells the same number again
        one for one in in_runs if _number(one) not in told
    ]
    generated = root / "book" / "generated"
    if not found:
        write_text(generated / "external.md", "No model in this book was scored elsewhere yet.\n")
        return
    _save(found, generated / PICTURE)
    rows = [
        [
            f"{one.model}, {one.link}",
            f"{one.learnt_from} → {one.data}",
            f"{count_text(one.score['n'])} ({one.declined})",
            f"`{one.metric}` {with_ends(one.score)}",
            one.coverage,
        ]
        for one in found
    ]
    lines = [f"```{{figure}} generated/{PICTURE}", ":name: fig-external", f":alt: {ALT}"]
    parts = ["\n".join([*lines, "", CAPTION, "```\n"])]
    parts.append(table(TITLES, rows, "Models on sets that they did not learn from."))
    parts += [matrix(found, runs), without(missing)]
    write_text(generated / "external.md", "\n".join(part for part in parts if part))


def shipped(root: Path) -> tuple[list[Elsewhere], dict[str, str]]:
    """Return what shipped models scored elsewhere; of the others titles, and why they did not."""
    found, missing = [], {}
    for text in read_cards(root / "book").models:
        folder = shipped_folder(root, text)
        spec = read_json(folder / "model.json")
        if spec is None:
            continue
        rows = _csv(folder / "external.csv")
        for row in rows:
            share = int(row["declined"]) / int(row["n"])
            coverage = float(row["coverage"] or "nan")
            covered = {"value": coverage, "unit": ""} | _ends(row, "coverage_")
            promise = f"{with_ends(covered)}, promised {row['promised']}"
            found.append(
                Elsewhere(
                    model=text.title,
                    learnt_from=spec.get("trained_on", "unknown"),
                    data=f"**{row['data']}**: {row['what']}",
                    metric=row["metric"],
                    score=_score(row),
                    own=None,
                    declined=f"{share:.1%}",
                    coverage=promise if not math.isnan(covered["value"]) else "–",
                    link="[card](methods/model_cards.md)",
                )
            )
        if not rows:
            missing[text.title] = text.elsewhere or "no set was scored yet"
    return found, missing


def of_run(run: ShownRun, parts: dict[str, str]) -> list[Elsewhere]:
    """Return what the models of a reference run scored on real sets or templates elsewhere.

    ``parts`` tells what those models learnt from that the run did not train.
    """
    found = []
    rows = [row for row in run.rows if row["split"] == "external" and run.kept]
    rows = [row for row in rows if run.group_of(row) != "phantom" and row["metric"] in ERRORS]
    for row in rows:
        words = data_text(row, run)
        covered = run.find(row["model"], "coverage", "external")
        told = with_ends(covered) if covered else "–"
        found.append(
            Elsewhere(
                model=row["model"].replace("_", " "),
                learnt_from=parts.get(row["model"], run.data_words),
                data=words,
                metric=row["metric"],
                score=row,
                own=run.find(row["model"], row["metric"], "test"),
                declined="–",
                coverage=told,
                link=run.link,
            )
        )
    return found


def matrix(found: list[Elsewhere], runs: list[ShownRun]) -> str:
    """Write models, by what they learnt from, against test data for heads; empty without it.

    A shipped model and the network of a chapter are two models, also where both learnt from a set.
    One U-Net of chapter 03 learnt from one hospital, the other or both, in equally many steps.
    """
    cells: dict[str, dict[str, str]] = {}
    for one in found:
        if one.metric == MATRIX:
            name = one.data.partition(":")[0].strip("*")
            kind = f"{one.learnt_from.lower()}, {'shipped' if one.own is None else CHAPTERS_OWN}"
            cells.setdefault(kind, {})[name] = _cell(one.score)
    for run in runs:
        row = (
            run.find("unet", MATRIX, "test") if run.kept and run.chapter.startswith("04") else None
        )
        if row is not None:
            kind = f"{run.data_words}, {CHAPTERS_OWN}"
            cells.setdefault(kind, {})[run.data_words] = _cell(row)
        for row in run.rows if run.kept else ():
            taught = row["model"].removeprefix(TAUGHT)
            if taught != row["model"] and row["metric"] == MATRIX:
                kind = f"{taught}, U-Net of chapter 03"
                cells.setdefault(kind, {})[row["data"]] = _cell(row)
    tested = list(dict.fromkeys(name for row in cells.values() for name in row))
    if len(tested) < 2:
        return ""
    rows = [
        [f"**{data}**", *(row.get(name, "–") for name in tested)] for data, row in cells.items()
    ]
    titles = ["Learnt from, scored on →", *tested]
    head = "## Where it learnt against where it is asked\n"
    return f"{head}\n{table(titles, rows, 'Head circumference: mean absolute difference.')}"


def without(missing: dict[str, str]) -> str:
    """Name the shipped models that no code has scored elsewhere, and why."""
    if not missing:
        return ""
    listed = "".join(f"- {title}: {why.rstrip('.')}.\n" for title, why in missing.items())
    return (
        "## Not scored elsewhere\n\nOf these shipped models there is no number on a set that they "
        f"did not learn from; their cards have what was held out:\n\n{listed}"
    )


def _number(one: Elsewhere) -> tuple[str, str, int]:
    """Return what a reader takes for the same number: metric, value as printed, n."""
    return one.metric, value_text(one.score), int(one.score["n"])


def _csv(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _ends(row: dict[str, str], before: str = "") -> dict[str, float]:
    return {f"ci95_{end}": float(row[f"{before}{end}"] or "nan") for end in ("low", "high")}


def _score(row: dict[str, str]) -> dict:
    unit = METRICS[row["metric"]].unit
    return {"value": float(row["value"]), "unit": unit, "n": int(row["n"])} | _ends(row)


def _cell(score: dict) -> str:
    return f"{with_ends(score)}, n {count_text(score['n'])}"


def _save(found: list[Elsewhere], path: Path) -> None:
    import matplotlib.pyplot as plt

    metrics = [one for one in ERRORS if any(row.metric == one for row in found)]
    groups = [[row for row in found if row.metric == one] for one in metrics]
    heights = [0.7 + 0.5 * len(rows) for rows in groups]
    figure, grid = plt.subplots(
        len(groups),
        figsize=(7.2, 0.5 + sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    elsewhere, home = LOOKS.values()
    for axes, metric, rows in zip(grid[:, 0], metrics, groups, strict=True):
        for y, one in enumerate(rows):
            draw_score(axes, y - 0.12, one.score, elsewhere)
            if one.own is not None:
                draw_score(axes, y + 0.12, one.own, home)
        names = [
            f"{textwrap.fill(one.model, NAME_WIDTH)}\non {one.data.partition(':')[0]}"
            for one in rows
        ]
        names = [name.replace("**", "") for name in names]
        axes.set_yticks(range(len(rows)), names, size=7)
        axes.set(
            ylim=(len(rows) - 0.5, -0.5), xlim=(0, 1 if metric in ("dice", "macro_f1") else None)
        )
        axes.set_xlabel(measure_words(metric), size=7)
        tidy(axes).grid(axis="y", visible=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=180)
    plt.close(figure)
