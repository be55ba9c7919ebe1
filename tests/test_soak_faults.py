"""Whatever breaks while a run is under way: its record is true, the next call recovers.

The chapter is made up and its fit is real: a small PyTorch network with a checkpoint an epoch.
After each fault: no file is half a file, the last finished run is what it was to the byte, and the
next call ends with the numbers of a run that nothing disturbed.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytest.importorskip("torch")

from made_up_project import (
    CHAPTER,
    alive,
    attempt,
    call_cli,
    content,
    environment,
    run_folder,
    start_cli,
    wait_for,
    work_in,
    write_project,
)
from soak import tell, times

from fetal_book.runs.record import read_record

pytestmark = pytest.mark.slow
RUN = ("run", "04", "--profile", "smoke")
FIT = """import numpy as np, torch
from fetal_lib.training.torch_arrays import Arrays, of_output
from fetal_lib.training.torch_fit import fit_torch
from fetal_lib.training.torch_forward import predict_network, seed_torch
from fetal_lib.training.torch_task import TorchSettings
x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
y = (x @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 3)
def network():
    seed_torch(7)
    return torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.ReLU(), torch.nn.Dropout(0.1),
                               torch.nn.Linear(16, 1))
settings = TorchSettings(epochs=EPOCHS, batch_size=8, learning_rate=1e-2, seed=3)
task = Arrays(x, y, settings, of_output(torch.nn.functional.mse_loss))
run.data_fingerprint = 'made up'
fit = run.fit_or_reuse({'name': 'line'}, {'epochs': EPOCHS}, ['fetal_lib.training.torch_fit'],
                       lambda folder: fit_torch(folder, network(), task, run.progress))"""
SCORE = """trained = network()
fit_torch(fit.folder, trained, task)
error = float(np.abs(predict_network(trained, x) - y).mean())
run.add_result(model='line', split='test', metric='adf_mm', value=error, n=64)
run.finish()"""


def write_chapter(root, epochs=12, *cells):
    """Write a project whose chapter trains for so many epochs, then executes the cells."""
    return write_project(root, FIT.replace("EPOCHS", str(epochs)), *cells, finish=SCORE)


def score(folder):
    results = json.loads((folder / "results.json").read_text())["rows"]
    return [row["value"] for row in results if row["metric"] == "adf_mm"]


def whole_files(root):
    """Fail where a file that code reads is half a file."""
    for path in (root / "runs").rglob("*.json"):
        json.loads(path.read_text("utf-8"))
    for path in (root / "runs").rglob("executed.ipynb"):
        json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Run the chapter once in peace; return its score and how long it took in seconds."""
    root = tmp_path_factory.mktemp("peace")
    with pytest.MonkeyPatch.context() as patch:
        work_in(write_chapter(root), patch)
        start = time.monotonic()
        code, _, errors = call_cli(root, *RUN)
        assert code == 0, errors
        return score(run_folder(root)), time.monotonic() - start


def processes_of(process):
    """Return the process and all that it started."""
    return [process, *process.children(recursive=True)]


def strike(root, moment, rng, number):
    """Start a run, wait, and send a signal: a kill to any of its processes, others to the first."""
    started = start_cli(root, *RUN)
    time.sleep(moment)
    family = processes_of(psutil.Process(started.pid)) if started.poll() is None else []
    if family:
        victim = rng.choice(family) if number == signal.SIGKILL else family[0]
        if alive(victim.pid):
            os.kill(victim.pid, number)
    started.communicate(timeout=120)
    wait_for(lambda: not any(alive(one.pid) for one in family), 30, "the end of the processes")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_soak_signals_at_random_moments(project, undisturbed, number):
    """The moments are spread over the length of a run, start and end included."""
    wanted, length = undisturbed
    rng, n, lost = random.Random(number), times(2, 20 if number == signal.SIGKILL else 6), 0
    write_chapter(project)
    for round_ in range(n):
        shutil.rmtree(project / ".cache", ignore_errors=True)
        standing = content(run_folder(project)) if run_folder(project).exists() else None
        strike(project, length * (round_ + rng.random()) / n, rng, number)
        whole_files(project)
        if standing is not None and not attempt(project).exists():  # it came to its end first
            standing = None
        if standing is not None:
            assert content(run_folder(project)) == standing
            listed = json.loads(call_cli(project, "status", "--json")[1])["runs"]
            states = {entry["status"] for entry in listed}
            assert "running" not in states and states & {"killed", "interrupted", "failed"}
            if "failed" in states:  # the command outlived one of its processes, and says so
                reason = read_record(attempt(project)).reason
                assert number == signal.SIGKILL and re.search("died|worker|killed", reason), reason
        code, _, errors = call_cli(project, *RUN)
        assert code == 0, errors
        assert read_record(run_folder(project)).status == "ok"
        lost += score(run_folder(project)) != wanted
    assert lost == 0
    name = signal.Signals(number).name
    whom = "any of its processes" if number == signal.SIGKILL else "the command"
    what = "the last result stands; the next call ends with the numbers of an undisturbed run"
    tell("faults", f"{name} to {whom} at a random moment", n, lost, what)


