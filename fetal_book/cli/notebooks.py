"""``fetal-lib notebooks``: keep the clean notebooks equal to the chapters' text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Generate and check the clean .ipynb beside each chapter's .py.",
)

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        exists=True,
        file_okay=False,
        help="Folder of the chapters; default: the project's notebooks folder.",
    ),
]


@app.command()
def sync(
    folder: FolderOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite notebooks that were edited by hand.")
    ] = False,
) -> None:
    """Write the .ipynb of every chapter whose text changed."""
    from fetal_book.runs.pairs import EditedNotebookError, find_pairs, sync_pair

    failed = False
    for pair in find_pairs(_chapters_folder(folder)):
        try:
            typer.echo(
                f"{'wrote' if sync_pair(pair, force=force) else 'kept '} {pair.notebook.name}"
            )
        except EditedNotebookError as error:
            typer.echo(str(error), err=True)
            failed = True
    raise typer.Exit(1 if failed else 0)


@app.command()
def check(folder: FolderOption = None) -> None:
    """Tell which notebooks differ from their text; exit code 1 when one does."""
    from fetal_book.runs.pairs import find_pairs, pair_state

    states = {pair.notebook.name: pair_state(pair) for pair in find_pairs(_chapters_folder(folder))}
    for name, state in states.items():
        typer.echo(f"{state:8s} {name}")
    if any(state != "equal" for state in states.values()):
        typer.echo(
            "Run `fetal-lib notebooks sync` to write the notebooks from their text.", err=True
        )
        raise typer.Exit(1)


def _chapters_folder(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    from fetal_book.parameters.project import project_root

    return project_root() / "notebooks"
