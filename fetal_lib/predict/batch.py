"""What all commands that predict share: files in, a row for each, a CSV out.

One bad file becomes a row with its reason and does not stop the others. The table is written
beside its final name and moved there at the end.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def list_files(
    inputs: Sequence[str | Path], inside: Callable[[Path], list[Path]], kind: str, wanted: str
) -> list[Path]:
    """Return the files that paths name, folders opened.

    Parameters
    ----------
    inputs : files and folders.
    inside : returns the files of a folder.
    kind : what they are called, for messages.
    wanted : the endings that are looked for, for messages.

    Raises
    ------
    ValueError
        If a path does not exist, or nothing is found; all missing ones are named.
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
    fields: Sequence[str],
    statuses: Sequence[str],
    progress: Callable[[int], None],
) -> dict[str, int]:
    """Write rows to a CSV as they come.

    Parameters
    ----------
    rows : with the keys `fields`; taken one at a time, so that one is in memory.
    out : the CSV; it appears when all rows are written.
    fields : columns, ``status`` among them.
    statuses : that a row may have.
    progress : called with 1 after each row.

    Returns
    -------
    dict
        Number of rows of each status.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    counts = dict.fromkeys(statuses, 0)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            counts[row["status"]] += 1
            progress(1)
    part.replace(out)
    return counts


def number_text(value: float, digits: int = 1) -> str:
    """Return a number as a table shows it, empty where there is none.

    >>> number_text(12.34), number_text(float("nan"))
    ('12.3', '')
    """
    return f"{value:.{digits}f}" if math.isfinite(value) else ""


def scan_bar(n_scans: int) -> tqdm:
    """Return a progress bar that is seen on a terminal and nowhere else."""
    from tqdm import tqdm

    return tqdm(total=n_scans, unit="scan", file=sys.stderr, disable=None)