def filled(path, megabytes=8):
    """Mount a small disk at a folder; the test is skipped where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(words, check=False).returncode:
        pytest.skip("mounting a disk of its own needs Linux and root")
    return path


@pytest.fixture
def disk(project):
    """Give the project's folder of runs as a disk of 8 MB."""
    path = filled(project / "runs")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def test_soak_a_full_disk(project, disk, undisturbed):
    write_chapter(project)
    assert call_cli(project, *RUN)[0] == 0
    standing = content(run_folder(project))
    fill = "(run.folder / 'tables').mkdir(exist_ok=True)\n"
    fill += "(run.folder / 'tables' / 'big').write_bytes(bytes(9 * 2**20))"
    for round_ in range(n := times(1, 5)):
        write_chapter(project, 13 + round_, fill)
        code, output, errors = call_cli(project, *RUN)
        assert code == 1 and "Traceback" not in errors
        assert "no space left on device" in (output + errors).lower()
        assert content(run_folder(project)) == standing
        whole_files(project)
        (attempt(project) / "tables" / "big").unlink(missing_ok=True)
    write_chapter(project)
    code, _, errors = call_cli(project, *RUN)
    assert code == 0, errors
    assert score(run_folder(project)) == undisturbed[0]
    tell("faults", "disk full while results are written", n, 0, "said; the last result stands")


def test_soak_a_disk_that_can_only_be_read(project, disk, undisturbed):
    write_chapter(project)
    assert call_cli(project, *RUN)[0] == 0
    standing = content(run_folder(project))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for _ in range(n := times(1, 5)):
        code, _, errors = call_cli(project, *RUN)
        assert code == 2 and "read-only" in errors and "Traceback" not in errors
        assert content(run_folder(project)) == standing
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert call_cli(project, *RUN)[0] == 0
    assert score(run_folder(project)) == undisturbed[0]
    tell("faults", "folder of runs on a read-only disk", n, 0, "refused in a sentence before work")


def test_soak_a_network_share_that_goes_away(project, disk, undisturbed):
    """The disk of the runs is taken away while the network trains; then it is back, empty."""
    for _ in range(n := times(1, 3)):
        write_chapter(project, 12, "import time\nrun.progress('waits')\ntime.sleep(600)")
        started = start_cli(project, *RUN)
        progress = attempt(project) / "progress.jsonl"
        wait_for(lambda path=progress: path.exists() and '"waits"' in path.read_text())
        family = processes_of(psutil.Process(started.pid))
        subprocess.run(["umount", "-l", str(disk)], check=True)
        time.sleep(1)
        started.send_signal(signal.SIGTERM)
        _, errors = started.communicate(timeout=120)
        assert started.returncode not in (0, None) and "Traceback" not in errors
        wait_for(lambda pids=family: not any(alive(one.pid) for one in pids), 30, "the end")
        filled(disk)
        write_chapter(project)
        code, _, errors = call_cli(project, *RUN)
        assert code == 0, errors
        assert score(run_folder(project)) == undisturbed[0]
    tell(
        "faults", "folder of runs unmounted under a run", n, 0, "the run ends, the next call works"
    )


def test_soak_out_of_memory(project, undisturbed):
    write_chapter(project)
    assert call_cli(project, *RUN)[0] == 0
    standing = content(run_folder(project))
    hungry = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
    hungry += "held = np.ones(2**31)"
    assert resource.getrlimit(resource.RLIMIT_AS)[0] in (resource.RLIM_INFINITY, -1)
    for round_ in range(n := times(1, 5)):
        write_chapter(project, 13 + round_, hungry)
        code, _, errors = call_cli(project, *RUN)
        assert code == 1 and "MemoryError" in errors
        assert read_record(attempt(project)).status == "failed"
        assert content(run_folder(project)) == standing
    tell("faults", "out of memory in a cell", n, 0, "said by name; the last result stands")


