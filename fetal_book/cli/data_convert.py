"""`fetal-lib data convert`: what it prints before it writes, and what to do afterwards."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetal_book.cli.data_report import print_kinds, write_problems
from fetal_book.cli.terminal import errors_in_a_sentence, progress_bar, table_lines

if TYPE_CHECKING:
    from fetal_lib.data.convert.cases import Source
    from fetal_lib.data.convert.columns import Column
    from fetal_lib.data.convert.targets import Target

Pairs = list[str] | None


def convert(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Your folder, or its table.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
    chapter: Annotated[
        str | None, typer.Option(help="01 to 05; default: told from what is in the folder.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="The table; default: the one in IN.")] = None,
    column: Annotated[
        Pairs, typer.Option(metavar="MEANING=COLUMN", help="What a column means; repeat.")
    ] = None,
    unit: Annotated[
        Pairs, typer.Option(metavar="COLUMN=UNIT", help="mm, cm, µm, days or weeks; repeat.")
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option(help="Side of a pixel in mm, where no table or file says it.")
    ] = None,
    patients: Annotated[
        str,
        typer.Option(help="folder (one a patient) or name (before _), where no column says it."),
    ] = "",
    structure: Annotated[str, typer.Option(help="head or abdomen: what all masks show.")] = "",
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Write the sound cases, leave out the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is understood; write nothing.")
    ] = False,
) -> None:
    """Turn images, masks and a table into the layout of a chapter, in a new folder.

    Nothing in IN is changed. Units are taken from the headers of the table, such as HC (cm) or
    px_um; where a header has none it is asked for. Exit code 1: nothing was written.
    """
    from fetal_lib.data.convert.cases import find_source, read_rows
    from fetal_lib.data.convert.targets import (
        TARGETS,
        check_place,
        choose_chapter,
        complete,
        remarks,
    )
    from fetal_lib.data.convert.targets import convert as write
    from fetal_lib.data.convert.write import ORIGINS
    from fetal_lib.data.report import FolderReport

    with errors_in_a_sentence("data convert", status=1), progress_bar("convert") as progress:
        size = math.nan if pixel_size is None else pixel_size
        pairs = _pairs(column, "--column"), _pairs(unit, "--unit")
        source = find_source(folder.expanduser(), table, *pairs)
        number = _chapter(chapter) or choose_chapter(source)
        target = TARGETS[number]
        _print_source(source, target)
        check_place(source.found.folder, out)
        read_rows(source, target.carries, size, patients)
        complete(source, target, structure)
        typer.echo(f"layout: {target.layout}, of chapter {number}")
        for remark in remarks(source, target):
            typer.echo(remark)
        if dry_run:
            problems = tuple(source.found.problems)
            report = FolderReport(str(folder), len(source.cases), problems)
        else:
            report = write(source, target, out, leave_out, progress)
        print_kinds(report)
        if not (dry_run or report.is_short):
            typer.echo(f"the whole list: {write_problems(report)}")
    if dry_run or not report.ok:
        hint = "" if report.ok else "; repair what is named, or leave it out by --leave-out"
        typer.echo(f"nothing was written{hint}", err=not dry_run)
        raise typer.Exit(0 if report.ok else 1)
    typer.echo(f"{ORIGINS} in it says which file became which")
    typer.echo(f"fetal-lib data audit {shlex.quote(str(out))}")
    typer.echo(f"fetal-lib run {number} -p {shlex.quote(f'data={out}')}")


def _pairs(given: Pairs, option: str) -> dict[str, str]:
    """Return what was given as NAME=VALUE; the last sign of equality parts them."""
    from fetal_lib.data.convert.columns import ConvertError

    pairs = {}
    for text in given or ():
        name, mark, value = text.rpartition("=") if option == "--unit" else text.partition("=")
        if not (name and mark and value):
            form = "COLUMN=UNIT" if option == "--unit" else "MEANING=COLUMN"
            raise ConvertError(f"{option}: received {text!r}; it must be {form}")
        pairs[name] = value
    return pairs


def _chapter(name: str | None) -> str:
    """Return the number of the chapter that was asked for; nothing where none was."""
    from fetal_book.parameters.chapters import get_chapter
    from fetal_lib.data.convert.columns import ConvertError
    from fetal_lib.data.convert.targets import TARGETS

    if name is None:
        return ""
    number = get_chapter(name).number
    if number not in TARGETS:
        rule = f"folders are converted for {', '.join(TARGETS)}"
        raise ConvertError(f"--chapter: received {name!r}; {rule}")
    return number


def _print_source(source: Source, target: Target) -> None:
    """Print what was found, and what each column of the table is taken as."""
    table = "no table" if source.table is None else f"table {source.table.name}"
    typer.echo(f"{len(source.images)} images, {len(source.masks)} masks, {table}")
    if source.columns:
        head = ("column", "taken as", "unit", "examples")
        rows = [_column_row(column, target) for column in source.columns]
        typer.echo("\n".join(table_lines([head, *rows])))


def _column_row(column: Column, target: Target) -> tuple[str, ...]:
    """Return a column, its meaning, its unit, and cells of it with what becomes of them."""
    unit = f"pixels a {column.unit}" if column.inverse else column.unit
    left = f"not in layout {target.layout}" if column.meaning else "not carried over"
    meaning = column.meaning if target.carries(column.meaning) else left
    return column.header, meaning, unit, " | ".join(column.examples)
