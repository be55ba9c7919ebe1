"""Save tables and figures so that the same content gives the same bytes."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.files.atomic import read_json, write_bytes, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME_RULE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
PNG_DPI = 150


def save_table(folder: Path, table: pd.DataFrame, name: str, caption: str) -> Path:
    """Write `tables/<name>.csv` (numbers to six significant digits) and its caption.

    An index other than 0, 1, 2, ... is written as the first columns.
    """
    _check(name, caption=caption)
    numbered = type(table.index).__name__ == "RangeIndex"
    text = table.to_csv(index=not numbered, float_format="%.6g", lineterminator="\n")
    path = folder / "tables" / f"{name}.csv"
    write_text(path, text)
    _index(folder / "tables", name, {"caption": caption, "rows": len(table)})
    return path


def save_figure(folder: Path, figure: Figure, name: str, caption: str, alt: str) -> Path:
    """Write `figures/<name>.svg` and `figures/<name>.png`, without dates, and the texts."""
    import matplotlib

    _check(name, caption=caption, alt=alt)
    target = folder / "figures"
    undated = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        for ending, metadata in undated.items():
            content = io.BytesIO()
            figure.savefig(
                content, format=ending, dpi=PNG_DPI, bbox_inches="tight", metadata=metadata
            )
            write_bytes(target / f"{name}.{ending}", content.getvalue())
    _index(target, name, {"caption": caption, "alt": alt})
    return target / f"{name}.svg"


def _check(name: str, **texts: str) -> None:
    if not NAME_RULE.fullmatch(name):
        raise ValueError(
            f"name: received {name!r}; it must be lower-case letters and digits joined by "
            "underscores, such as bland_altman"
        )
    for key, text in texts.items():
        if not str(text).strip():
            raise ValueError(f"{key}: received {text!r} for {name}; it must say something")


def _index(folder: Path, name: str, entry: dict[str, Any]) -> None:
    entries = read_json(folder / "index.json") or {}
    entries[name] = entry
    write_json(folder / "index.json", dict(sorted(entries.items())))
