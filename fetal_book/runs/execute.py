"""The parent process of a run: check first, hold the folder, start the worker, tell the truth."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fetal_book
from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import get_chapter
from fetal_book.parameters.notebook_cell import check_parameters_cell
from fetal_book.parameters.parse import anchor_paths
from fetal_book.parameters.project import project_root, shown
from fetal_book.parameters.resolve import Resolved, resolve_parameters
from fetal_book.runs.attempt import (
    begin_attempt,
    end_orphans,
    forget_attempt,
    settle,
    take_name,
)
from fetal_book.runs.data_sets import check_data, check_layout, data_root
from fetal_book.runs.folder import (
    check_folder,
    held_folder,
    run_folder,
)
from fetal_book.runs.pairs import read_chapter, without_traces, write_notebook
from fetal_book.runs.plain_text import plain_notebook
from fetal_book.runs.process import signal_text
from fetal_book.runs.record import RunRecord
from fetal_book.runs.session import SESSION_FILE
from fetal_book.runs.start import FOLDER_VARIABLE, new_record
from fetal_book.runs.text_only import renew_text
from fetal_book.runs.watch import ProgressTail, Say, StopRequest, stop_signals, watch
from fetal_book.runs.worker import OUTCOME_FILE, RUNNING_FILE
from fetal_lib.errors import short
from fetal_lib.files.atomic import read_json

# PyTorch's threads wait for each other after every layer. If they spin meanwhile and another
# program has one of the cores, an epoch takes up to nine times as long; asleep they cost little.
SLEEPING_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
POOLS = (
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "LOKY_MAX_CPU_COUNT"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"),
)
"""What each library calls the threads that it starts; where only OMP_NUM_THREADS is set, as the
workflow does, all follow it."""
EXIT_CODES = {"ok": 0, "failed": 1, "killed": 1, "timeout": 124, "interrupted": 130}


@dataclass(frozen=True)
class RunOutcome:
    """Hold how a run ended, and where it is."""

    folder: Path
    record: RunRecord

    @property
    def exit_code(self) -> int:
        """0 ok, 1 failed or killed, 124 timeout, 130 interrupted."""
        return EXIT_CODES[self.record.status]


def say_nothing(text: str) -> None:
    """Take a line of progress and drop it."""


def run_chapter(
    name: str,
    profile: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    out: str | Path = "",
    timeout_s: float | None = None,
    say: Say = say_nothing,
    only_if_needed: bool = False,
) -> RunOutcome:
    """Execute one chapter in a process of its own, and close its record whatever happens.

    The overrides are typed; their paths are taken relative to the working folder. With
    `only_if_needed` outputs that still follow from code, parameters, data and packages are kept,
    and the text around them is renewed. What is wrong with the order is said before anything is
    started or changed.
    """
    chapter = get_chapter(name)
    own = dict(overrides or {})
    if out and own.get("out"):
        raise ParameterError(f"out: received {own['out']!r} and {str(out)!r}; give it once")
    if timeout_s is not None and not timeout_s > 0:
        raise ParameterError(f"timeout: received {timeout_s}; it must be above 0 seconds")
    if out:
        own["out"] = str(out)
    cls = chapter.parameters_class()
    resolved = resolve_parameters(chapter, profile, anchor_paths(cls, own, project_root()))
    check_data(resolved.parameters)
    check_layout(chapter.name, resolved.parameters.data)
    notebook = chapter.notebook()
    check_parameters_cell(notebook, cls)
    folder = run_folder(chapter.name, resolved.parameters)
    check_folder(folder)
    with stop_signals() as stop, held_folder(folder):
        settle(folder)
        standing = renew_text(chapter, resolved, folder) if only_if_needed else None
        if standing is not None:
            forget_attempt(folder)
            say(f"{chapter.name}: the outputs in {shown(folder)} stand; the text is renewed")
            return RunOutcome(folder, standing)
        record = new_record(chapter, resolved, "fetal-lib run")
        attempt, record.previous = begin_attempt(folder)
        record.write(attempt)
        say(f"{chapter.name}: profile {record.profile}, data {record.data}, in {shown(folder)}")
        digest = record.data_digest
        if digest and folder.name.endswith(f"-{digest}"):
            plain = folder.name.removesuffix(f"-{digest}")
            say(f"{plain} belongs to other data called {record.data}")
        job = {
            "notebook": str(notebook),
            "folder": str(attempt),
            "parameters": own_parameters(resolved),
            "parent_pid": os.getpid(),
        }
        close_truthfully(record, job, stop, timeout_s, say)
        if record.status == "ok":
            return RunOutcome(take_name(attempt), record)
        if is_bad_data(record, attempt):
            forget_attempt(folder)
    if not attempt.exists() and not resolved.parameters.out:
        with contextlib.suppress(OSError):  # other runs are in it
            folder.parent.rmdir()
    return RunOutcome(attempt, record)


def is_bad_data(record: RunRecord, attempt: Path) -> bool:
    """Say whether a run failed while it read its data: the message says all that is to know."""
    error = record.error or {}
    message = str(error.get("message"))
    unread = error.get("name") == "BadFilesError" or message.startswith(("data=", "data:"))
    return unread and not any((attempt / name).exists() for name in ("tables", "figures", "model"))


def own_parameters(resolved: Resolved) -> dict[str, Any]:
    """Return what the notebook is given; what has its default is not injected."""
    values = resolved.parameters.model_dump(exclude={"out"})
    return {name: value for name, value in values.items() if resolved.origin[name] != "default"}


def close_truthfully(
    record: RunRecord, job: dict[str, Any], stop: StopRequest, timeout_s: float | None, say: Say
) -> None:
    """Run the worker and close the record with what really happened."""
    folder = Path(job["folder"])
    tail = ProgressTail(folder / "progress.jsonl", say)
    try:
        with tempfile.TemporaryDirectory(prefix="fetal-run-") as scratch:
            worker = start_worker(job, Path(scratch))
            end, peak = watch(worker, tail, stop, timeout_s)
        if end == "done":
            close_done(record, folder, worker.returncode)
        elif end == "timeout":
            record.close("timeout", f"the run passed its limit of {timeout_s:g} s")
        else:
            record.close("interrupted", f"it was stopped by {stop.name}")
        record.peak_rss_mb = max(peak, record.peak_rss_mb or 0.0)
    except BaseException as error:
        record.close("failed", f"the run's own process failed: {type(error).__name__}: {error}")
        raise
    finally:
        end_orphans(folder)
        settle_notebook(record, folder)
        record.write(folder)


def start_worker(job: dict[str, Any], scratch: Path) -> subprocess.Popen[bytes]:
    """Start `python -m fetal_book.runs.worker` in a process group of its own."""
    folder = Path(job["folder"])
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    with (logs / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "fetal_book.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=project_root(),
            env=worker_environment(folder, scratch),
            start_new_session=True,
        )
    with contextlib.suppress(BrokenPipeError), worker.stdin as pipe:
        pipe.write(json.dumps(job).encode("utf-8"))
    return worker


def worker_environment(folder: Path, scratch: Path) -> dict[str, str]:
    """Return the worker's environment: this library, this project, no private IPython set-up."""
    known = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    threads = known.get("OMP_NUM_THREADS")
    pools = dict.fromkeys(POOLS, threads) if threads else {}
    environment = SLEEPING_THREADS | pools | known
    library = str(Path(fetal_book.__file__).resolve().parents[1])
    paths = [library, *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment |= {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(path for path in paths if path)),
        "PYTHONHASHSEED": "0",
        "FETAL_PROJECT": str(project_root()),
        "FETAL_DATA": str(data_root() or ""),  # the chapter runs in another working folder
        FOLDER_VARIABLE: str(folder),
        "TMPDIR": str(scratch),
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "runtime"),
    }
    if "SLURM_JOB_ID" in known:  # Lightning would take SLURM's one task for all its processes
        environment["SLURM_JOB_NAME"] = "interactive"
    return environment


