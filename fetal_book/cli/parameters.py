"""`fetal-lib parameters CHAPTER`: what a chapter can be told."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fetal_book.parameters.chapters import Chapter

app = typer.Typer(rich_markup_mode=None, add_completion=False)
COLUMNS = ("name", "default", "smoke", "full", "unit", "range")
EMPTY = '""'


@app.command()
def parameters(
    chapter: Annotated[str, typer.Argument(help="Chapter: 04_head_circumference, or 04.")],
) -> None:
    """List a chapter's parameters: name, default (profile quick), other profiles, unit, range."""
    from fetal_book.cli.terminal import table_lines
    from fetal_book.parameters.chapters import get_chapter

    known = get_chapter(chapter)
    rows = parameter_rows(known)
    head, *lines = table_lines([COLUMNS, *([text(row[key]) for key in COLUMNS] for row in rows)])
    typer.echo(f"{known.name}: {known.title}. Set with -p NAME=VALUE.\n\n{head}")
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    for row, line in zip(rows, lines, strict=True):
        typer.echo(line)
        typer.echo(textwrap.indent(textwrap.fill(row["help"], width - 4), "    "))


def parameter_rows(chapter: Chapter) -> list[dict[str, Any]]:
    """Return one row a parameter, in the order of the class; None where a profile has the default.

    >>> from fetal_book.parameters.chapters import get_chapter
    >>> rows = {row["name"]: row for row in parameter_rows(get_chapter("04"))}
    >>> rows["image_size"]["unit"], rows["seed"]["default"]
    ('px', 0)
    """
    from fetal_book.parameters.describe import rule_text, unit_of
    from fetal_book.parameters.resolve import load_profiles

    profiles = load_profiles(chapter)
    return [
        {
            "name": name,
            "default": field.default,
            "smoke": profiles["smoke"].get(name),
            "full": profiles["full"].get(name),
            "unit": unit_of(field) or None,
            "range": rule_text(field),
            "help": field.description or "",
        }
        for name, field in chapter.parameters_class().model_fields.items()
    ]


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
