"""Write all measures of the networks at their published size, where several have the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fetal_book.published_size.networks import NETWORKS
from fetal_book.published_size.record import SizeRecord
from fetal_book.runs.results import METRICS
from fetal_book.site.markdown import table
from fetal_book.site.shown_runs import with_ends
from fetal_book.site.sizes import score_of, with_columns

Scores = dict[str, dict[str, Any]]
"""Rows of results by measure."""


def measure_tables(records: Mapping[str, SizeRecord]) -> str:
    """Write, for each chapter and data set, a row a measure and a column a network; empty without
    two of them.

    Networks are told together that stand by the same measure; one that has none of a length, as it
    found nothing, has a dash there. Networks that learnt rings have no table.
    """
    same: dict[tuple[str, ...], list[tuple[SizeRecord, Scores]]] = {}
    for name, network in NETWORKS.items():
        if name in records and (scores := own_scores(records[name])):
            key = (records[name].chapter, records[name].data, network.metric)
            same.setdefault(key, []).append((records[name], scores))
    return "\n".join(_table(*key, some) for key, some in same.items() if len(some) > 1)


def own_scores(record: SizeRecord) -> Scores:
    """Return the scores of a network itself by measure, in the columns of runs' tables.

    Those of a structure alone stand last, by measure and structure: ``dice, femur``.
    """
    network = NETWORKS[record.network]
    score = score_of(record, network)
    if score is None or network.rings:
        return {}
    order = list(METRICS)
    found = {}
    for row in record.scores:
        if row["model"] == score["model"]:
            structure = row["data"].removeprefix(score["data"])
            found[bool(structure), order.index(row["metric"]), structure] = with_columns(row)
    return {f"{order[at]}{of}": found[more, at, of] for more, at, of in sorted(found)}


def _table(chapter: str, data: str, metric: str, group: list[tuple[SizeRecord, Scores]]) -> str:
    records, scores = zip(*group, strict=True)
    measures = list(dict.fromkeys(one for mine in sorted(scores, key=len)[::-1] for one in mine))
    rows = [
        [one, *(with_ends(mine[one]) if one in mine else "–" for mine in scores)]
        for one in measures
    ]
    rows.append(["test images", *(f"{mine[metric]['n']:,}" for mine in scores)])
    rows.append(["processor hours", *(f"{record.processor_hours:.2g}" for record in records)])
    energies = [energy_wh(record) for record in records]
    if any(energy is not None for energy in energies):
        rows.append(["energy, Wh", *("–" if e is None else f"{e:,.3g}" for e in energies)])
    titles = ("Measure", *(NETWORKS[record.network].title for record in records))
    told = "; ".join(f"{one}, {METRICS[one].description}" for one in measures if one in METRICS)
    words = f"All measures of chapter {chapter[:2]}'s networks at the published width on {data}: "
    words += f"{told}."
    return table(titles, rows, words)


def energy_wh(record: SizeRecord) -> float | None:
    """Return the energy of all sittings; None where the machine of one did not tell it."""
    told = [sitting.get("energy_wh") for sitting in record.sittings if sitting["epochs"]]
    return sum(told) if told and None not in told else None
