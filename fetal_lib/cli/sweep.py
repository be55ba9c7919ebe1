"""`fetal-lib sweep FILE`: run a chapter over a grid of parameters and seeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(help="Sweep file, as in workflow/sweeps.")],
    out: Annotated[str, typer.Option(help="Folder; default: runs/sweeps/NAME OF THE FILE.")] = "",
    cores: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    dry_run: Annotated[bool, typer.Option(help="List the cases and stop.")] = False,
    collect: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run every case that is not finished, then write sweep.csv: mean and SD over seeds."""
    from fetal_lib.book.launch import sweep_command
    from fetal_lib.parameters.project import project_root
    from fetal_lib.runs.sweep import read_sweep, sweep_table

    plan, root = read_sweep(file), project_root()
    folder = Path(out).absolute() if out else root / "runs" / "sweeps" / file.stem
    if dry_run:
        for case in plan.cases():
            command = f"fetal-lib run {plan.chapter} --profile {plan.profile} {case.arguments()}"
            typer.echo(f"{case.name}: {command}")
        return
    if collect:
        sweep_table(plan, folder).to_csv(folder / "sweep.csv", index=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    command = sweep_command(root, file.absolute(), folder, cores)
    os.chdir(root)
    os.execv(command[0], command)
