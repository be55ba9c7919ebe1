"""`fetal-lib sweep FILE`: run a chapter over a grid of parameters and seeds."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="Sweep file, as in workflow/sweeps.")],
    out: Annotated[str, typer.Option(help="Folder; default: runs/sweeps/NAME OF THE FILE.")] = "",
    cores: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the cases and stop.")] = False,
    collect: Annotated[
        bool, typer.Option("--collect", help="Write sweep.csv from finished runs; run nothing.")
    ] = False,
    trial: Annotated[
        str, typer.Option(help="Of a search, run this case alone, such as trial-0003.")
    ] = "",
) -> None:
    """Run every case that is not finished, then write sweep.csv: mean and SD over seeds."""
    from fetal_book.parameters.project import project_root, runs_root, shown
    from fetal_book.runs.study import parameters_of
    from fetal_book.runs.sweep import Case, check_sweep_data, read_sweep, sweep_table
    from fetal_book.runs.sweep_state import note_sweep, sweep_status
    from fetal_book.site.launch import run_workflow, sweep_command, wait_for_orphans
    from fetal_lib.files.atomic import write_text

    plan, root = read_sweep(file), project_root()
    folder = Path(out).expanduser().resolve() if out else runs_root() / "sweeps" / file.stem
    if collect:
        write_text(folder / "sweep.csv", sweep_table(plan, folder).to_csv(index=False))
        typer.echo(f"{len(plan.cases())} runs in one table: {shown(folder)}/sweep.csv")
        return
    if trial:
        shared = {case.name: case.parameters for case in plan.cases()}
        if plan.search is None or trial not in shared:
            raise typer.BadParameter(f"{file} has no trial {trial!r}", param_hint="--trial")
        own = parameters_of(plan.search, folder, trial, plan.seeds[0])
        words = shlex.split(Case(trial, shared[trial] | own).arguments())
        words += ["--if-needed", "--out", str(folder / trial)]
        command = [sys.executable, "-m", "fetal_book", "run", plan.chapter]
        os.execv(sys.executable, [*command, "--profile", plan.profile, *words])
    check_sweep_data(plan)
    if dry_run and plan.search:
        typer.echo(f"{len(plan.cases())} trials; each draws its parameters when it runs")
        return
    if dry_run:
        for case in plan.cases():
            command = f"fetal-lib run {plan.chapter} --profile {plan.profile} {case.arguments()}"
            place = os.path.relpath(folder / case.name)
            typer.echo(f"{case.name}: {command} --out {shlex.quote(place)}")
        return
    folder.mkdir(parents=True, exist_ok=True)
    note_sweep(plan, folder)
    state = sweep_status(folder)
    typer.echo(
        f"{state.finished}/{state.cases} finished; each case's output: {shown(folder)}/.done"
    )
    command = sweep_command(root, file.absolute(), folder, cores)
    wait_for_orphans(folder, [folder / case.name for case in plan.cases()])
    run_workflow(root, folder, command)
