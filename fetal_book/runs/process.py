"""Know a process again: its id together with its start, since ids are used anew."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any


def identity(pid: int | None = None) -> dict[str, Any]:
    """Return `{"pid", "started"}` of a process, this one without an argument."""
    import psutil

    process = psutil.Process(pid or os.getpid())
    return {"pid": process.pid, "started": round(process.create_time(), 2)}


def same_process(identified: dict[str, Any] | None) -> Any | None:
    """Return the psutil process that an identity names, None if it is gone or a zombie."""
    import psutil

    if not identified or not identified.get("pid"):
        return None
    try:
        process = psutil.Process(int(identified["pid"]))
        if abs(process.create_time() - float(identified["started"])) > 1.0:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (psutil.Error, KeyError, TypeError, ValueError):
        return None


def end_tree(process: Any, wait_s: float = 5.0) -> None:
    """Kill a psutil process and all its descendants, and wait until they are gone."""
    import psutil

    doomed = [process]
    with contextlib.suppress(psutil.Error):
        doomed += process.children(recursive=True)
    for one in doomed:
        with contextlib.suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(doomed, timeout=wait_s)


def die_with_parent(parent_pid: int | None = None) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere do nothing.

    Works also for a process that is stuck in a C loop, since no Python code has to run. If the
    parent that is meant is gone already, this process ends at once.
    """
    import ctypes
    import sys

    if not sys.platform.startswith("linux"):
        return
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)


def signal_text(returncode: int) -> str:
    """Return how a process ended in words.

    >>> signal_text(-9), signal_text(1)
    ('signal 9 (SIGKILL)', 'exit code 1')
    """
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        name = signal.Signals(-returncode).name
    except ValueError:
        name = "unknown"
    return f"signal {-returncode} ({name})"
