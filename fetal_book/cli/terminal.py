"""What every command shows on a terminal: tables, bars, and errors without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer

from fetal_book.cli import refusal
from fetal_lib.errors import UserError
from fetal_lib.files.fingerprint import PACKAGES

WIDEST = 60
"""A longer cell moves the rest of its row, not of all rows."""


def say(text: str, err: bool = False) -> None:
    """Print a line; where nobody reads any more (`| head`), go on in silence."""
    try:
        typer.echo(text, err=err)
    except OSError:
        stream = sys.stderr if err else sys.stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def table_lines(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Return rows in columns; the last column is not padded.

    >>> table_lines([("name", "unit"), ("seed", ""), ("image_size", "px")])
    ['name        unit', 'seed', 'image_size  px']
    """
    widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return [
        indent + "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


@contextmanager
def progress_bar(title: str | None = None, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """Give a callback that moves a bar; nothing is drawn unless it is a terminal."""
    from tqdm import tqdm

    with tqdm(desc=title, unit=unit, disable=None, leave=False) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield move


@contextmanager
def errors_in_a_sentence(command: str, status: int = 2) -> Iterator[None]:
    """Say what is wrong with files, arguments or the installation, and end with a status."""
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] in PACKAGES:
            raise
        extra = "torch" if error.name in ("nibabel", "SimpleITK", "pydicom") else "all"
        problem = f"{error.name} is not installed here; pip install 'fetal-lib[{extra}]'"
        typer.echo(f"fetal-lib {command}: {problem}", err=True)
        raise typer.Exit(1) from None
    except (UserError, ValueError, OSError) as error:
        typer.echo(f"fetal-lib {command}: {refusal(error) or error}", err=True)
        raise typer.Exit(status) from None
