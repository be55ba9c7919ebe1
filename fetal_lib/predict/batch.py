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
    rows: Iterable[dict[str, str]], out: str | Path, statuses: Sequence[str], n_scans: int
) -> dict[str, int]:
    """Write rows to a CSV as they come, with a bar that is seen on a terminal and nowhere else.

    Rows have the same keys, ``status`` among them, and are taken one at a time, so that one is in
    memory; the CSV appears when all ``n_scans`` are written. The number of rows of each status is
    returned.
    """
    from tqdm import tqdm

    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f"{out.name}.part")
    counts = dict.fromkeys(statuses, 0)
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = None
        for row in tqdm(rows, total=n_scans, unit="scan", file=sys.stderr, disable=None):
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)
            counts[row["status"]] += 1
    part.replace(out)
    return counts


def number_text(value: float, digits: int = 1) -> str:
    """Return a number as a table shows it, empty where there is none.

    >>> number_text(12.34), number_text(float("nan"))
    ('12.3', '')
    """
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
