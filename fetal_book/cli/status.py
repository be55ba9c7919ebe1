"""`fetal-lib status`: the runs of every chapter, the reference runs, and the sweeps."""

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
    """Show the finished runs that stand, what failed since, reference runs, how far sweeps are.

    For each chapter, profile and data the newest finished run, whoever started it; beneath it a
    later one that did not finish.
    """
    from fetal_book.cli.terminal import table_lines
    from fetal_book.runs.find_runs import age_text
    from fetal_book.runs.reference import reference_runs
    from fetal_book.runs.status import all_statuses, reasons_text, up_to_date_text
    from fetal_book.runs.sweep_state import sweep_statuses, sweep_text

    runs, sweeps, kept = all_statuses(), sweep_statuses(), reference_runs()
    if as_json:
        both = {"runs": [asdict(run) for run in runs], "sweeps": [asdict(one) for one in sweeps]}
        both["reference"] = [
            {"chapter": one.chapter, "name": one.name, "older_because": one.older_because}
            for one in kept
        ]
        typer.echo(json.dumps(both, indent=2))
        return
    rows, last = [("chapter", "run", "profile", "data", "age", "")], ""
    for run in runs:
        note = ", in ".join(word for word in (up_to_date_text(run), run.folder) if word)
        name = run.chapter if run.chapter != last else ""
        rows.append((name, run.status, run.profile, run.data, age_text(run.age_s), note))
        last = run.chapter
    typer.echo("\n".join(table_lines(rows)))
    if kept:
        lines = [("reference run", "chapter", "data", "")]
        for one in kept:
            older = f"older code: {reasons_text(one.older_because)}" if one.older_because else ""
            lines.append((one.name, one.chapter, one.record.data, older or "up to date"))
        typer.echo("\n" + "\n".join(table_lines(lines)))
        if any(one.older_because for one in kept):
            typer.echo("fetal-lib book reference --data-root FOLDER makes them anew")
    if sweeps:
        lines = [("sweep", "chapter", "profile", "")]
        lines += [(one.name, one.chapter, one.profile, sweep_text(one)) for one in sweeps]
        typer.echo("\n" + "\n".join(table_lines(lines)))
