"""A run by the parent process: what a good run leaves, and what is refused before it starts."""

import json
import os
import subprocess
import sys

import pytest
from made_up_project import (
    CHAPTER,
    attempt,
    call_cli,
    content,
    environment,
    run_folder,
    work_in,
    write_project,
)

from fetal_book.parameters.base import ParameterError
from fetal_book.runs.execute import run_chapter
from fetal_book.runs.folder import RunFolderError, held_folder
from fetal_book.runs.record import read_record


@pytest.fixture
def project(tmp_path, monkeypatch):
    return work_in(write_project(tmp_path / "with {braces} and ü"), monkeypatch)


@pytest.mark.slow
def test_a_good_run_leaves_all_its_outputs_and_a_true_record(project):
    write_project(project, "import sys; print(sys.executable)", "run.progress('epoch', epoch=1)")
    said = []
    outcome = run_chapter("04", "smoke", {"seed": 3}, say=said.append)
    record = read_record(outcome.folder)
    assert (record.status, outcome.exit_code) == ("ok", 0)
    assert record == outcome.record and record.started_by == "fetal-lib run"
    assert record.parameters["seed"] == {"value": 3, "origin": "command line"}
    assert record.seeds == {"seed": 3} and record.peak_rss_mb > 20 and record.wall_s > 0
    assert record.notebook["file"] == f"notebooks/{CHAPTER}.py" and record.notebook["sha256"]
    assert record.versions["numpy"] and record.hardware["cores"] >= 1
    assert json.loads((outcome.folder / "results.json").read_text())["rows"][0]["n"] == 3
    text = (outcome.folder / "executed.ipynb").read_text()
    assert "papermill" not in json.loads(text)["metadata"]
    assert sys.executable in text  # the kernel is this very interpreter
    assert any("Training (cell" in line for line in said)
    assert not (outcome.folder / "logs" / "running.ipynb").exists()
    with held_folder(outcome.folder):  # the run has let go of its folder
        pass


@pytest.mark.slow
def test_a_run_does_not_wait_for_its_kernel_to_clear_up(project):
    left = project / "cleared"
    write_project(project, f"import atexit; atexit.register(open, {str(left)!r}, 'w')", "1")
    assert run_chapter("04", "smoke").record.status == "ok"
    assert not left.exists()


