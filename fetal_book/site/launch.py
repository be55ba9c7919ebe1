"""Start the workflow: free a lock that nobody holds, then become Snakemake."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from fetal_lib.errors import UserError


def snakemake_command(
    root: Path, *, profile: str, data: str, cores: int, workflow_profile: str, gpu: int
) -> list[str]:
    """Compose the command that brings the book up to date; ``gpu`` chapters may share the card."""
    settings = ["--profile", str(root / "workflow" / "profiles" / workflow_profile)]
    config = ["--config", f"profile={profile}", f"data={data}", f"gpu={gpu}"]
    return [*_snakemake(root / "workflow" / "Snakefile", root, cores), *settings, *config]


def sweep_command(root: Path, file: Path, out: Path, cores: int) -> list[str]:
    """Compose the command that brings a sweep's table up to date."""
    settings = "--keep-going --rerun-incomplete --quiet all".split()
    config = ["--config", f"sweep={file}", f"out={out}"]
    return [*_snakemake(root / "workflow" / "sweep.smk", out, cores), *settings, *config]


def reference_command(root: Path, names: list[str], out: Path, cores: int, gpu: int) -> list[str]:
    """Compose the command that makes reference runs anew, named as ``chapter.run``."""
    settings = "--keep-going --rerun-incomplete --quiet all".split()
    config = ["--config", f"runs={','.join(names)}", f"out={out}", f"gpu={gpu}"]
    return [*_snakemake(root / "workflow" / "reference.smk", out, cores), *settings, *config]


def _snakemake(rules: Path, folder: Path, cores: int) -> list[str]:
    files = ["--snakefile", str(rules), "--directory", str(folder)]
    return [sys.executable, "-m", "snakemake", *files, "--cores", str(cores)]


def run_workflow(root: Path, folder: Path, command: list[str]) -> None:
    """Replace this process by Snakemake, after freeing a lock that a killed one left."""
    if alive := live_workflows(folder):
        place = "this project" if folder == root else folder.name
        raise UserError(
            f"workflow: process {alive[0]} already works in {place}. One workflow at a time "
            f"may run in a folder; wait for it, or stop it with `kill {alive[0]}`."
        )
    if has_lock(folder):
        subprocess.run([*command, "--unlock"], check=True, cwd=root, stdout=subprocess.DEVNULL)
    os.chdir(root)
    os.execv(command[0], command)


def wait_for_orphans(root: Path, folders: list[Path]) -> None:
    """Wait for chapter runs that outlived a killed workflow; their fits are then found in the
    cache; when a workflow is alive in the project, the runs are that one's.
    """
    from fetal_book.runs.folder import is_held

    for folder in folders:
        if is_held(folder) and not live_workflows(root):
            print(
                f"{folder.name}: a run that outlived its workflow is still going, waiting for it",
                flush=True,
            )
        while is_held(folder) and not live_workflows(root):
            time.sleep(1)


def has_lock(folder: Path) -> bool:
    """Tell whether a Snakemake, dead or alive, left its lock in a folder."""
    locks = folder / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())


def live_workflows(root: Path) -> list[int]:
    """List the processes that run Snakemake in the project's folder."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        is_snakemake = any(Path(word).name == "snakemake" for word in words[:4])
        if is_snakemake and process.info["cwd"] == str(root) and process.info["pid"] != os.getpid():
            found.append(process.info["pid"])
    return found
