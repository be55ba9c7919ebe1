"""Write what `make bench` measured: a row a measurement, its last runs beside each other.

The lines are those that the measurements wrote into ``book/speed.jsonl``.
"""

from __future__ import annotations

import json
from pathlib import Path

from fetal_book.site.markdown import cell, table
from fetal_lib.files.atomic import write_text

SOURCE = "book/speed.jsonl"
SHOWN = 4
"""Runs of the bench that have a column."""
NOTHING = "Nothing was measured yet: `make bench` fills this table.\n"
WORDS = "What make bench measured, and what it holds it to; the newest run first."
Run = tuple[str, str, str, int]
"""Date, commit, processor and cores."""


def write_speed(root: Path) -> None:
    """Write ``book/generated/speed.md``."""
    runs = read_bench(root / SOURCE)
    newest = list(runs)[::-1][:SHOWN]
    rows: dict[tuple[str, str], list[str]] = {}
    for place, run in enumerate(newest):
        for line in runs[run].values():
            what = (cell(line["what"]), f"{line['promise']} {line['unit']}".strip())
            values = rows.setdefault(what, ["–"] * len(newest))
            values[place] = f"{line['value']:g}"
    titles = ["Measured", "Held to", *(f"{date}, {commit}" for date, commit, *_ in newest)]
    text = table(titles, [(*what, *values) for what, values in rows.items()], WORDS)
    machines = dict.fromkeys(f"{cpu}, {cores} cores" for _, _, cpu, cores in newest)
    text += f"\nMeasured on {' and on '.join(machines)}.\n"
    write_text(root / "book" / "generated" / "speed.md", text if runs else NOTHING)


def read_bench(path: Path) -> dict[Run, dict[str, dict]]:
    """Return the last line of each measurement, by run, in the order of the file."""
    runs: dict[Run, dict[str, dict]] = {}
    text = path.read_text("utf-8") if path.is_file() else ""
    for line in map(json.loads, filter(None, text.splitlines())):
        run = (line["date"], line["commit"], line["cpu"], line["cores"])
        runs.setdefault(run, {})[line["what"]] = line
    return runs
