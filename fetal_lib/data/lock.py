"""Remember what was fetched first: sizes and checksums that the manifest does not know.

``.fetched.json`` lies in the data set's folder. A file is recorded once, when it is first there
whole; every later fetch and check is compared with that record. To accept another version of a
file on purpose, remove its entry (or the whole lock) and the file.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from fetal_lib.data.checksums import file_digest
from fetal_lib.data.manifest import UNKNOWN, Bytes, DataFile, Md5, Sha256
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

LOCK_NAME = ".fetched.json"


class LockError(UserError, ValueError):
    """The record of the first fetch cannot be read."""


class LockedFile(BaseModel):
    """Hold what a file was when it was first there whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: Bytes
    md5: Md5
    sha256: Sha256
    url: str
    recorded: str


def read_lock(folder: str | Path) -> dict[str, LockedFile]:
    """Return the recorded files of a folder by name; empty where nothing was recorded.

    Raises
    ------
    LockError
        If .fetched.json is there but damaged.
    """
    path = Path(folder) / LOCK_NAME
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
        return {name: LockedFile.model_validate(entry) for name, entry in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise LockError(
            f"{path}: no readable record of first fetches ({type(error).__name__}); remove it, "
            "and the next fetch records the files anew"
        ) from error


def record(folder: Path, file: DataFile) -> None:
    """Record a file that lies in the folder, unless it was recorded before.

    A record that contradicts the manifest, which has moved on to another version, is replaced.
    """
    files = read_lock(folder)
    old = files.get(file.name)
    if old is None or contradicts(file, old):
        path = folder / file.name
        files[file.name] = LockedFile(
            bytes=path.stat().st_size,
            md5=file_digest(path, "md5"),
            sha256=file_digest(path, "sha256"),
            url=file.url,
            recorded=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        entries = {name: entry.model_dump() for name, entry in sorted(files.items())}
        write_json(folder / LOCK_NAME, {"files": entries})


def completed(file: DataFile, locked: LockedFile | None) -> DataFile:
    """Fill what the manifest does not know from the record; what the manifest states wins.

    A record that contradicts the manifest belongs to another version and is left aside.

    Examples
    --------
    >>> file = DataFile(name="a", url="http://x/a", bytes=1, md5="unknown", sha256="unknown")
    >>> completed(file, None) == file
    True
    """
    if locked is None or contradicts(file, locked):
        return file
    known = {key: getattr(locked, key) for key in ("bytes", "md5", "sha256")}
    filled = {key: value for key, value in known.items() if getattr(file, key) == UNKNOWN}
    return file.model_copy(update=filled)


def contradicts(file: DataFile, locked: LockedFile) -> bool:
    """Return whether a record differs from what the manifest states."""
    pairs = [(getattr(file, key), getattr(locked, key)) for key in ("bytes", "md5", "sha256")]
    return any(stated not in (UNKNOWN, found) for stated, found in pairs)
