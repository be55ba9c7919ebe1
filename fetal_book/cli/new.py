"""`fetal-lib new FOLDER`: chapters, workflow and the book's sources in a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)
# It marks the folder as a project, and tells Jupytext what the chapters' pairs keep.
PYPROJECT = """\
[tool.jupytext]
cell_metadata_filter = "tags,mystnb,-all"
notebook_metadata_filter = "-all"
"""


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet, or is empty.")],
) -> None:
    """Lay out the five chapters, their workflow and the book's sources in a new folder.

    For whoever installed the package and has no checkout: inside the folder every command works
    as in the project itself. Exit codes: 0 ok, 2 the folder has files.
    """
    from fetal_book.parameters.project_files import copy_project, project_source
    from fetal_lib.errors import UserError

    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder}: holds files; name a folder that does not exist yet")
    copy_project(project_source(), folder)
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    typer.echo(f"laid out in {folder}; a first run of a minute, started inside it:")
    typer.echo("  fetal-lib run 04 --profile smoke")
