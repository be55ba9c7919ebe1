"""`fetal-lib stage RUN BOOK`: copy a finished run into the book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def stage(
    run_folder: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    book_folder: Annotated[Path, typer.Argument(help="Folder of the book.")] = Path("book"),
) -> None:
    """Copy an executed notebook with its figures and tables to where the site is built from."""
    from fetal_book.runs.stage import stage_chapter

    page = stage_chapter(run_folder, book_folder)
    typer.echo(f"staged {page.name}")