BACK = """import datetime, time
_now, _day = time.time, 86400.0
time.time = lambda: _now() - _day
class _Back(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) - datetime.timedelta(days=1)
datetime.datetime = _Back
"""


def test_soak_a_clock_set_back(project, tmp_path_factory, undisturbed):
    """A run by a clock that is a day late counts, and lasts no negative time."""
    write_chapter(project)
    assert call_cli(project, *RUN)[0] == 0
    late = tmp_path_factory.mktemp("late")
    (late / "sitecustomize.py").write_text(BACK)
    for round_ in range(n := times(1, 3)):
        write_chapter(project, 13 + round_)
        known = environment(project)
        known["PYTHONPATH"] = f"{late}{os.pathsep}{known['PYTHONPATH']}"
        command = [sys.executable, "-m", "fetal_book", *RUN]
        done = subprocess.run(
            command, env=known, cwd=project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        record = read_record(run_folder(project))
        assert record.status == "ok" and record.wall_s > 0
        listed = json.loads(call_cli(project, "status", "--json")[1])["runs"]
        assert {one["status"] for one in listed if one["chapter"] == CHAPTER} == {"ok"}
    tell("faults", "clock set back by a day", n, 0, "the run is recorded, no negative time")


def test_soak_a_stale_lock_and_half_a_record(project, undisturbed):
    write_chapter(project)
    for _ in range(n := times(1, 5)):
        folder = attempt(project)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").write_text('{"chapter": "04_head_circ')
        (folder / "results.json").write_text('{"resul')
        (run_folder(project).parent / f".{run_folder(project).name}.lock").write_text("99999999")
        code, _, errors = call_cli(project, *RUN)
        assert code == 0, errors
        assert score(run_folder(project)) == undisturbed[0]
    tell("faults", "stale lock, half a record, half a table", n, 0, "the next call replaces them")


def test_soak_two_runs_at_once(project, undisturbed):
    """The one that came first goes on only once the other has ended, however slow both are."""
    goes_on = project / "goes_on"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(goes_on)!r}).exists():\n"
        "    time.sleep(0.1)"
    )
    for _ in range(n := times(1, 5)):
        goes_on.unlink(missing_ok=True)
        write_chapter(project, 12, waits)
        both = [start_cli(project, *RUN) for _ in range(2)]
        wait_for(lambda both=both: any(one.poll() is not None for one in both), 300, "a refusal")
        goes_on.touch()
        ends = [process.communicate(timeout=300)[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes == [0, 2] and any("is in use by another run" in end for end in ends), ends
        assert score(run_folder(project)) == undisturbed[0]
    tell(
        "faults",
        "two runs at once in one folder",
        n,
        0,
        "one is refused, the other's result is true",
    )


@pytest.mark.parametrize("harm", ["cut", "empty", "noise"])
def test_soak_a_damaged_checkpoint(project, undisturbed, harm):
    """A checkpoint that is no checkpoint is refused by name or trained anew; never used."""
    slow = "import time\nrun.progress('waits')\ntime.sleep(600)"
    for _ in range(n := times(1, 5)):
        shutil.rmtree(project / ".cache", ignore_errors=True)
        text = FIT.replace("EPOCHS", "12").replace(
            "run.progress)",
            "lambda *a, **k: k.get('epoch') == 5 and __import__('os').kill("
            "__import__('os').getpid(), 9))",
        )
        write_project(project, text, slow, finish=SCORE)
        assert call_cli(project, *RUN)[0] == 1
        (checkpoint,) = (project / ".cache").rglob("*.ckpt")
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes(
            {"cut": whole[: len(whole) // 2], "empty": b"", "noise": os.urandom(len(whole))}[harm]
        )
        write_chapter(project)
        code, output, errors = call_cli(project, *RUN)
        assert code == 0, output + errors
        assert score(run_folder(project)) == undisturbed[0]
    tell("faults", f"checkpoint damaged ({harm})", n, 0, "trained anew, to the same numbers")
