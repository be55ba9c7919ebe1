"""Fetching: whole files get their name, broken ones never do; archives are not trusted."""

import hashlib
import io
import stat
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fetal_lib.data.fetch import FetchError, fetch_dataset, fetch_file
from fetal_lib.data.manifest import DataFile, ManifestError, load_manifest
from fetal_lib.data.unpack import UnsafeArchiveError, unpack_zip

CONTENT = bytes(range(256)) * 2000
QUICK = {"progress": False, "attempts": 2, "timeout_s": 0.5, "pause_s": 0.01}


def zip_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, data in members:
            zipped.writestr(member, data)
    return buffer.getvalue()


SET_ZIP = zip_bytes([("training_set/", b""), ("training_set/000_HC.png", b"image")])


class Handler(BaseHTTPRequestHandler):
    """Serve /right, /range, /cut (ends early), /bad (wrong bytes), /slow, /once, /missing."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        kind = self.path.split("?")[0].strip("/")
        self.server.asked.append((kind, self.headers.get("Range")))
        first = sum(asked == kind for asked, _ in self.server.asked) == 1
        body = {"bad": CONTENT[::-1], "long": CONTENT * 2, "zip": SET_ZIP}.get(kind, CONTENT)
        if kind == "missing" or (kind == "busy" and first):
            self.send_error(404 if kind == "missing" else 503)
            return
        start = 0
        if kind in ("range", "flaky") and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if kind == "slow":
            self.wfile.write(body[:100_000])
            self.wfile.flush()
            time.sleep(1.2)
            return
        cut = kind == "cut" or (kind == "flaky" and first)
        self.wfile.write(body[start : start + len(body) // 3] if cut else body[start:])
        self.close_connection = True


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def entry(server, kind, content=CONTENT, name="data.bin", **changes):
    fields = {
        "name": name,
        "url": f"http://127.0.0.1:{server.server_port}/{kind}?download=1",
        "bytes": len(content),
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": "unknown",
    }
    return DataFile(**{**fields, **changes})


@pytest.mark.parametrize("sha256", ["unknown", hashlib.sha256(CONTENT).hexdigest()])
def test_a_right_file_gets_its_name(server, tmp_path, sha256):
    path = fetch_file(entry(server, "right", sha256=sha256), tmp_path / "new", **QUICK)
    assert path.read_bytes() == CONTENT
    assert [item.name for item in path.parent.iterdir()] == ["data.bin"]


def test_a_whole_file_is_not_fetched_again(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    fetch_file(entry(server, "right"), tmp_path, **QUICK)
    assert server.asked == []


def test_an_altered_file_is_replaced(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"half")
    fetch_file(entry(server, "right"), tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_download_goes_on_where_it_was_broken_off(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1234])
    fetch_file(entry(server, "range"), tmp_path, **QUICK)
    assert server.asked == [("range", "bytes=1234-")]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1234])
    fetch_file(entry(server, "right"), tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_lost_connection_is_resumed_within_one_call(server, tmp_path):
    fetch_file(entry(server, "flaky"), tmp_path, **QUICK)
    first, second = (ranges for _, ranges in server.asked)
    assert first is None and 0 < int(second[6:-1]) <= len(CONTENT) // 3
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server, tmp_path):
    fetch_file(entry(server, "busy"), tmp_path, **QUICK)
    assert len(server.asked) == 2


@pytest.mark.parametrize("stale", [b"x" * 1234, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_kept_bytes_of_another_version_are_dropped(server, tmp_path, stale):
    (tmp_path / "data.bin.part").write_bytes(stale)
    fetch_file(entry(server, "range"), tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", r"data\.bin: received [1-9]\d+ of 512000 bytes .* run the command again"),
        ("slow", r"received [1-9]\d+ of 512000 bytes .* timed out"),
        ("bad", r"checksum is not md5:\w{32}; nothing was kept"),
        ("long", "more bytes than the manifest states"),
        ("missing", r"1 attempt\(s\).* 404"),
    ],
)
def test_a_broken_file_never_gets_its_name(server, tmp_path, kind, message):
    with pytest.raises(FetchError, match=message):
        fetch_file(entry(server, kind), tmp_path, **QUICK)
    left = {item.name for item in tmp_path.iterdir()}
    assert left == ({"data.bin.part"} if kind in ("cut", "slow") else set())


def test_no_server_is_a_clear_error(server, tmp_path):
    file = entry(server, "right", url="http://127.0.0.1:9/data.bin")
    with pytest.raises(FetchError, match=r"received 0 of 512000 .* check the connection"):
        fetch_file(file, tmp_path, **QUICK)


@pytest.fixture
def small_set(server):
    table = entry(server, "right", name="table.csv")
    images = entry(server, "zip", SET_ZIP, name="training_set.zip", unpack=True)
    return load_manifest("hc18").model_copy(update={"name": "small", "files": (table, images)})


def test_a_set_is_fetched_and_unpacked(small_set, tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_DATA", str(tmp_path))
    folder = fetch_dataset(small_set, progress=False)
    assert folder == tmp_path / "small"
    assert (folder / "training_set" / "000_HC.png").read_bytes() == b"image"
    (folder / "training_set" / "000_HC.png").unlink()
    fetch_dataset(small_set, progress=False)
    assert (folder / "training_set" / "000_HC.png").exists()


def test_one_file_can_be_fetched(small_set, tmp_path):
    fetch_dataset(small_set, tmp_path / "here", only="table.csv", progress=False)
    assert [item.name for item in (tmp_path / "here").iterdir()] == ["table.csv"]


def test_without_a_folder_the_variable_is_named(small_set, monkeypatch):
    monkeypatch.delenv("FETAL_DATA", raising=False)
    with pytest.raises(ManifestError, match="FETAL_DATA is not set"):
        fetch_dataset(small_set, progress=False)


def test_a_set_on_request_says_what_to_do(small_set, tmp_path):
    closed = small_set.model_copy(update={"access": "request", "how_to": "Write to them."})
    with pytest.raises(FetchError, match=r"By hand: Write to them\."):
        fetch_dataset(closed, tmp_path)
    assert list(tmp_path.iterdir()) == []


def link_member():
    info = zipfile.ZipInfo("training_set/link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("../escaped.txt", "outside the target folder"),
        ("a/../../escaped.txt", "outside the target folder"),
        ("/escaped.txt", "outside the target folder"),
        ("C:/escaped.txt", "outside the target folder"),
        ("..\\escaped.txt", "outside the target folder"),
        (link_member(), "link or device"),
        ("Training_Set/000_HC.png", "listed twice"),
    ],
)
def test_an_unsafe_archive_writes_nothing(tmp_path, member, message):
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_bytes([("training_set/000_hc.png", b"image"), (member, b"/etc")]))
    with pytest.raises(UnsafeArchiveError, match=message):
        unpack_zip(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
    assert not (tmp_path / "escaped.txt").exists()


def test_a_size_bomb_is_refused(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_bytes([("zeros.bin", bytes(3_000_000))]))
    with pytest.raises(UnsafeArchiveError, match="3000000 bytes; the limit is 1000000"):
        unpack_zip(archive, tmp_path / "into", limit_bytes=1_000_000)


def test_a_header_that_lies_about_the_size_is_caught(tmp_path):
    data = zip_bytes([("zeros.bin", bytes(100_000))])
    size = (100_000).to_bytes(4, "little")
    archive = tmp_path / "set.zip"
    archive.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"larger than its header|not a whole zip"):
        unpack_zip(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_a_truncated_archive_is_no_zip(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(SET_ZIP[: len(SET_ZIP) // 2])
    with pytest.raises(ValueError, match="not a whole zip archive"):
        unpack_zip(archive, tmp_path / "into")
