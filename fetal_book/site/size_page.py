"""Write the page of what size buys: every network of the sources, narrow and at its published size.

Its numbers are those of the small records in ``book/published_size``, of the measured steps beside
them, and of the reference runs, whose networks are the narrow twins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fetal_book.published_size.networks import NETWORKS, RECOUNTED, SourceNetwork
from fetal_book.published_size.plan import AROUND, step_seconds
from fetal_book.published_size.record import SizeRecord
from fetal_book.runs.results import METRICS
from fetal_book.site.markdown import bullets, table
from fetal_book.site.shown_runs import with_ends
from fetal_book.site.size_cost import cost_table
from fetal_book.site.size_measures import measure_tables
from fetal_book.site.size_pairs import pair_table
from fetal_book.site.size_pictures import curves_picture, size_picture
from fetal_book.site.sizes import Point, Sizes, read_all, score_of, with_columns
from fetal_lib.files.atomic import write_text

TITLES = (
    "Network",
    "Published",
    "Largest run here (h: processor hours)",
    "Score",
    "ms an image",
    "Reference run",
    "Source",
)
STEP_TITLES = ("Network", "Small", "Middle", "Large", "The source's recipe")
SAME_COUNT = 0.01
"""Share by which a count may differ: grey images have smaller first kernels."""
PRECISIONS = ("float32", "bfloat16")


def write_sizes(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/sizes.md`` with its pictures."""
    found = read_all(root, chapters)
    generated = root / "book" / "generated"
    parts = [size_picture(generated, found), picks(found.points), run_table(found, chapters)]
    claims = {name: number for name, (_, number) in found.claims.items()}
    parts.append(measure_tables(found.records))
    parts.append(pair_table(found.records, claims))
    parts += [curves_picture(generated, found), step_table(found), machines(found)]
    hours = {name: recipe_hours(found, name) for name in NETWORKS}
    parts.append(cost_table({name: one for name, one in hours.items() if one}))
    write_text(generated / "sizes.md", "\n".join(part for part in parts if part))


def run_table(found: Sizes, chapters: list[str]) -> str:
    """Write a row a network: published, run, scored, its twin, its source; link these chapters."""
    twins = {point.name: point for point in found.points if point.narrow}
    rows = []
    for name, network in NETWORKS.items():
        record = found.records.get(name)
        chapter = network.chapter[:2]
        if network.chapter in chapters:
            chapter = f"[{chapter}](notebooks/{network.chapter})"
        twin = twins.get(name)
        rows.append(
            [
                f"{network.title} ({chapter})",
                f"{network.counted:,}, {side_text(network, network.side)}, {network.epochs} epochs",
                run_text(network, record, found),
                score_text(network, record),
                f"{record.inference_ms:,.0f}" if record and record.inference_ms else "–",
                f"{twin.counted:,}, {side_text(network, twin.side)}: {with_ends(twin.score)}"
                if twin
                else "–",
                found.claims.get(name, ("–", None))[0].replace("|", "\\|"),
            ]
        )
    return table(TITLES, rows, "Every network of the sources at its published size.")


def side_text(network: SourceNetwork, side: int) -> str:
    """Write the size of an image or a volume."""
    return f"{side}³" if network.chapter.startswith("05") else f"{side} px"


def run_text(network: SourceNetwork, record: SizeRecord | None, found: Sizes) -> str:
    """Say how far a network was trained, or what the training that is planned would take."""
    if record is None:
        return "a step was measured, see the next table"
    if not record.curve:
        hours = projected_hours(found, record, record.side, record.epochs)
        told = f", about {hours:,.2g} h" if hours else ""
        size = f"{side_text(network, record.side)}, {record.epochs} epochs"
        return f"not yet: {size}{told}"
    spent = record.processor_hours
    told = f"{side_text(network, record.side)}, {record.done} of {record.epochs} epochs"
    less = "" if record.epochs == network.epochs else f" (the source {network.epochs})"
    other = abs(record.counted / network.counted - 1) > SAME_COUNT if record.counted else False
    counted = f", {record.counted:,} parameters" if other else ""
    return f"{told}{less}, {record.precision}, {spent:.2g} h{counted}"


def score_text(network: SourceNetwork, record: SizeRecord | None) -> str:
    """Write a network's score with its interval, or how far it is from one."""
    score = score_of(record, network) if record else None
    if score is not None:
        more = "".join(
            f"; {row['model'].replace('_', ' ')}: {row['metric']} {with_ends(with_columns(row))}"
            for row in told_beside(record, score)
        )
        return f"{network.metric} {with_ends(score)}, n {score['n']:,}{more}"
    if record is None or not record.curve:
        return "–"
    last = record.curve[-1]
    return f"not scored yet; {network.watched} {last[network.watched]:.3g} on the validation part"


