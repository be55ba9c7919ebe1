"""What all commands that predict share: files in, a row for each, a CSV out.

One bad file becomes a row with its reason and does not stop the others. The table is written
beside its final name and moved there at the end.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fetal_lib.predict.columns import COLUMNS, statuses

LEFT_OUT = "not in the table"


def list_files(
    inputs: Sequence[str | Path], inside: Callable[[Path], list[Path]], kind: str, wanted: str
) -> list[Path]:
    """Return the files that paths name, folders opened by ``inside``.

    ``kind`` and ``wanted``, what they are called and end in, are for messages. A path that does
    not exist, or finding nothing, is refused by a ValueError; all missing ones are named.
    """
    paths, missing = [], []
    for item in map(Path, inputs):
        if item.is_dir():
            paths += inside(item)
        elif item.is_file():
            paths.append(item)
        else:
            missing.append(str(item))
    if missing:
        raise ValueError(f"{kind}: no such file or folder: {', '.join(missing[:10])}.")
    if not paths:
        raise ValueError(f"{kind}: no {wanted} file in what was given.")
    return paths


def write_rows(
    rows: Iterable[dict[str, str]],
    out: str | Path,
    command: str,
    n_scans: int,
    columns: Sequence[str] = (),
) -> dict[str, int]:
    """Write rows to a CSV as they come, with a bar that is seen on a terminal and nowhere else.

    Rows have the command's columns and are taken one at a time, so that one is in memory; the CSV
    appears when all ``n_scans`` are written. The number of rows of each status is returned, of
    those that got their number first. With other ``columns`` only these are written, and only
    rows that have them all; how many have not comes last, as `LEFT_OUT`.
    """
    from tqdm import tqdm

    out = Path(out)
    if out.is_dir():
        raise ValueError(f"out: {out} is a folder; name a file in it, such as {out / 'table.csv'}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(statuses(command), 0)
    with _beside(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        names = list(columns or COLUMNS[command])
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        for row in tqdm(rows, total=n_scans, unit="scan", file=sys.stderr, disable=None):
            counts[row["status"]] += 1
            if columns and not all(name in row for name in names):
                counts[LEFT_OUT] = counts.get(LEFT_OUT, 0) + 1
            else:
                writer.writerow(row)
    return counts


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Give the name of a file that becomes ``out`` in the end, or is gone where that fails."""
    part = out.with_name(f"{out.name}.part")
    try:
        yield part
        part.replace(out)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def status_of(command: str, reason: str, failed: bool) -> str:
    """Return the status of a scan: without a reason it got its number.

    >>> status_of("hc", "", False), status_of("hc", "no head found", False)
    ('measured', 'declined')
    """
    return statuses(command)[2 if failed else 1 if reason else 0]


def interval_notes(high: float, level: float) -> tuple[dict[str, str], str]:
    """Return why there is no interval, and its level as the table shows it.

    >>> interval_notes(12.0, 0.9)
    ({}, '0.90')
    """
    if math.isfinite(high):
        return {}, number_text(level, 2)
    return {"interval": "the model was not calibrated; a finished run's model is"}, ""


def number_text(value: float, digits: int = 1) -> str:
    """Return a number as a table shows it, empty where there is none.

    >>> number_text(12.34), number_text(float("nan"))
    ('12.3', '')
    """
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
