"""`fetal-lib parameters CHAPTER`: what a chapter can be told."""

from __future__ import annotations

import shutil
import textwrap
from typing import Annotated, Any

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)
COLUMNS = ("name", "default", "smoke", "full", "unit", "range")
EMPTY = '""'


@app.command()
def parameters(
    chapter: Annotated[str, typer.Argument(help="Chapter: 04_head_circumference, or 04.")],
) -> None:
    """List a chapter's parameters: name, default (profile quick), other profiles, unit, range."""
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.parameters.table import parameter_rows

    known = get_chapter(chapter)
    rows = parameter_rows(known)
    widths = {key: max(len(key), *(len(text(row[key])) for row in rows)) for key in COLUMNS}
    typer.echo(f"{known.name}: {known.title}. Set with -p NAME=VALUE.\n")
    typer.echo("  ".join(key.ljust(widths[key]) for key in COLUMNS).rstrip())
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    for row in rows:
        typer.echo("  ".join(text(row[key]).ljust(widths[key]) for key in COLUMNS).rstrip())
        typer.echo(textwrap.indent(textwrap.fill(row["help"], width - 4), "    "))


def text(value: Any) -> str:
    """Return a cell of the table; a profile that changes nothing has None.

    >>> text(True), text(0.002), text(""), text(None)
    ('true', '0.002', '""', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return EMPTY if value == "" else str(value)
