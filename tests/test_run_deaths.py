"""Whatever kills a run, the record says so, no process outlives it, and the next run works."""

import json
import os
import signal

import psutil
import pytest
from made_up_project import (
    CHAPTER,
    alive,
    attempt,
    call_cli,
    content,
    run_folder,
    start_cli,
    wait_for,
    write_project,
)

from fetal_book.runs.attempt import previous_folder
from fetal_book.runs.execute import run_chapter
from fetal_book.runs.record import read_record
from fetal_lib.files.atomic import read_json

pytestmark = pytest.mark.slow
C_LOOP = "import itertools\n1 in itertools.repeat(0)  # one call into C that never returns"
RUN = ("run", "04", "--profile", "smoke")


def start_busy(project):
    """Start a run whose kernel hangs in C; return the process and the ids of its children."""
    write_project(project, "run.progress('busy')", C_LOOP)
    process = start_cli(project, *RUN)
    progress = attempt(project) / "progress.jsonl"
    wait_for(lambda: progress.exists() and '"busy"' in progress.read_text())
    content = json.loads((attempt(project) / "logs" / "processes.json").read_text())
    return process, content["worker"]["pid"], content["kernel"]["pid"]


def status_of(project):
    return read_record(attempt(project))


def status_by_cli(project):
    """Return what `fetal-lib status --json` says of the chapter's last attempt."""
    listed = json.loads(call_cli(project, "status", "--json")[1])["runs"]
    return [entry for entry in listed if entry["chapter"] == CHAPTER][-1]


def test_a_kernel_that_kills_itself_is_a_killed_run(project):
    write_project(project, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    outcome = run_chapter("04", "smoke")
    assert outcome.record.status == "killed" and outcome.exit_code == 1
    assert outcome.record.reason == "the kernel died: signal 9 (SIGKILL)"
    assert (outcome.folder / "logs" / "failed.ipynb").exists()
    assert not (outcome.folder / "executed.ipynb").exists()


def test_a_worker_killed_from_outside_is_a_killed_run(project):
    process, worker, kernel = start_busy(project)
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1 and "the worker died: signal 9 (SIGKILL)" in errors
    assert status_of(project).status == "killed"
    wait_for(lambda: not alive(kernel), 10)


def test_when_the_parent_is_killed_worker_and_kernel_die_and_the_record_is_closed_later(project):
    process, worker, kernel = start_busy(project)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not alive(worker) and not alive(kernel), 10)
    assert status_of(project).status == "running"  # nobody was left to write it
    status = status_by_cli(project)
    assert (status["status"], status["reason"]) == ("killed", "the process that ran it is gone")
    write_project(project)
    outcome = run_chapter("04", "smoke")
    assert outcome.record.status == "ok"
    assert outcome.record.previous[0]["status"] == "killed"


def test_a_finished_run_outlives_the_kill_of_the_next_and_is_kept_once_when_replaced(project):
    run_chapter("04", "smoke")
    (run_folder(project) / "notes.txt").write_text("mine")
    first = content(run_folder(project))
    process, worker, kernel = start_busy(project)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not alive(worker) and not alive(kernel), 10)
    assert content(run_folder(project)) == first
    assert status_by_cli(project)["status"] == "killed"
    write_project(project)
    second = run_chapter("04", "smoke")
    assert second.folder == run_folder(project) and second.record.status == "ok"
    assert [entry["status"] for entry in second.record.previous] == ["killed", "ok"]
    assert first.pop("notes.txt") == content(run_folder(project)).pop("notes.txt")
    previous = previous_folder(run_folder(project))
    assert content(previous) == first
    run_chapter("04", "smoke")
    assert read_record(previous) == second.record
    left = {path.name for path in run_folder(project).parent.iterdir()}
    assert left == {"smoke-phantom", "smoke-phantom.previous"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_no_process(project, number):
    process, worker, kernel = start_busy(project)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and f"stopped by {number.name}" in errors
    assert "Traceback" not in errors
    record = status_of(project)
    assert record.status == "interrupted" and record.wall_s > 0
    assert not alive(worker) and not alive(kernel)
    assert (attempt(project) / "logs" / "failed.ipynb").exists()


def test_a_run_that_takes_too_long_is_ended(project):
    write_project(project, C_LOOP)
    outcome = run_chapter("04", "smoke", timeout_s=8)
    assert outcome.record.status == "timeout" and outcome.exit_code == 124
    assert outcome.record.reason == "the run passed its limit of 8 s"
    left = read_json(outcome.folder / "logs" / "processes.json") or {}  # {}: too slow for a kernel
    assert not any(alive(one["pid"]) for one in left.values())


def test_children_of_the_kernel_die_with_an_ended_run(project):
    code = "import subprocess\nchild = subprocess.Popen(['sleep', '300'])"
    write_project(project, code, "(run.folder / 'child').write_text(str(child.pid))", C_LOOP)
    process = start_cli(project, *RUN)
    note = attempt(project) / "child"
    wait_for(lambda: note.exists() and note.read_text() != "")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130 and not alive(int(note.read_text()))


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(project):
    process, _, kernel = start_busy(project)
    code, _, errors = call_cli(project, *RUN)
    assert code == 2 and f"is in use by another run (process {process.pid})" in errors
    assert alive(kernel)
    assert status_by_cli(project)["status"] == "running"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)


def test_orphans_that_are_on_record_are_ended_by_the_next_run(project):
    orphan = psutil.Popen(["sleep", "300"])
    folder = attempt(project)
    (folder / "logs").mkdir(parents=True)
    identity = {"pid": orphan.pid, "started": orphan.create_time()}
    stranger = {"pid": os.getpid(), "started": 1.0}  # an id that was used anew
    (folder / "logs" / "processes.json").write_text(
        json.dumps({"kernel": identity, "worker": stranger})
    )
    (folder / "record.json").write_text(json.dumps({"chapter": "04_head_circumference"}))
    assert run_chapter("04", "smoke").record.status == "ok"
    assert not alive(orphan.pid)


def test_a_killed_fit_is_resumed_by_the_next_run(project):
    fit = (
        "import os, signal\n"
        "def fit(folder):\n"
        "    path = folder / 'epochs'\n"
        "    if path.exists():\n"
        "        return\n"
        "    path.write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "run.data_fingerprint = 'made up'\n"
        "outcome = run.fit_or_reuse({'name': 'unet'}, {}, ['fetal_lib.models.unet'], fit)"
    )
    write_project(project, fit)
    states = [run_chapter("04", "smoke").record for _ in range(3)]
    assert [record.status for record in states] == ["killed", "ok", "ok"]
    assert [record.fits[0]["state"] for record in states[1:]] == ["resumed", "reused"]
