"""Those who mean no good: what the app's server does not take, read, fetch, keep or give away."""

import io
import json
import socket
import struct
import time
import zipfile
import zlib
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import requests

pytest.importorskip("gradio")
pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from app_pages import answer, files_in, served, wait_for_no_files  # noqa: E402
from made_up_app import png  # noqa: E402
from made_up_models import blank_anomaly_model  # noqa: E402

from fetal_book.app import folder as folder_module  # noqa: E402
from fetal_book.app import gate  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402

pytestmark = pytest.mark.slow
SCRIPT = b"<script>alert(document.domain)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    model = blank_anomaly_model().save(tmp_path_factory.mktemp("model"), "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FETAL_RUNS", str(tmp_path_factory.mktemp("runs")))
        with served(anomaly=model) as one:
            yield one


@pytest.fixture(autouse=True)
def nothing_is_left(server):
    yield
    try:
        wait_for_no_files(server.folder)
    finally:
        folder_module.sweep(-1)


def post(server, content, name="a.png", field="files"):
    """Upload one file; return the answer."""
    sent = {field: (name, content)}
    return requests.post(f"{server.url}gradio_api/upload", files=sent, timeout=60)


def ask(server, files, n=0):
    """Have files answered as the page of the n-th tab does; return the message of the end."""
    event = [
        one
        for one in server.page.config["dependencies"]
        if any(name == "upload" for _, name in one["targets"])
    ][n]
    return answer(server, event, [files], f"test{time.monotonic_ns()}")


def as_file(path, name="a.png"):
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def told(server, content, name="a.png"):
    """Upload a file and return what the tab for anomalies says of it."""
    (path,) = post(server, content, name).json()
    answer = ask(server, [as_file(path, name)])
    assert answer["success"], answer
    return answer["output"]["data"][-1]


@pytest.mark.parametrize(
    "name",
    [
        "../../../escape.png",
        "..%2f..%2fescape.png",
        "/etc/cron.d/x",
        "..\\..\\x.png",
        "..",
        "a\x00b",
    ],
)
def test_a_name_leads_out_of_no_folder(server, name):
    before = set(server.folder.parent.iterdir())
    answer = post(server, b"content", name)
    if answer.status_code == 200:
        (path,) = answer.json()
        assert server.folder in Path(path).resolve().parents
        ask(server, [as_file(path, name)])
    else:  # Gradio leaves it in the folder; it goes with the next sweep
        assert answer.status_code == 400 and len(files_in(server.folder)) == 1
        folder_module.sweep(-1)
    assert {one for one in server.folder.parent.iterdir() if "escape" in one.name} <= before


@pytest.mark.parametrize("with_meta", [True, False])
@pytest.mark.parametrize("n", range(2))
def test_a_path_that_was_not_uploaded_is_neither_read_nor_deleted(server, tmp_path, n, with_meta):
    scan = tmp_path / "private.png"
    cv2.imwrite(str(scan), make_head(7).image)
    roundabout = f"{server.folder}/../{tmp_path.relative_to('/tmp')}/private.png"
    for path in (str(scan), roundabout, str(server.folder), "/etc/passwd"):
        file = as_file(path) if with_meta else {"path": path}
        answer = ask(server, [file], n)
        assert not answer["success"] and "base64" not in json.dumps(answer)
    assert scan.is_file() and server.folder.is_dir()


def test_no_address_is_fetched_for_a_visitor(server, monkeypatch):
    from gradio import processing_utils

    def fetched(*_, **__):
        raise AssertionError("it was fetched")

    monkeypatch.setattr(processing_utils, "async_ssrf_protected_download", fetched)
    for address in ("http://198.51.100.1/a.png", "https://example.org/a.png"):
        assert not ask(server, [as_file(address)])["success"]
        for route in ("file=", "proxy=", "file/"):
            for root in ("", "gradio_api/"):
                answer = requests.get(f"{server.url}{root}{route}{address}", timeout=20)
                assert answer.status_code == 404


def test_no_file_is_served_not_even_to_the_one_who_sent_it(server, tmp_path):
    (path,) = post(server, SCRIPT, "a.html").json()
    (tmp_path / "secret.txt").write_text("secret")
    for place in (path, str(tmp_path / "secret.txt"), "/etc/passwd", quote("/etc/passwd", safe="")):
        for route in ("gradio_api/file=", "gradio_api/file/", "file=", "gradio_api/%66ile="):
            answer = requests.get(f"{server.url}{route}{place}", timeout=20)
            assert answer.status_code == 404 and b"script" not in answer.content
    ask(server, [as_file(path)])


