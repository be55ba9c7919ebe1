"""The command `fetal-lib`: a list of commands, each loaded only when it is called."""

from __future__ import annotations

import errno
import importlib
import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fetal_book.runs.quick_imports import skip_iri_grammars
from fetal_lib.errors import UserError

# name: (module with `app`, what the list of commands says)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("fetal_book.cli.run", "Execute a chapter, with other parameters or data if you like."),
    "sweep": ("fetal_book.cli.sweep", "Run a chapter over a grid of parameters and seeds."),
    "parameters": ("fetal_book.cli.parameters", "List a chapter's parameters."),
    "status": ("fetal_book.cli.status", "Show the runs that stand, what failed since, and sweeps."),
    "predict": ("fetal_book.cli.predict", "Apply a trained model to your own images."),
    "app": ("fetal_book.cli.open_app", "Open the trained models as a page in the browser."),
    "data": ("fetal_book.cli.data", "List, fetch and check data sets."),
    "phantoms": ("fetal_book.cli.phantoms", "Write a set of made-up images with known truth."),
    "book": ("fetal_book.cli.book", "Run what changed and build the site."),
    "size": ("fetal_book.cli.size", "Train a source's network at its published size, in pieces."),
    "new": ("fetal_book.cli.new", "Lay out chapters, workflow and book in a folder of your own."),
    "notebooks": ("fetal_book.cli.notebooks", "Keep the notebooks equal to their text."),
}


# What the operating system refuses, and what a person can do about it.
REFUSALS = {
    errno.ENOSPC: "make room on the disk, or write to another one",
    errno.EDQUOT: "your share of the disk is used up; make room, or write to another one",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: "name another file or folder, or ask for the right to it",
    errno.EPERM: "name another file or folder, or ask for the right to it",
    errno.ENOTDIR: "a part of the path is a file; name another folder",
    errno.EEXIST: "a part of the path is a file; name another folder",
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "name a shorter path",
}
FULL = (errno.ENOSPC, errno.EDQUOT)


def refusal(error: BaseException) -> str:
    """Return what the operating system refused, as a message to the user; else an empty text."""
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return ""
    words = (error.strerror or str(error)).lower()
    what = f"{error.filename}: {words}" if error.filename else words
    return f"{what}; {REFUSALS[error.errno]}"


class LazyGroup(TyperGroup):
    """A group that imports a command's module when that command is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands = dict.fromkeys(COMMANDS)  # names only: for the list and for suggestions

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import and return a command; one whose module cannot be imported says so."""
        if cmd_name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(COMMANDS[cmd_name][0])
        except ImportError as error:
            typer.echo(f"fetal-lib {cmd_name}: not available here: {error}", err=True)
            raise typer.Exit(1) from None
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a chapter's number or name in its place is told what to do."""
        if args and re.fullmatch(r"\d{1,2}(_\w+)?", args[0]):
            ctx.fail(f"No such command {args[0]!r}; a chapter is run by: fetal-lib run {args[0]}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an error that is meant for the user becomes a message.

        The exit code is 2, and 1 where the disk is full: the command was right.
        """
        try:
            return super().invoke(ctx)
        except Exception as error:
            refused = refusal(error)
            if not refused and not isinstance(error, UserError):
                raise
            for line in (refused or str(error)).splitlines():
                typer.echo(f"fetal-lib: {line}", err=True)
            full = isinstance(error, OSError) and error.errno in FULL
            raise typer.Exit(1 if full else 2) from None


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from fetal_lib import __version__

        typer.echo(f"fetal-lib {__version__}")
        for name, licence in _licences().items():
            typer.echo(f"the shipped model {name}: {licence}")
        raise typer.Exit


def _licences() -> dict[str, str]:
    """Return the licence of each shipped model that has one of its own."""
    import json

    from fetal_lib.predict.model_folder import PRETRAINED

    specs = {
        path.parent.name: json.loads(path.read_text()) for path in PRETRAINED.glob("*/model.json")
    }
    return {name: spec["licence"] for name, spec in sorted(specs.items()) if spec.get("licence")}


@app.callback()
def _fetal_lib(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Five projects on fetal and brain imaging, re-run as a book. Research use only."""


def main() -> None:
    """Run the command line."""
    skip_iri_grammars()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
