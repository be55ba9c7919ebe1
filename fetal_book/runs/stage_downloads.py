"""What a chapter's page offers for download: notebook, text, tables, figures, results, record."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from fetal_book.runs.exhibits import index_of
from fetal_book.runs.pairs import has_tag, write_notebook
from fetal_book.runs.plain_text import plain_notebook
from fetal_lib.files.atomic import write_bytes, write_text

INJECTED = "injected-parameters"
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive
KEPT_METADATA = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,mystnb,-all"}


def write_downloads(notebook: dict[str, Any], chapter: str, folder: Path) -> None:
    """Write the executed notebook, its text and an archive of the tables beside the exhibits."""
    write_notebook(folder / f"{chapter}.ipynb", plain_notebook(notebook, chapter))
    write_text(folder / f"{chapter}.py", percent_text(notebook))
    tables = sorted((folder / "tables").glob("*.csv"))
    archive = folder / f"{chapter}-tables.zip"
    archive.unlink(missing_ok=True)
    if tables:
        write_bytes(archive, zipped(tables))


def percent_text(notebook: dict[str, Any]) -> str:
    """Return a notebook in the percent format, without outputs and injected parameters."""
    import jupytext
    import nbformat

    cells = [cell for cell in notebook["cells"] if not has_tag(cell, INJECTED)]
    bare = {**notebook, "cells": cells, "metadata": {"jupytext": KEPT_METADATA}}
    return jupytext.writes(nbformat.reads(json.dumps(bare), as_version=4), fmt="py:percent")


def zipped(files: list[Path]) -> bytes:
    """Return an archive of files, by their names alone; the same files give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.writestr(
                zipfile.ZipInfo(path.name, ZIP_TIME), path.read_bytes(), zipfile.ZIP_DEFLATED
            )
    return content.getvalue()


def buttons(chapter: str, folder: Path) -> str:
    """Return the row of downloads under the run box, in MyST Markdown."""
    files = {
        "Notebook with outputs": f"{chapter}.ipynb",
        "Notebook as Python": f"{chapter}.py",
        "All tables": f"{chapter}-tables.zip",
        "Results": "results.json",
        "Record": "record.json",
    }
    links = [
        _link(text, chapter, name) for text, name in files.items() if (folder / name).is_file()
    ]
    every = [f"[Each figure and table](#downloads-{chapter[:2]})"] if _rows(chapter, folder) else []
    return "\n".join([":::{container} downloads", " ".join([*links, *every]), ":::"])


def section(chapter: str, folder: Path) -> str:
    """Return the section that lists each figure and table with its files; empty without any."""
    rows = _rows(chapter, folder)
    if not rows:
        return ""
    head = [
        f"(downloads-{chapter[:2]})=",
        "## Downloads",
        "",
        "Every figure and table of this run, as files. Tables carry the numbers unrounded.",
        "",
        f"````{{dropdown}} {len(rows)} figures and tables",
        "| Figure or table | Files |",
        "|---|---|",
    ]
    return "\n".join([*head, *rows, "````"])


def _rows(chapter: str, folder: Path) -> list[str]:
    rows = []
    for kind, endings in (("figures", ("png", "svg")), ("tables", ("csv",))):
        for name, entry in index_of(folder / kind).items():
            caption = str(entry["caption"]).replace("|", "\\|").replace("\n", " ")
            files = [f"{kind}/{name}.{end}" for end in endings]
            kept = [file for file in files if (folder / file).is_file()]
            links = [_link(file.rpartition(".")[2].upper(), chapter, file) for file in kept]
            if links:
                rows.append(f"| {caption} | {' '.join(links)} |")
    return rows


def _link(text: str, chapter: str, file: str) -> str:
    return f"{{download}}`{text} <../runs/{chapter}/{file}>`"
