"""How far a sweep is: noted when it starts, counted from the records of its cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.project import shown
from fetal_book.runs.attempt import attempt_folder
from fetal_book.runs.find_runs import SWEEP_FILE, FoundRun, sweep_folders
from fetal_book.runs.record import known_record
from fetal_book.runs.status import state
from fetal_book.runs.sweep import Sweep
from fetal_lib.files.atomic import read_json, write_json


@dataclass(frozen=True)
class SweepStatus:
    """Hold how many cases of a sweep ended how, and whether its table is written."""

    name: str
    folder: str
    chapter: str
    profile: str
    cases: int
    finished: int
    failed: list[str]
    running: list[str]
    table: bool


def note_sweep(sweep: Sweep, folder: Path) -> None:
    """Write what a sweep is to run into its folder."""
    cases = [case.name for case in sweep.cases()]
    note = {"chapter": get_chapter(sweep.chapter).name, "profile": sweep.profile, "cases": cases}
    if read_json(folder / SWEEP_FILE) != note:
        write_json(folder / SWEEP_FILE, note)


def sweep_status(folder: Path) -> SweepStatus:
    """Return the status of the sweep in a folder."""
    note = read_json(folder / SWEEP_FILE)
    ended = {name: _case_state(folder / name) for name in note["cases"]}
    return SweepStatus(
        name=folder.name,
        folder=shown(folder),
        chapter=note["chapter"],
        profile=note["profile"],
        cases=len(ended),
        finished=sum(state == "ok" for state in ended.values()),
        failed=[name for name, state in ended.items() if state not in ("ok", "running", "")],
        running=[name for name, state in ended.items() if state == "running"],
        table=(folder / "sweep.csv").is_file(),
    )


def sweep_statuses() -> list[SweepStatus]:
    """Return the status of every sweep in the folder of runs."""
    return [sweep_status(folder) for folder in sweep_folders()]


def sweep_text(sweep: SweepStatus) -> str:
    """Return how far a sweep is, in a few words."""
    words = [f"{sweep.finished}/{sweep.cases} finished"]
    words += [f"running: {', '.join(sweep.running)}"] if sweep.running else []
    words += [f"failed: {', '.join(sweep.failed)}"] if sweep.failed else []
    words += ["sweep.csv is written"] if sweep.table else []
    return f"{'; '.join(words)}, in {sweep.folder}"


def _case_state(folder: Path) -> str:
    """Return how the last run of a case ended; empty of one that has not begun."""
    places = (folder, attempt_folder(folder))
    runs = [FoundRun(one, record) for one in places if (record := known_record(one)) is not None]
    return state(max(runs, key=lambda run: run.record.started))[0] if runs else ""
