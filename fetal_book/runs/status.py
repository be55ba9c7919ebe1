"""The last run of every chapter: how it ended, on what data, and whether it still stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fetal_book.parameters.chapters import CHAPTERS, Chapter
from fetal_book.parameters.project import runs_root, shown
from fetal_book.runs.attempt import PREVIOUS, attempt_folder
from fetal_book.runs.folder import is_alive
from fetal_book.runs.record import RunRecord, known_record, seconds_between, utc_now
from fetal_book.runs.stale import stale_reasons
from fetal_lib.files.atomic import write_text

GONE = "the process that ran it is gone"


@dataclass(frozen=True)
class ChapterStatus:
    """Hold what is known of a chapter's last run; without one, `status` is "never run"."""

    chapter: str
    number: str
    title: str
    status: str = "never run"
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


def run_folders(chapter: Chapter) -> list[Path]:
    """Return the folders of a chapter's runs: `runs/<chapter>/*` and `runs/book/<chapter>`.

    Attempts are among them; results that a newer one replaced are not.
    """
    root = runs_root()
    shown_run = root / "book" / chapter.name
    found = [*sorted((root / chapter.name).glob("*")), shown_run, attempt_folder(shown_run)]
    runs = [folder for folder in found if (folder / "record.json").is_file()]
    return [folder for folder in runs if folder.suffix != PREVIOUS]


def last_run(folders: Iterable[Path]) -> tuple[Path, RunRecord] | None:
    """Return the run that was started last; records that cannot be read are passed over."""
    runs = [(folder, record) for folder in folders if (record := known_record(folder)) is not None]
    return max(runs, key=lambda run: run[1].started, default=None)


def chapter_status(chapter: Chapter, folders: Iterable[Path] | None = None) -> ChapterStatus:
    """Return the status of a chapter by its last run.

    A run that is recorded as running, but whose process is gone, is shown as killed.
    """
    found = last_run(run_folders(chapter) if folders is None else folders)
    if found is None:
        return ChapterStatus(chapter.name, chapter.number, chapter.title)
    folder, record = found
    status, reason = record.status, record.reason
    if status == "running" and not is_alive(folder, record):
        status, reason = "killed", GONE
    because = stale_reasons(chapter, record) if status == "ok" else []
    return ChapterStatus(
        chapter=chapter.name,
        number=chapter.number,
        title=chapter.title,
        status=status,
        reason=reason,
        folder=shown(folder),
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
    )


def all_statuses() -> list[ChapterStatus]:
    """Return the status of every chapter, in the order of the book."""
    return [chapter_status(chapter) for chapter in CHAPTERS.values()]


def hardware_text(record: RunRecord) -> str:
    """Return the machine of a run in a few words."""
    hardware = record.hardware
    if not hardware:
        return ""
    text = f"{hardware.get('cpu')}, {hardware.get('cores')} cores, {hardware.get('ram_gb')} GB"
    return f"{text}, {hardware['gpu']}" if hardware.get("gpu") else text


def up_to_date_text(status: ChapterStatus) -> str:
    """Return whether a finished run still stands, and if not, why."""
    if status.status != "ok":
        return status.reason
    return f"stale: {'; '.join(status.stale_because)}" if status.stale else "up to date"


def write_status_page(path: Path) -> None:
    """Write the table of the book's status page, Markdown, of the runs that the book shows.

    A chapter that the book has no run of is shown by its last run anywhere; drafts are left out.
    """
    head = ("Chapter", "Run", "Data", "Finished", "Time", "Commit", "Machine", "Up to date")
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for chapter in (one for one in CHAPTERS.values() if not one.draft):
        shown_run = runs_root() / "book" / chapter.name
        in_book = (shown_run / "record.json").is_file()
        status = chapter_status(chapter, [shown_run] if in_book else None)
        lines.append(f"| {' | '.join(_page_row(status))} |")
    write_text(Path(path), "\n".join(lines) + "\n")


def _page_row(status: ChapterStatus) -> list[str]:
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
