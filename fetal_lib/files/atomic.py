"""Write files so that a reader sees the old or the new content, never half of it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(content)
            part.flush()
            os.fsync(part.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON with two spaces of indent, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, None if it is missing or broken."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def append_line(path: Path, event: dict[str, Any]) -> None:
    """Append one JSON line in one write, so that two processes can share the file."""
    line = json.dumps(event, ensure_ascii=False, default=plain) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode("utf-8"))
    finally:
        os.close(handle)


def plain(value: Any) -> Any:
    """Return a NumPy number or array as Python's own; what is neither is shown as text.

    >>> import numpy as np
    >>> plain(np.float32(0.5)), plain(np.arange(2))
    (0.5, [0, 1])
    """
    for method in ("item", "tolist"):
        if hasattr(value, method):
            try:
                return getattr(value, method)()
            except (TypeError, ValueError):
                continue
    return str(value)


def six_digits(value: float) -> float:
    """Round to six significant digits, so that the last bits of a sum don't show.

    >>> six_digits(0.123456789), six_digits(1234567.8)
    (0.123457, 1234570.0)
    """
    number = float(value)
    return number if number == 0 or not math.isfinite(number) else float(f"{number:.6g}")
