"""The command line: it starts fast, its messages are clean, its exit codes mean something."""

import errno
import os
import subprocess
import sys
import time

import pytest
from made_up_project import call_cli, write_project

from fetal_book.cli import COMMANDS, refusal
from fetal_book.cli.run import MOST_LINES, error_lines
from fetal_book.parameters.base import ParameterError
from fetal_lib.errors import UserError

HEAVY = ("tensorflow", "torch", "keras", "pandas", "scipy", "matplotlib", "papermill", "pydantic")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = write_project(tmp_path_factory.mktemp("project"))
    (root / "pyproject.toml").touch()
    return root


def test_help_lists_the_commands_in_less_than_a_second(project):
    call_cli(project, "--help")
    start = time.monotonic()
    code, output, _ = call_cli(project, "--help")
    assert code == 0 and time.monotonic() - start < 1.0
    assert all(name in output for name in COMMANDS)


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom fetal_book.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"


def test_version(project):
    version = call_cli(project, "--version")[1]
    assert version.startswith("fetal-lib 0.") and "biometry: CC BY-NC-SA 4.0" in version


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "06"), "fetal-lib: 06: no such chapter"),
        (("run", "04", "-p", "epochs=seven"), "fetal-lib: epochs: received 'seven'"),
        (("run", "04", "-p", "epochs=0"), "fetal-lib: epochs: received 0"),
        (("run", "04", "-p", "sead=1"), "did you mean 'seed'"),
        (("run", "04", "--profile", "tiny"), "fetal-lib: profile: received 'tiny'"),
        (("run", "04", "--timeout", "-1"), "fetal-lib: timeout: received -1.0"),
        (("run", "04", "--out", "notebooks"), "must be new, empty or an earlier run's folder"),
        (("stage", "nothing"), "No such command 'stage'"),
        (("rum",), "Did you mean 'run'"),
        (("04",), "a chapter is run by: fetal-lib run 04"),
        (("run", "run", "04"), "one chapter is run at a time"),
        (("run", "04", "seed=1"), "parameters are set by -p: fetal-lib run 04 -p seed=1"),
        (("run", "04", "-p", "data=hc19"), "fetal-lib: data: received 'hc19'; it is neither"),
        (("run", "04", "--out", "pyproject.toml/x"), "nothing can be written beside it"),
        (("run", "04", "--out", "/dev/null/x"), "not a directory); name another folder"),
        (("notebooks", "check", "--folder", "gone"), "does not exist"),
        (("phantoms", "heads", "pyproject.toml/x"), "a part of the path is a file"),
        (("sweep", "nothing.yml"), "fetal-lib: nothing.yml: not a readable YAML file"),
        (("book", "build", "--data", "./nowhere"), "there is no such file or folder"),
    ],
)
def test_bad_input_is_one_clean_message_and_exit_code_2(project, words, message):
    code, output, errors = call_cli(project, *words)
    assert code == 2 and message in errors
    assert "Traceback" not in errors and output == ""


def test_parameters_lists_names_defaults_units_and_ranges(project):
    code, output, _ = call_cli(project, "parameters", "04")
    assert code == 0
    line = next(line for line in output.splitlines() if line.startswith("image_size"))
    assert "px" in line and "a multiple of 16" in line


def test_status_without_runs(project):
    code, output, _ = call_cli(project, "status")
    assert code == 0 and "never run" in output


def test_a_folder_that_is_no_project_is_told(tmp_path):
    code, _, errors = call_cli(tmp_path, "status")
    assert code == 2 and "FETAL_PROJECT: received" in errors and "Traceback" not in errors


def test_only_the_library_s_own_errors_are_messages():
    assert isinstance(ParameterError("x"), UserError)
    assert not isinstance(ValueError("x"), UserError)


def test_what_the_system_refuses_is_told_with_the_way_out():
    full = OSError(errno.ENOSPC, "No space left on device", "runs/x")
    assert refusal(full).startswith("runs/x: no space left on device; make room on the disk")
    assert refusal(OSError(errno.EROFS, "Read-only file system")).startswith("read-only file")
    assert refusal(FileNotFoundError(errno.ENOENT, "No such file")) == refusal(KeyError()) == ""


def test_a_full_disk_is_a_failure_and_no_wrong_command(monkeypatch):
    from typer.testing import CliRunner

    from fetal_book.cli import app

    def fill():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fetal_book.runs.status.all_statuses", fill)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1 and "no space left on device; make room" in result.output


def test_a_cell_s_error_is_shown_whole_up_to_a_limit():
    lines = error_lines({"name": "BadFilesError", "message": "x\n" * 100})
    assert lines[:2] == ["  BadFilesError: x", "  x"]
    assert len(lines) == MOST_LINES + 1 and lines[-1] == "  and more"


def test_a_command_whose_module_is_missing_breaks_alone(monkeypatch, project):
    from typer.testing import CliRunner

    from fetal_book.cli import app

    monkeypatch.setitem(COMMANDS, "lost", ("fetal_book.cli.lost", "Lost."))
    monkeypatch.setenv("FETAL_PROJECT", str(project))
    result = CliRunner().invoke(app, ["lost"])
    assert result.exit_code == 1 and "fetal-lib lost: not available here" in result.output
    assert CliRunner().invoke(app, ["status"]).exit_code == 0


@pytest.mark.slow
def test_a_run_ends_with_its_place_and_exit_code_0(project):
    code, output, errors = call_cli(project, "run", "04", "--profile", "smoke", "-p", "seed=2")
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert "profile smoke, data phantom" in lines[0] and lines[-1].startswith("ok in ")
    assert any(line.split() == ["mean", "(baseline)", "0.33", "-", "3"] for line in lines)
    assert "The numbers of smoke prove the wiring and nothing else." in lines
    assert os.pathsep  # the folder is shown relative to the project
    assert str(project) not in output
