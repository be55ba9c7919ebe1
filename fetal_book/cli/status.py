"""`fetal-lib status`: the last run of every chapter."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show for every chapter how its last run ended, and whether it is still up to date."""
    from fetal_book.cli.terminal import table_lines
    from fetal_book.runs.find_runs import age_text
    from fetal_book.runs.status import all_statuses, up_to_date_text

    statuses = all_statuses()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in statuses], indent=2))
        return
    rows = [("chapter", "status", "profile", "data", "age", "")]
    rows += [
        (s.chapter, s.status, s.profile, s.data, age_text(s.age_s), up_to_date_text(s))
        for s in statuses
    ]
    typer.echo("\n".join(table_lines(rows)))
