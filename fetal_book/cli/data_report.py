"""Print what is wrong with a folder, a line a kind, and write the whole list to a table."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fetal_book.cli.terminal import table_lines

if TYPE_CHECKING:
    from fetal_lib.data.report import FolderReport

COLUMNS = ("what", "kind", "file", "message")


def print_kinds(report: FolderReport) -> None:
    """Print a line a kind of problem and of note, with count and examples; then the summary."""
    from fetal_lib.data.report import kind_rows

    for items, title in (
        (report.problems, "problem: what was found, the rule, the fix"),
        (report.notes, "noted: left out, or odd; it stops nobody"),
    ):
        if items:
            typer.echo("\n".join(table_lines([("kind", "n", title), *kind_rows(items)])))
    typer.echo(report.summary())


def chapters_line(report: FolderReport) -> str:
    """Return which chapters read a folder of its layout, or what makes it one."""
    from fetal_book.runs.data_sets import groups_lacking
    from fetal_lib.data.catalogue import chapters_of_layouts
    from fetal_lib.data.layouts.registry import layout_named

    layout, folder = layout_named(report.layout), Path(report.folder)
    chapters = sorted(chapters_of_layouts().get(report.layout, ()))
    lacking = {name: groups_lacking(name, layout, folder) for name in chapters}
    if not chapters:
        fix = f"; turn it into one: fetal-lib data convert {shlex.quote(report.folder)} NEW_FOLDER"
        return "no chapter reads this layout" + (fix if report.layout == "mask_folders" else "")
    read = ", ".join(name[:2] for name in chapters if not lacking[name])
    lines = [f"read by chapter {read}"] if read else []
    lines += [f"too few for chapter {name[:2]}: {text}" for name, text in lacking.items() if text]
    return "\n".join(lines)


def write_problems(report: FolderReport, path: Path | None = None) -> Path:
    """Write every problem and note as a row; never into the folder that was checked.

    Returns
    -------
    The file: the one that is named, else ``NAME-problems.csv`` in the working folder.
    """
    from fetal_lib.files.atomic import write_text

    folder = Path(report.folder).resolve()
    if path is None:
        inside = Path.cwd().resolve().is_relative_to(folder)
        path = (folder.parent if inside else Path()) / f"{folder.name}-problems.csv"
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for what, items in (("problem", report.problems), ("note", report.notes)):
        rows.writerows((what, one.kind, one.file, one.message) for one in items)
    write_text(path, text.getvalue())
    return path
