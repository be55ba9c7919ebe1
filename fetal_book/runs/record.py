"""record.json: what a run was, on what it rests, how it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetal_lib.errors import UserError
from fetal_lib.files.atomic import read_json, write_json

SCHEMA = 1
RECORD_FILE = "record.json"
Status = Literal["running", "ok", "failed", "killed", "timeout", "interrupted"]
KEEP_PREVIOUS = 5


class RecordError(UserError, ValueError):
    """A record.json is missing or cannot be read."""


class RunRecord(BaseModel):
    """Hold one run's record; no user name, no host name, no absolute path goes into it."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int = SCHEMA
    chapter: str
    title: str = ""
    status: Status = "running"
    reason: str = ""
    error: dict[str, Any] | None = None
    profile: str = "quick"
    data: str = ""
    started_by: str = ""
    started: str = Field(default_factory=lambda: utc_now())
    finished: str | None = None
    wall_s: float | None = None
    text_renewed: str | None = None
    process: dict[str, Any] = Field(default_factory=dict)
    code: dict[str, Any] = Field(default_factory=dict)
    notebook: dict[str, Any] = Field(default_factory=dict)
    modules: dict[str, str] = Field(default_factory=dict)
    data_fingerprint: Any = None
    environment: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    hardware: dict[str, Any] = Field(default_factory=dict)
    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    fits: list[dict[str, Any]] = Field(default_factory=list)
    previous: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def data_digest(self) -> str:
        """Six digits that tell its data from others of that name; empty where no folder was."""
        return (self.parameters.get("data") or {}).get("digest", "")

    def write(self, folder: Path) -> None:
        """Write record.json into the run folder, whole or not at all."""
        write_json(Path(folder) / RECORD_FILE, self.model_dump(mode="json"))

    def close(self, status: Status, reason: str = "", error: dict[str, Any] | None = None) -> None:
        """Set how the run ended, and the time it took."""
        self.status, self.reason, self.error = status, reason, error
        self.finished = utc_now()
        self.wall_s = round(seconds_between(self.started, self.finished), 1)

    def short(self) -> dict[str, Any]:
        """Return the few facts that the next run in this folder keeps of this one."""
        names = ("status", "reason", "profile", "data", "started", "finished", "wall_s")
        return {name: getattr(self, name) for name in names}


def read_record(folder: Path) -> RunRecord | None:
    """Return the record of a run folder, None if it has none."""
    path = Path(folder) / RECORD_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        raise RecordError(
            f"{path.name} in {path.parent.name}: it is no record of a run "
            f"({error.error_count()} faults); run the chapter again"
        ) from error


def known_record(folder: Path) -> RunRecord | None:
    """Return the record of a run folder, None where it has none that can be read."""
    try:
        return read_record(folder)
    except RecordError:
        return None


def ended_ok(folder: Path) -> RunRecord:
    """Return the record of a run that ended well; the error says what else it is."""
    record = read_record(folder)
    if record is None:
        raise RecordError(
            f"run folder: received {folder}; it must hold a record.json, which a run writes first"
        )
    if record.status != "ok":
        raise RecordError(
            f"run folder: received {folder}; its run is {record.status!r} ({record.reason}); "
            "only one that ended 'ok' can be shown"
        )
    return record


def utc_now() -> str:
    """Return the present time in UTC, such as `2026-01-31T09:30:00.250Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(start: str, end: str) -> float:
    """Return the seconds between two times as `utc_now` writes them.

    >>> seconds_between("2026-01-31T09:30:00.000Z", "2026-01-31T09:31:30.500Z")
    90.5
    """
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
