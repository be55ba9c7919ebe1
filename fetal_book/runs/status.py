"""What runs there are of every chapter: those that stand, and what failed or runs since."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import CHAPTERS, Chapter
from fetal_book.parameters.project import runs_root, shown
from fetal_book.runs.again import command_again
from fetal_book.runs.find_runs import FoundRun, chapter_runs, is_of_sweep
from fetal_book.runs.folder import is_alive
from fetal_book.runs.record import RunRecord, known_record, seconds_between, utc_now
from fetal_book.runs.stale import stale_reasons
from fetal_lib.files.atomic import write_text

GONE = "the process that ran it is gone"
NEVER = "never run"
NAMED = 3
"""Changed modules that a line names."""


@dataclass(frozen=True)
class RunStatus:
    """Hold what is known of a run; of a chapter without one, `status` is "never run".

    `again` is the command that makes it again, empty where its chapter no longer could.
    """

    chapter: str
    number: str
    title: str
    status: str = NEVER
    reason: str = ""
    folder: str = ""
    profile: str = ""
    data: str = ""
    started: str = ""
    age_s: float | None = None
    wall_s: float | None = None
    commit: str = ""
    dirty: bool | None = None
    hardware: str = ""
    stale: bool = False
    stale_because: list[str] = field(default_factory=list)
    again: str = ""


def chapter_statuses(chapter: Chapter) -> list[RunStatus]:
    """Return the runs of a chapter that count, those on the data last run on first.

    For each profile and each data the newest finished run; behind it the last one that did not
    finish, where it was started later. Cases of sweeps are left out. Without any run there is one
    status that says so.
    """
    counted: list[FoundRun] = []
    groups: dict[tuple[str, ...], list[FoundRun]] = {}
    for run in chapter_runs(chapter):
        if not is_of_sweep(run.folder):
            record = run.record
            key = (record.profile, record.data, record.data_digest)
            groups.setdefault(key, []).append(run)
    for runs in groups.values():
        counted += [run for run in runs if run.record.status == "ok"][:1]
        counted += [runs[0]] if runs[0].record.status != "ok" else []
    found = [run_status(chapter, run) for run in counted]
    return found or [RunStatus(chapter.name, chapter.number, chapter.title)]


def run_status(chapter: Chapter, run: FoundRun) -> RunStatus:
    """Return the status of a run; one whose process is gone is shown as killed."""
    record = run.record
    status, reason = state(run)
    because = stale_reasons(chapter, record) if status == "ok" else []
    return RunStatus(
        chapter=chapter.name,
        number=chapter.number,
        title=chapter.title,
        status=status,
        reason=reason,
        folder=shown(run.folder),
        profile=record.profile,
        data=record.data,
        started=record.started,
        age_s=round(seconds_between(record.finished or record.started, utc_now()), 1),
        wall_s=record.wall_s,
        commit=(record.code.get("commit") or "")[:10],
        dirty=record.code.get("dirty"),
        hardware=hardware_text(record),
        stale=bool(because),
        stale_because=because,
        again=_again(record),
    )


def state(run: FoundRun) -> tuple[str, str]:
    """Return how a run ended or that it goes on, and why."""
    if run.record.status == "running" and not is_alive(run.folder, run.record):
        return "killed", GONE
    return run.record.status, run.record.reason


def _again(record: RunRecord) -> str:
    try:
        return command_again(record)
    except ParameterError:
        return ""


def all_statuses() -> list[RunStatus]:
    """Return the runs that count of every chapter, in the order of the book."""
    return [status for chapter in CHAPTERS.values() for status in chapter_statuses(chapter)]


def hardware_text(record: RunRecord) -> str:
    """Return the machine of a run in a few words."""
    hardware = record.hardware
    if not hardware:
        return ""
    text = f"{hardware.get('cpu')}, {hardware.get('cores')} cores, {hardware.get('ram_gb')} GB"
    return f"{text}, {hardware['gpu']}" if hardware.get("gpu") else text


def up_to_date_text(status: RunStatus) -> str:
    """Return whether a finished run still stands, and if not, why."""
    if status.status != "ok":
        return status.reason
    return f"stale: {reasons_text(status.stale_because)}" if status.stale else "up to date"


def reasons_text(reasons: list[str]) -> str:
    """Return reasons on one line, of a long list its first names.

    >>> reasons_text(["the data changed", "changed: a, b, c, d, e"])
    'the data changed; changed: a, b, c and 2 more'
    """
    short = []
    for reason in reasons:
        names = reason.split(", ")
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        short.append(", ".join(names[:NAMED]) + more)
    return "; ".join(short)


def write_status_page(path: Path) -> None:
    """Write the table of the book's status page, Markdown, of the runs that the book shows.

    A chapter that the book has no run of is shown by its last run anywhere; drafts are left out.
    """
    head = ("Chapter", "Run", "Data", "Finished", "Time", "Commit", "Machine", "Up to date")
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for chapter in (one for one in CHAPTERS.values() if not one.draft):
        place = runs_root() / "book" / chapter.name
        record = known_record(place)
        status = (
            chapter_statuses(chapter)[0]
            if record is None
            else run_status(chapter, FoundRun(place, record))
        )
        lines.append(f"| {' | '.join(_page_row(status))} |")
    write_text(Path(path), "\n".join(lines) + "\n")


def _page_row(status: RunStatus) -> list[str]:
    commit = f"`{status.commit}`" if status.commit else "not under version control"
    cells = [
        f"{status.number} {status.title}",
        " ".join(word for word in (status.status, status.profile) if word),
        f"{status.data} (made up)" if status.data == "phantom" else status.data,
        status.started[:16].replace("T", " ") + (" UTC" if status.started else ""),
        f"{status.wall_s:.0f} s" if status.wall_s is not None else "",
        (commit + (", changed files" if status.dirty else "")) if status.started else "",
        status.hardware,
        up_to_date_text(status),
    ]
    return [cell.replace("|", "\\|") for cell in cells]
