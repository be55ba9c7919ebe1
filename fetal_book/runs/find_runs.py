"""The runs of a chapter, whoever started them, and the models that they left.

A run is found by its record, up to three folders below the folder of runs: one of `fetal-lib run`
or papermill (`runs/CHAPTER/NAME`, or where `--out` says), the book's (`runs/book/CHAPTER`), a case
of a sweep (`runs/sweeps/NAME/CASE`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fetal_book.parameters.chapters import Chapter, ChapterError, get_chapter
from fetal_book.parameters.project import ProjectError, runs_root, shown
from fetal_book.runs.attempt import PREVIOUS
from fetal_book.runs.record import RunRecord, known_record, seconds_between, utc_now
from fetal_lib.data.kinds import PHANTOM
from fetal_lib.errors import UserError
from fetal_lib.predict.model_folder import find_model

PLACES = ("*", "*/*", "*/*/*")
SWEEP_FILE = "sweep.json"
LISTED = 5


class ModelError(UserError, ValueError):
    """No model is there under the name that was given; the text lists those that are."""


@dataclass(frozen=True)
class FoundRun:
    """Hold a run's folder and its record."""

    folder: Path
    record: RunRecord

    @property
    def words(self) -> str:
        """Where it is and what it was, such as `runs/book/04_head_circumference, quick, hc18`."""
        age = age_text(seconds_between(self.record.finished or self.record.started, utc_now()))
        own = (shown(self.folder), self.record.profile, self.record.data)
        return f"{', '.join(own)}, {age} ago"


def chapter_runs(chapter: Chapter) -> list[FoundRun]:
    """Return the runs of a chapter, the last one first; broken records are passed over.

    A result that a newer one of its folder replaced is left out.
    """
    folders = [path.parent for place in PLACES for path in _below_runs(f"{place}/record.json")]
    runs = [
        FoundRun(folder, record)
        for folder in folders
        if folder.suffix != PREVIOUS and (record := known_record(folder)) is not None
    ]
    own = [run for run in runs if run.record.chapter == chapter.name]
    return sorted(own, key=lambda run: run.record.started, reverse=True)


def sweep_folders() -> list[Path]:
    """Return the folders of sweeps."""
    return [path.parent for place in PLACES for path in _below_runs(f"{place}/{SWEEP_FILE}")]


def is_of_sweep(folder: Path) -> bool:
    """Say whether a run is a case of a sweep."""
    return (folder.parent / SWEEP_FILE).is_file()


def _below_runs(pattern: str) -> list[Path]:
    return sorted(runs_root().glob(pattern))


def finished_runs(chapter: Chapter) -> list[FoundRun]:
    """Return the runs of a chapter that ended well, the newest first."""
    return [run for run in chapter_runs(chapter) if run.record.status == "ok"]


def model_runs(chapter: Chapter) -> list[FoundRun]:
    """Return the finished runs that left a model, the one to take first.

    The newest on real data comes before the newest on phantoms; a run of the profile `smoke`,
    which proves the wiring only, comes last. Outside a project there are none.
    """
    try:
        runs = finished_runs(chapter)
    except ProjectError:
        return []
    found = [run for run in runs if (run.folder / "model" / "model.json").is_file()]
    return sorted(
        found, key=lambda run: (run.record.profile == "smoke", run.record.data == PHANTOM)
    )


def model_home(chapter: Chapter, named: str | Path | None) -> Path:
    """Return the folder of the model that a user names: a folder, or the chapter for its newest.

    Parameters
    ----------
    chapter : whose models are asked for.
    named : folder of a finished run or of a model; number or name of the chapter for the first of
        :func:`model_runs`; None for the model that is shipped.

    Raises
    ------
    ModelError
        If there is none; it says what is missing, and lists the finished runs.
    """
    runs = model_runs(chapter)
    try:
        if named is not None and (other := _as_chapter(str(named))) is not None:
            if other != chapter:
                raise ModelError(
                    f"model={str(named)!r}: that is {other.name}; models of {chapter.name} "
                    "are asked for"
                )
            if runs:
                return find_model(runs[0].folder, chapter.name)
            raise ModelError(f"model={str(named)!r}: no run of {chapter.name} left a model yet")
        folder = None if named is None else Path(named).expanduser()
        return find_model(folder, chapter.name)
    except ValueError as error:
        raise ModelError(f"{error}\n{_listing(chapter, runs)}") from None


def _as_chapter(named: str) -> Chapter | None:
    try:
        return get_chapter(named)
    except ChapterError:
        return None


def _listing(chapter: Chapter, runs: list[FoundRun]) -> str:
    if not runs:
        return f"No finished run with a model: `fetal-lib run {chapter.number}` makes one."
    more = len(runs) - LISTED
    lines = [f"Finished runs with a model; --model {chapter.number} takes the first:"]
    lines += [f"  {run.words}" for run in runs[:LISTED]]
    return "\n".join(lines + ([f"  and {more} older"] if more > 0 else []))


def age_text(seconds: float | None) -> str:
    """Return an age in its largest unit.

    >>> age_text(40), age_text(7300), age_text(200000)
    ('40 s', '2 h', '2 d')
    """
    if seconds is None:
        return ""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
