"""The page's server: what it lets in, what it tells browsers, what it leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import requests

pytest.importorskip("gradio")
pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from made_up_project import environment, write_project  # noqa: E402

from fetal_lib.app import build, launch  # noqa: E402
from fetal_lib.app import server as server_module  # noqa: E402
from fetal_lib.app.server import private_folder  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    before = os.environ.get("FETAL_RUNS")
    os.environ["FETAL_RUNS"] = str(tmp_path_factory.mktemp("runs"))
    with private_folder() as folder:
        page = build()
        _, url, _ = launch(page, prevent_thread_lock=True)
        yield url, folder, page
        page.close(verbose=False)
    os.environ.pop("FETAL_RUNS")
    if before is not None:
        os.environ["FETAL_RUNS"] = before


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_listens_on_this_computer_only_and_shares_nothing(server):
    url, _, page = server
    assert url.startswith("http://127.0.0.1:") and page.share_url is None
    assert page.server_name == "127.0.0.1" and not page.analytics_enabled


def test_a_request_by_another_name_is_refused(server):
    """A web page elsewhere that points its own name at 127.0.0.1 gets nothing."""
    answer = requests.get(server[0], headers={"Host": "evil.example"}, timeout=20)
    assert answer.status_code == 400


def test_browsers_are_told_to_load_nothing_from_elsewhere(server):
    headers = requests.get(server[0], timeout=20).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(server, monkeypatch):
    url, folder, page = server
    monkeypatch.setattr(page, "max_file_size", 50_000)
    sent = {"files": ("a.png", bytes(60_000))}
    answer = requests.post(f"{url}gradio_api/upload", files=sent, timeout=60)
    assert answer.status_code == 413
    assert files_in(folder) == []


def test_a_request_that_is_too_large_is_refused_before_it_is_read(server):
    url, folder, _ = server
    headers = {"Content-Length": str(server_module.MAX_REQUEST_BYTES + 1)}
    session, request = requests.Session(), requests.Request("POST", f"{url}gradio_api/upload")
    prepared = session.prepare_request(request)
    prepared.headers.update(headers)
    answer = session.send(prepared, timeout=20)
    assert answer.status_code == 413 and "at most 400 MB" in answer.text
    assert files_in(folder) == []


def test_a_body_that_says_no_length_is_cut_off(server, monkeypatch):
    bounded = server_module._bounded

    def small(receive, max_bytes):
        return bounded(receive, 100_000)

    monkeypatch.setattr(server_module, "_bounded", small)
    pieces = (bytes(50_000) for _ in range(4))
    try:
        status = requests.post(f"{server[0]}gradio_api/queue/join", data=pieces, timeout=20)
        assert status.status_code >= 400
    except requests.ConnectionError:
        pass


def test_files_of_this_computer_are_not_served(server, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    for path in (tmp_path / "secret.txt", Path("/etc/passwd")):
        answer = requests.get(f"{server[0]}gradio_api/file={path}", timeout=20)
        assert answer.status_code in (403, 404)


def test_a_path_that_was_not_uploaded_is_not_read(server, tmp_path):
    url, _, page = server
    scan = tmp_path / "private.png"
    cv2.imwrite(str(scan), np.zeros((60, 80), np.uint8))
    (number,) = [
        one["id"]
        for one in page.config["dependencies"]
        if any(event == "upload" for _, event in one["targets"])
    ][:1]
    payload = {"path": str(scan), "meta": {"_type": "gradio.FileData"}}
    body = {"data": [[payload], None], "fn_index": number, "session_hash": "test"}
    requests.post(f"{url}gradio_api/queue/join", json=body, timeout=20)
    stream = requests.get(
        f"{url}gradio_api/queue/data", params={"session_hash": "test"}, timeout=20, stream=True
    )
    lines = [line for line in stream.iter_lines() if b"process_completed" in line]
    assert lines and b'"success":false' in lines[0].replace(b" ", b"")
    assert scan.is_file()


def test_the_command_ends_clean_and_takes_its_folder_along(tmp_path):
    write_project(tmp_path / "project")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables = environment(tmp_path / "project") | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, "-m", "fetal_lib", "app"],
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
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path))
    from fetal_lib.app import page as page_module

    monkeypatch.setattr(page_module, "SWEEP", (1, 1))
    with private_folder() as folder:
        page = page_module.build()
        _, url, _ = launch(page, prevent_thread_lock=True)
        sent = {"files": ("a.png", b"content")}
        requests.post(f"{url}gradio_api/upload", files=sent, timeout=60)
        assert len(files_in(folder)) == 1
        end = time.monotonic() + 20
        while files_in(folder):
            assert time.monotonic() < end, "the file is still there"
            time.sleep(0.2)
        page.close(verbose=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model-hc", "nowhere"], "no model.json in 'nowhere'; name the folder of a finished"),
        (["--port", "99999"], "less than or equal to 65535"),
    ],
)
def test_a_wrong_option_is_one_message(tmp_path, words, message):
    write_project(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "fetal_lib", "app", *words],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