@pytest.mark.parametrize(
    ("name", "profile", "values", "words"),
    [
        ("06", None, {}, "06: no such chapter"),
        ("04", "tiny", {}, "profile: received 'tiny'"),
        ("04", None, {"sead": 1}, "did you mean 'seed'"),
        ("04", None, {"epochs": 0}, "epochs: received 0"),
        ("04", None, {"epochs": "seven"}, "it must be a whole number"),
        ("04", None, {"data": "/nowhere/heads"}, "there is no such file or folder"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(project, name, profile, values, words):
    with pytest.raises(ValueError) as caught:
        run_chapter(name, profile, values)
    assert words in str(caught.value)
    assert not (project / "runs").exists()


def test_a_notebook_whose_parameters_cell_is_out_of_step_is_refused(project):
    path = project / "notebooks" / f"{CHAPTER}.py"
    path.write_text(path.read_text().replace("seed = 0", "seed = 1"))
    with pytest.raises(ParameterError, match="seed: 1 in the notebook, 0 in the class"):
        run_chapter("04", "smoke")


def test_a_folder_in_use_is_refused(project):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from fetal_book.runs.folder import lock_folder\n"
        "lock = lock_folder(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(run_folder(project))]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(project))
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="is in use by another run"):
            run_chapter("04", "smoke")
    finally:
        holder.kill()
        holder.wait()
    with held_folder(run_folder(project)):  # the lock of a dead process is free
        pass


@pytest.mark.slow
def test_a_failing_cell_is_told_with_its_place_and_the_result_before_it_stands(project):
    assert run_chapter("04", "smoke").exit_code == 0
    first = content(run_folder(project))
    write_project(project, "x = 1", "def f():\n    raise ValueError('too small')\n\nf()")
    outcome = run_chapter("04", "smoke")
    record = read_record(outcome.folder)
    assert (record.status, outcome.exit_code) == ("failed", 1)
    assert record.error["name"] == "ValueError" and record.error["message"] == "too small"
    assert record.error["last_line"] == "ValueError: too small"
    assert record.error["source"] == "def f():"
    assert record.previous[0]["status"] == "ok"
    left = {path.name for path in outcome.folder.iterdir()}
    assert "results.json" not in left and "executed.ipynb" not in left
    assert "too small" in (outcome.folder / "logs" / "failed.ipynb").read_text()
    assert outcome.folder == attempt(project) and content(run_folder(project)) == first


@pytest.mark.slow
def test_bad_data_leave_no_folder_and_other_failures_do(project):
    bad = "from fetal_lib.data.bad_files import BadFilesError\nraise BadFilesError('data', [])"
    write_project(project, bad)
    outcome = run_chapter("04", "smoke")
    assert outcome.record.error["name"] == "BadFilesError" and outcome.exit_code == 1
    assert list((project / "runs").iterdir()) == []


@pytest.mark.slow
def test_a_closed_pipe_does_not_end_a_run(project):
    words = f"{sys.executable} -m fetal_book run 04 --profile smoke"
    script = f"{words} 2>&1 | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 1
    assert read_record(run_folder(project)).status == "ok"


@pytest.mark.slow
def test_a_notebook_that_never_finishes_its_run_has_failed(project):
    write_project(project, finish="pass")
    outcome = run_chapter("04", "smoke")
    assert outcome.record.status == "failed" and "run.finish()" in outcome.record.reason
    write_project(project, "raise SystemExit(0)")
    assert run_chapter("04", "smoke").record.status == "failed"


@pytest.mark.slow
def test_a_results_file_of_a_run_that_failed_later_is_removed(project):
    write_project(project, finish="run.finish()\nraise OSError('disk full')")
    outcome = run_chapter("04", "smoke")
    assert outcome.record.status == "failed"
    assert not (outcome.folder / "results.json").exists()


@pytest.mark.slow
def test_a_run_survives_a_cell_with_a_huge_output(project):
    line = "for _ in range(3000): print('x' * 10_000)"
    write_project(project, line, "from IPython.display import HTML, display; display(HTML('y'))")
    outcome = run_chapter("04", "smoke", timeout_s=120)
    assert outcome.exit_code == 0
    path = outcome.folder / "executed.ipynb"
    assert path.stat().st_size < 3e6 and "left out" in path.read_text()


@pytest.mark.slow
def test_plain_papermill_does_the_same_work(project, tmp_path):
    assert call_cli(project, "notebooks", "sync")[0] == 0
    ours = run_chapter("04", "smoke", {"seed": 3, "marks": False})
    command = [sys.executable, "-m", "papermill", f"notebooks/{CHAPTER}.ipynb"]
    command += [str(tmp_path / "out.ipynb"), "-p", "seed", "3", "-p", "profile", "smoke"]
    command += ["-p", "marks", "false", "-p", "out", str(tmp_path / "plain"), "-k", "python3"]
    done = subprocess.run(
        command, cwd=project, env=environment(project) | {"IPYTHONDIR": str(tmp_path)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    plain = read_record(tmp_path / "plain")
    assert plain.status == "ok"
    for name, entry in ours.record.parameters.items():
        assert name == "out" or plain.parameters[name]["value"] == entry["value"], name
    results = [
        json.loads((f / "results.json").read_text()) for f in (ours.folder, tmp_path / "plain")
    ]
    assert results[0] == results[1]
    command[command.index("seed")] = "sead"
    refused = subprocess.run(
        command, cwd=project, env=environment(project), capture_output=True, text=True
    )
    assert refused.returncode != 0 and "did you mean 'seed'" in refused.stderr


@pytest.mark.slow
def test_a_run_uses_no_ipython_settings_of_the_person(project, tmp_path, monkeypatch):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('private')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    write_project(project, "import os; assert 'nonsense' not in os.environ.get('MPLBACKEND', '')")
    assert run_chapter("04", "smoke").record.status == "ok"
    assert not os.path.exists(project / "runs" / "book")  # noqa: PTH110


@pytest.mark.slow
def test_a_cell_that_fails_under_plain_papermill_is_in_the_record(project, tmp_path):
    write_project(project, "raise ValueError('too small')")
    assert call_cli(project, "notebooks", "sync")[0] == 0
    command = [sys.executable, "-m", "papermill", f"notebooks/{CHAPTER}.ipynb"]
    command += [str(tmp_path / "out.ipynb"), "-p", "profile", "smoke", "-k", "python3"]
    done = subprocess.run(command, cwd=project, env=environment(project), capture_output=True)
    assert done.returncode != 0
    record = read_record(attempt(project))
    assert (record.status, record.reason) == ("failed", "a cell raised ValueError")
    assert record.error["last_line"] == "ValueError: too small"