def told_beside(record: SizeRecord, score: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows that stand behind a network's score: millimetres of its masks, of a network
    of rings what its pixels are worth and what it finds above another threshold, and what one with
    dropout finds when its batch statistics are counted anew."""
    told = {"rmse_mm"}
    if NETWORKS[record.network].rings:
        told |= {"accuracy", score["metric"]}
    shown = (score["model"], score["metric"])
    again = (score["model"] + RECOUNTED, score["metric"], score["data"])
    return [
        row
        for row in record.scores
        if (row["metric"] in told and (row["model"], row["metric"]) != shown)
        or (row["model"], row["metric"], row["data"]) == again
    ]


def step_table(found: Sizes) -> str:
    """Write what a training step takes, and what the source's recipe would."""
    rows = []
    for name, network in NETWORKS.items():
        mine = [row for row in found.steps if row["network"] == name]
        if mine:
            cells = [step_text(mine, network, side) for side in network.sides]
            cells += ["–"] * (3 - len(cells))
            rows.append([network.title, *cells, recipe_text(found, name)])
    words = (
        "Seconds an image of one training step at the published width, in 32-bit floats → in 16-bit"
        " brain floats, and processor hours of the source's size and epochs on the chapter's data."
    )
    return table(STEP_TITLES, rows, words) if rows else ""


def step_text(rows: list[dict[str, str]], network: SourceNetwork, side: int) -> str:
    """Write the seconds of a step at one size, in both precisions where both were measured."""
    newest = {row["precision"]: row for row in rows if int(row["side"]) == side}
    if not newest:
        return "–"
    times = [float(newest[p]["seconds_per_image"]) for p in PRECISIONS if p in newest]
    return f"{side_text(network, side)}: {' → '.join(f'{t:.3g}' for t in times)} s"


def recipe_text(found: Sizes, name: str) -> str:
    """Say how many processor hours the source's size and epochs would take here."""
    network, record, hours = NETWORKS[name], found.records.get(name), recipe_hours(found, name)
    if hours is None:
        return "–"
    return f"{hours:,.2g} processor hours, {record.n_train:,} images × {network.epochs} epochs"


def recipe_hours(found: Sizes, name: str) -> float | None:
    """Return processor hours of the source's recipe; None where there is no record or step."""
    network, record = NETWORKS[name], found.records.get(name)
    return projected_hours(found, record, network.side, network.epochs) if record else None


def projected_hours(found: Sizes, record: SizeRecord, side: int, epochs: int) -> float | None:
    """Return processor hours of a training by its measured step; None where none was measured."""
    step = step_seconds(found.steps, record.network, side, record.precision)
    return None if step is None else step[1] * AROUND * record.n_train * epochs / 3600


def picks(points: list[Point]) -> str:
    """Name, for each measure, the smallest network that no larger one beats beyond its interval."""
    lines = []
    for metric in dict.fromkeys(NETWORKS[point.name].metric for point in points):
        some = [point for point in points if NETWORKS[point.name].metric == metric]
        for chapter in dict.fromkeys(NETWORKS[point.name].chapter for point in some):
            group = [point for point in some if NETWORKS[point.name].chapter == chapter]
            if len(group) > 1:
                lines.append(pick_text(metric, chapter, group))
    if not lines:
        return ""
    return f"## What to take on a laptop\n\n{bullets(lines)}"


def pick_text(metric: str, chapter: str, group: list[Point]) -> str:
    """Say which network of a chapter to take."""
    higher = METRICS[metric].higher_is_better
    best = (max if higher else min)(group, key=lambda point: point.score["value"])

    def level(point: Point) -> bool:
        end = point.score["ci95_high" if higher else "ci95_low"]
        return (end >= best.score["value"]) if higher else (end <= best.score["value"])

    small = min((p for p in group if p is best or level(p)), key=lambda point: point.counted)
    told = f"Chapter {chapter[:2]}, {metric}: **{point_text(small)}**"
    if small is best:
        return f"{told} is the best of the {len(group)} that were run, and none smaller is level."
    return f"{told} is level with the best of the {len(group)} that were run, {point_text(best)}."


def point_text(point: Point) -> str:
    """Name a network at a size with its score."""
    network = NETWORKS[point.name]
    size = "narrow" if point.counted < 0.9 * network.counted else "at its published width"
    title = f"{network.title} {size}, {point.counted:,} parameters, "
    return f"{title}{side_text(network, point.side)}: {with_ends(point.score)}"


def machines(found: Sizes) -> str:
    """Say on which processors and cards the records were made."""
    rows = [sitting for record in found.records.values() for sitting in record.sittings]
    kinds = sorted({f"{row['cores']} core(s) of {row['processor']}" for row in rows})
    cards = sorted({row["gpu"] for row in rows if row["gpu"]})
    if not rows:
        return ""
    on_cards = f"; cards: {', '.join(cards)}" if cards else "; no graphics card"
    return f"Trained in {len(rows)} sittings on {', '.join(kinds)}{on_cards}.\n"