@pytest.mark.parametrize(
    "route",
    [
        "gradio_api/deep_link?session_hash=x",
        "gradio_api/info/../file=/etc/passwd",
        "assets/../../../etc/passwd",
        "static/..%2f..%2f..%2fetc/passwd",
        "gradio_api/stream/a/b/1/playlist-file",
        "gradio_api/openapi.json",
        "monitoring",
        "docs",
    ],
)
def test_addresses_that_the_page_does_not_need_are_closed(server, route):
    place, session = urlsplit(server.url), b""
    with socket.create_connection((place.hostname, place.port), timeout=20) as wire:
        text = f"GET /{route} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        wire.sendall(text.encode())
        while piece := wire.recv(65536):
            session += piece
    assert session.split()[1] in (b"403", b"404") and b"root:" not in session


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SVG, "a web page or XML"),
        (b"<!doctype html>" + SCRIPT, "a web page or XML"),
        (b"GIF89a" + SCRIPT, "a GIF"),
        (b"%PDF-1.7 " + SCRIPT, "a PDF"),
        (b"#!/bin/sh\nrm -rf /\n", "no image"),
        (b"", "0 bytes"),
    ],
)
def test_what_only_bears_the_name_of_a_picture_is_refused(server, content, words):
    html = told(server, content)
    assert "fl-refusal" in html and words in html and "<script" not in html
    assert str(server.folder) not in html


def test_a_picture_that_is_something_else_as_well_is_only_its_pixels(server):
    """A ZIP archive and a script behind a PNG, and a script in its comment, do not come back."""
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("../../evil.sh", "rm -rf /")
    scan = png(make_head(7).image)
    note = b"tEXtComment\0" + SCRIPT
    chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    html = told(server, scan[:33] + chunk + scan[33:] + SCRIPT + hidden.getvalue())
    assert 'data-picture="overlay"' in html and "<script" not in html and "evil" not in html


def test_a_name_is_shown_and_not_obeyed(server):
    html = told(server, png(make_head(7).image), "<img src=x onerror=alert(1)>.png")
    assert "<img src=x" not in html and "&lt;img src=x" in html


def squeezed(kind):
    """Return a small file that promises, or becomes, far more."""
    if kind == "archive":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.png", bytes(50_000_000))
        return packed.getvalue()
    side = 60_000 if kind == "pixels" else 200
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    text = b"Comment\0\0" + zlib.compress(bytes(200_000_000))
    notes = [(b"zTXt", text)] if kind == "comment" else []
    chunks = [(b"IHDR", header), *notes, (b"IDAT", zlib.compress(bytes(201 * 200)))]
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("archive", "a ZIP archive"), ("pixels", "at most 64 million"), ("comment", "damaged")],
)
def test_a_bomb_is_refused_in_little_memory(server, kind, words):
    import psutil

    content, process = squeezed(kind), psutil.Process()
    assert len(content) < 1_000_000
    before = process.memory_info().rss
    html = told(server, content)
    assert "fl-refusal" in html and words in html
    assert process.memory_info().rss - before < 150_000_000


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(server, monkeypatch):
    monkeypatch.setattr(server.page, "max_file_size", 50_000)
    assert post(server, bytes(60_000)).status_code == 413


def test_a_request_that_is_too_large_is_refused_before_it_is_read(server):
    for route, most in (("upload", 400), ("queue/join", 16)):
        request = requests.Request("POST", f"{server.url}gradio_api/{route}")
        prepared = requests.Session().prepare_request(request)
        prepared.headers["Content-Length"] = str(most * 1_000_000 + 1)
        answer = requests.Session().send(prepared, timeout=20)
        assert answer.status_code == 413 and f"at most {most} MB" in answer.text


def test_a_body_that_says_no_length_is_cut_off(server, monkeypatch):
    monkeypatch.setattr(gate, "MAX_EVENT_BYTES", 100_000)
    pieces = (bytes(50_000) for _ in range(4))
    try:
        status = requests.post(f"{server.url}gradio_api/queue/join", data=pieces, timeout=20)
        assert status.status_code >= 400
    except requests.ConnectionError:
        pass


def test_the_disk_cannot_be_filled(server, monkeypatch):
    monkeypatch.setattr(gate, "MAX_WAITING_BYTES", 1000)
    (path,) = post(server, bytes(1001)).json()
    answer = post(server, b"one more")
    assert answer.status_code == 503 and "try again in some minutes" in answer.text
    ask(server, [as_file(path)])
    ask(server, [as_file(post(server, b"x").json()[0])])


def test_another_web_page_cannot_send_files(server):
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    sent = {"files": ("a.png", b"x")}
    answer = requests.post(
        f"{server.url}gradio_api/upload", files=sent, headers=headers, timeout=20
    )
    assert answer.status_code == 403


def test_what_broke_off_or_came_by_another_name_is_swept(server, monkeypatch):
    monkeypatch.setattr(folder_module, "KEPT_S", 0)
    monkeypatch.setattr(folder_module.sweep, "__defaults__", (0.5,))
    assert post(server, b"content", field="others").json() == []
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as wire:
        wire.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: "
            b'form-data; name="files"; filename="a.png"\r\n\r\n' + bytes(50_000)
        )
        end = time.monotonic() + 20
        while not files_in(server.folder):
            assert time.monotonic() < end, "nothing was written"
            time.sleep(0.02)
    wait_for_no_files(server.folder, 20)


def test_odd_pictures_are_answered_or_refused(server):
    """From one pixel to the longest line; black, white, noise."""
    rng = np.random.default_rng(0)
    odd = [np.zeros((1, 1)), np.full((1, 4000), 255), np.full((3000, 1), 9), np.zeros((2, 2, 3))]
    odd += [rng.integers(0, 255, (40, 3)), np.full((300, 400), 255)]
    for image in odd:
        html = told(server, png(image.astype(np.uint8)))
        assert "fl-result" in html and "its console says more" not in html
