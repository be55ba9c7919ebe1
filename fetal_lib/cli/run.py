"""`fetal-lib run CHAPTER`: execute one chapter."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def run(
    chapter: Annotated[str, typer.Argument(help="Chapter: 04_head_circumference, or 04.")],
    profile: Annotated[
        str | None, typer.Option(help="smoke (seconds), quick (minutes, the default) or full.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter; repeat."),
    ] = None,
    out: Annotated[str, typer.Option(help="Run folder; default: runs/CHAPTER/PROFILE-DATA.")] = "",
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End the run after so many seconds.")
    ] = None,
    if_needed: Annotated[
        bool,
        typer.Option(
            "--if-needed", help="Keep outputs that still stand; renew the text around them."
        ),
    ] = False,
) -> None:
    """Execute a chapter and write its results, tables and figures to a run folder.

    `fetal-lib parameters CHAPTER` lists what -p can set. Exit codes: 0 ok, 1 the run failed,
    2 something in the command is wrong, 124 time limit, 130 interrupted.
    """
    from fetal_lib.parameters.chapters import get_chapter
    from fetal_lib.parameters.parse import parse_assignments
    from fetal_lib.runs.execute import run_chapter

    values = parse_assignments(get_chapter(chapter).parameters_class(), parameter or [])
    outcome = run_chapter(
        chapter, profile, values, out, timeout, say=typer.echo, only_if_needed=if_needed
    )
    lines = closing_lines(outcome)
    for line in lines:
        typer.echo(line, err=outcome.exit_code != 0)
    raise typer.Exit(outcome.exit_code)


def closing_lines(outcome) -> list[str]:
    """Return what to say at the end of a run."""
    from fetal_lib.runs.folder import shown

    record, folder = outcome.record, shown(outcome.folder)
    if record.status == "ok":
        return [f"ok in {record.wall_s:.0f} s: {folder}/results.json, {folder}/executed.ipynb"]
    lines = [f"fetal-lib run: {record.status}: {record.reason}"]
    if record.error:
        lines += [f"  {record.error['last_line']}", f"  in the cell: {record.error['source']}"]
    if (outcome.folder / "logs" / "failed.ipynb").is_file():
        lines.append(f"  as far as it came: {folder}/logs/failed.ipynb")
    return lines