def close_done(record: RunRecord, folder: Path, returncode: int) -> None:
    """Close the record of a run whose worker ended by itself or was killed."""
    outcome = read_json(folder / OUTCOME_FILE)
    facts = read_json(folder / SESSION_FILE)
    if isinstance(facts, dict):
        for name in ("modules", "data_fingerprint", "fits", "peak_rss_mb", "peak_gpu_mb"):
            setattr(record, name, facts.get(name))
    if not isinstance(outcome, dict):
        if returncode < 0:
            record.close("killed", f"the worker died: {signal_text(returncode)}")
        else:
            record.close("failed", f"the worker stopped: {last_log_line(folder)}")
    elif outcome["status"] == "ok" and not (facts and (folder / "results.json").is_file()):
        record.close("failed", "the notebook ended without run.finish(), so it has no results")
    else:
        record.close(outcome["status"], outcome["reason"], outcome["error"])


def last_log_line(folder: Path) -> str:
    """Return the last line of the worker's log that says something."""
    try:
        text = (folder / "logs" / "worker.log").read_text("utf-8", errors="replace")
    except OSError:
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return short(lines[-1], 500) if lines else "no reason was left in logs/worker.log"


def settle_notebook(record: RunRecord, folder: Path) -> None:
    """Move the executed notebook into place after success, to `logs/failed.ipynb` otherwise.

    Results of a run that did not succeed are removed, so that nothing pairs them with a page.
    """
    running = folder / RUNNING_FILE
    if record.status == "ok":
        executed = without_traces(read_chapter(running))
        write_notebook(folder / "executed.ipynb", plain_notebook(executed, record.chapter))
        running.unlink(missing_ok=True)
        return
    (folder / "results.json").unlink(missing_ok=True)
    if running.is_file():
        running.replace(folder / "logs" / "failed.ipynb")
