"""The page's server: what it lets in, what it tells browsers, what it leaves behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

pytest.importorskip("gradio")

from app_pages import files_in, served, wait_for_no_files
from made_up_project import call_cli, environment, write_project

pytestmark = pytest.mark.slow


def test_it_listens_on_this_computer_only_and_shares_nothing(server):
    page = server.page
    assert server.url.startswith("http://127.0.0.1:") and page.share_url is None
    assert page.server_name == "127.0.0.1" and not page.analytics_enabled


def test_a_request_by_another_name_is_refused(server):
    """A web page elsewhere that points its own name at 127.0.0.1 gets nothing."""
    answer = requests.get(server.url, headers={"Host": "evil.example"}, timeout=20)
    assert answer.status_code == 400


def test_browsers_are_told_to_load_nothing_from_elsewhere(server):
    headers = requests.get(server.url, timeout=20).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_command_ends_clean_and_takes_its_folder_along(tmp_path):
    write_project(tmp_path / "project")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables = environment(tmp_path / "project") | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-m", "fetal_book", "app"],
        env=variables,
        cwd=tmp_path / "project",
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().split()[0]
        sent = {"files": ("a.png", b"content")}
        answer = requests.post(f"{url}gradio_api/upload", files=sent, timeout=60)
        (path,) = answer.json()
        assert Path(path).is_file() and temporary in Path(path).parents
        (folder,) = temporary.glob("fetal-lib-app-*")
        assert folder.stat().st_mode & 0o077 == 0
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert files_in(temporary) == []


def test_an_upload_that_nobody_asks_about_is_deleted_after_a_while(tmp_path, monkeypatch):
    from fetal_book.app import page as page_module

    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    monkeypatch.setattr(page_module, "SWEEP", (1, 1))
    with served() as server:
        sent = {"files": ("a.png", b"content")}
        requests.post(f"{server.url}gradio_api/upload", files=sent, timeout=60)
        assert len(files_in(server.folder)) == 1
        wait_for_no_files(server.folder, 20)


def test_in_a_notebook_the_uploads_have_a_folder_of_their_own(tmp_path):
    """Nobody calls `serve` there: it is made with the page, and goes with the process."""
    code = (
        "import os; from fetal_book.app import build; build();"
        "f = os.environ['GRADIO_TEMP_DIR']; print(f, oct(os.stat(f).st_mode & 0o777))"
    )
    variables = environment(tmp_path) | {"FETAL_RUNS": str(tmp_path), "TMPDIR": str(tmp_path)}
    variables.pop("GRADIO_TEMP_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    folder, mode = done.stdout.split()
    assert Path(folder).parent == tmp_path and mode == "0o700" and not Path(folder).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model-hc", "nowhere"], "there is no such folder; name the folder of a finished run"),
        (["--port", "99999"], "less than or equal to 65535"),
    ],
)
def test_a_wrong_option_is_one_message(tmp_path, words, message):
    write_project(tmp_path)
    code, _, errors = call_cli(tmp_path, "app", *words)
    assert code == 2 and message in errors and "Traceback" not in errors
