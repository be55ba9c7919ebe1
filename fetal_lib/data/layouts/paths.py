"""Find the file that a table's row names, inside the data folder and nowhere else."""

from __future__ import annotations

import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from fetal_lib.data.layouts.tables import Row, Table


def inside(folder: Path, row: Row, column: str, table: Table) -> Path | None:
    """Return the path that a cell names, or None after noting why it names none.

    Letters with accents may be composed or not; a path that leads out of the folder is refused.
    """
    name = row.text.get(column, "")
    windows = PureWindowsPath(name)
    leads_out = windows.drive or windows.root or ".." in windows.parts
    if not name or not name.isprintable() or leads_out:
        rule = "give the path inside the folder"
        table.note("file name", f"line {row.line}: {column} is {name[:60]!r}; {rule}")
        return None
    parts = str(PurePosixPath(name.replace("\\", "/")))
    texts = [name, *(unicodedata.normalize(form, parts) for form in ("NFC", "NFD"))]
    return next((folder / text for text in texts if (folder / text).exists()), folder / parts)
