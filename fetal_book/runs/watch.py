"""Watch a running chapter: its progress, its memory, its time, and signals to stop."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Say = Callable[[str], None]


class StopRequest:
    """Remember that a signal asked for the end of the run."""

    def __init__(self) -> None:
        self.name = ""

    def __call__(self, number: int, frame: Any) -> None:
        """Take a signal."""
        self.name = signal.Signals(number).name


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into a request, so that the record can be closed first."""
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class ProgressTail:
    """Print short lines for what is appended to progress.jsonl."""

    def __init__(self, path: Path, say: Say) -> None:
        self._path = path
        self._say = say
        self._offset = 0
        self._heading = ""
        self._start = time.monotonic()

    def read(self) -> None:
        """Print what was appended since the last call."""
        try:
            with self._path.open("rb") as handle:
                handle.seek(self._offset)
                content = handle.read()
        except OSError:
            return
        whole, _, _ = content.rpartition(b"\n")
        if not whole:
            return
        self._offset += len(whole) + 1
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                self._show(json.loads(line))

    def _show(self, event: dict[str, Any]) -> None:
        text = event_text(event)
        if event.get("event") == "cell":
            if event.get("heading") == self._heading:
                return
            self._heading = event.get("heading", "")
        if text:
            self._say(f"{time.monotonic() - self._start:6.0f} s  {text}")


def event_text(event: dict[str, Any]) -> str:
    """Return a progress event as one short line, empty when it says nothing to a person.

    >>> event_text({"event": "epoch", "epoch": 3, "epochs": 24, "loss": 0.12345})
    'epoch 3/24  loss 0.1235'
    """
    kind = event.get("event")
    if kind == "cell":
        return f"{event.get('heading') or 'start'} (cell {event['cell']} of {event['cells']})"
    if kind == "epoch":
        skip = ("event", "time", "epoch", "epochs")
        numbers = [
            f"{name} {value:.4g}"
            for name, value in event.items()
            if name not in skip and isinstance(value, int | float)
        ]
        head = f"epoch {event.get('epoch')}/{event.get('epochs')}"
        return "  ".join([head, *numbers])
    if kind == "fit":
        return f"fit {event.get('key', '')}: {event.get('state', '')}"
    if kind in ("stage", "note"):
        return str(event.get("text", ""))
    return ""


def peak_mb(process: Any) -> float:
    """Return the memory that a psutil process and its descendants hold now, in MB."""
    import psutil

    total = 0
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return round(total / 1e6, 1)


def watch(
    worker: subprocess.Popen[bytes],
    tail: ProgressTail,
    stop: StopRequest,
    timeout_s: float | None,
) -> tuple[str, float]:
    """Wait for the worker, a time limit or a signal, and end the worker's processes.

    Returns "done", "timeout" or "interrupted", and the most memory that the worker and its
    kernel were seen to hold, in MB.
    """
    import psutil

    from fetal_book.runs.process import end_tree

    process = psutil.Process(worker.pid)
    start, peak, ticks, end = time.monotonic(), 0.0, 0, "done"
    while worker.poll() is None:
        if stop.name:
            end = "interrupted"
        elif timeout_s is not None and time.monotonic() - start > timeout_s:
            end = "timeout"
        if end != "done":
            end_tree(process)
            worker.wait()
            break
        if ticks % 5 == 0:
            peak = max(peak, peak_mb(process))
        ticks += 1
        tail.read()
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(timeout=0.2)
    tail.read()
    return end, peak
