"""Fetching: whole files get their name, broken ones never do; archives are not trusted."""

import hashlib
import io
import random
import stat
import tarfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fetal_lib.data.catalogue import load_manifest
from fetal_lib.data.download import FetchError
from fetal_lib.data.fetch import AccessError, fetch_dataset, fetch_file
from fetal_lib.data.lock import LOCK_NAME, LockError, read_lock
from fetal_lib.data.manifest import DataFile, ManifestError
from fetal_lib.data.unpack import UnsafeArchiveError, is_unpacked, unpack_archive

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
        body = self.server.bodies.get(kind, body)
        if kind == "missing" or (kind == "busy" and first):
            self.send_error(404 if kind == "missing" else 503)
            return
        start = 0
        tag = hashlib.md5(body).hexdigest()
        same = self.headers.get("If-Range", tag) == tag
        if kind in ("range", "flaky") and same and (asked := self.headers.get("Range")):
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if kind != "endless":
            self.send_header("Content-Length", str(len(body) - start))
        if kind in ("range", "flaky"):
            self.send_header("ETag", tag)
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
        running.asked, running.bodies = [], {}
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def names_in(folder):
    """List what a fetch left, but for the record of first fetches."""
    return {item.name for item in folder.iterdir()} - {LOCK_NAME}


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
    assert names_in(path.parent) == {"data.bin"}


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
    left = names_in(tmp_path)
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
    assert names_in(tmp_path / "here") == {"table.csv"}


def test_without_a_folder_the_variable_is_named(small_set, monkeypatch):
    monkeypatch.delenv("FETAL_DATA", raising=False)
    with pytest.raises(ManifestError, match="FETAL_DATA is not set"):
        fetch_dataset(small_set, progress=False)


def test_a_set_on_request_says_what_to_do(small_set, tmp_path):
    closed = small_set.model_copy(update={"access": "request", "how_to": ("Write to them.",)})
    with pytest.raises(FetchError, match=r"By hand: \(1\) Write to them\."):
        fetch_dataset(closed, tmp_path)
    assert list(tmp_path.iterdir()) == []


UNKNOWN = {"bytes": "unknown", "md5": "unknown", "sha256": "unknown"}


def test_unknown_sums_are_recorded_at_the_first_fetch(server, tmp_path):
    fetch_file(entry(server, "right", **UNKNOWN), tmp_path, **QUICK)
    locked = read_lock(tmp_path)["data.bin"]
    assert (locked.bytes, locked.md5) == (len(CONTENT), hashlib.md5(CONTENT).hexdigest())
    assert locked.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_what_was_recorded_is_compared_at_later_fetches(server, tmp_path):
    file = entry(server, "moved", **UNKNOWN)
    fetch_file(file, tmp_path, **QUICK)
    fetch_file(file, tmp_path, **QUICK)
    assert len(server.asked) == 1  # whole by the record: not fetched again
    (tmp_path / "data.bin").write_bytes(b"altered here")
    fetch_file(file, tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    (tmp_path / "data.bin").unlink()
    server.bodies["moved"] = CONTENT[::-1]
    with pytest.raises(FetchError, match=r"recorded on 20.* server's file has changed"):
        fetch_file(file, tmp_path, **QUICK)
    assert names_in(tmp_path) == set()


def test_a_server_that_grew_its_file_is_told_from_the_recorded_size(server, tmp_path):
    file = entry(server, "moved", **UNKNOWN)
    fetch_file(file, tmp_path, **QUICK)
    (tmp_path / "data.bin").unlink()
    server.bodies["moved"] = CONTENT * 2
    with pytest.raises(FetchError, match="more bytes than the manifest states"):
        fetch_file(file, tmp_path, **QUICK)


def test_a_manifest_that_moved_on_replaces_the_record(server, tmp_path):
    fetch_file(entry(server, "right", **UNKNOWN), tmp_path, **QUICK)
    server.bodies["right"] = CONTENT[::-1]
    fetch_file(entry(server, "right", CONTENT[::-1]), tmp_path, **QUICK)
    assert read_lock(tmp_path)["data.bin"].md5 == hashlib.md5(CONTENT[::-1]).hexdigest()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"data.bin": {"bytes": 1}}}'])
def test_a_damaged_record_says_what_to_do(server, tmp_path, text):
    (tmp_path / LOCK_NAME).write_text(text)
    with pytest.raises(LockError, match="remove it"):
        fetch_file(entry(server, "right"), tmp_path, **QUICK)


def test_without_a_checksum_kept_bytes_of_an_earlier_run_are_dropped(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1234)
    fetch_file(entry(server, "range", **UNKNOWN), tmp_path, **QUICK)
    assert server.asked == [("range", None)]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_without_a_size_the_servers_own_decides_what_is_whole(server, tmp_path):
    with pytest.raises(FetchError, match=r"received [1-9]\d+ of 512000 .* it starts anew"):
        fetch_file(entry(server, "cut", **UNKNOWN), tmp_path, **QUICK)
    assert not (tmp_path / "data.bin").exists() and read_lock(tmp_path) == {}
    fetch_file(entry(server, "flaky", **UNKNOWN), tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_file_that_changes_between_two_attempts_is_not_patched_together(server, tmp_path):
    def change_after_the_first(handler, original=Handler.do_GET):
        original(handler)
        server.bodies["flaky"] = CONTENT[::-1]

    Handler.do_GET, original = change_after_the_first, Handler.do_GET
    try:
        fetch_file(entry(server, "flaky", **UNKNOWN), tmp_path, **QUICK)
    finally:
        Handler.do_GET = original
    assert (tmp_path / "data.bin").read_bytes() == CONTENT[::-1]


def test_a_server_without_a_length_is_taken_at_its_word(server, tmp_path):
    fetch_file(entry(server, "endless", **UNKNOWN), tmp_path, **QUICK)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_an_empty_answer_is_no_file(server, tmp_path):
    server.bodies["empty"] = b""
    with pytest.raises(FetchError, match="sends an empty file"):
        fetch_file(entry(server, "empty", **UNKNOWN), tmp_path, **QUICK)
    assert not (tmp_path / "data.bin").exists()


def test_an_open_set_without_a_list_of_files_says_what_to_do(small_set, tmp_path):
    listed_nowhere = small_set.model_copy(update={"files": (), "how_to": ("Click there.",)})
    with pytest.raises(AccessError, match=r"not listed; fetch them by hand.*\(1\) Click there"):
        fetch_dataset(listed_nowhere, tmp_path)


def test_an_archive_is_unpacked_into_its_own_folder(server, tmp_path):
    archive = entry(server, "zip", SET_ZIP, name="T1.zip", unpack=True, into="T1")
    one = load_manifest("hc18").model_copy(update={"files": (archive,)})
    fetch_dataset(one, tmp_path, progress=False)
    assert (tmp_path / "T1" / "training_set" / "000_HC.png").read_bytes() == b"image"


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
        unpack_archive(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
    assert not (tmp_path / "escaped.txt").exists()


def test_a_size_bomb_is_refused(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(zip_bytes([("zeros.bin", bytes(3_000_000))]))
    with pytest.raises(UnsafeArchiveError, match="3000000 bytes or more; the limit is 1000000"):
        unpack_archive(archive, tmp_path / "into", limit_bytes=1_000_000)


def test_a_header_that_lies_about_the_size_is_caught(tmp_path):
    data = zip_bytes([("zeros.bin", bytes(100_000))])
    size = (100_000).to_bytes(4, "little")
    archive = tmp_path / "set.zip"
    archive.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"larger than its header|not a whole zip or tar"):
        unpack_archive(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_a_truncated_archive_is_no_zip(tmp_path):
    archive = tmp_path / "set.zip"
    archive.write_bytes(SET_ZIP[: len(SET_ZIP) // 2])
    with pytest.raises(ValueError, match="not a whole zip or tar archive"):
        unpack_archive(archive, tmp_path / "into")


def tar_bytes(members, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_tar_is_unpacked_whatever_its_compression(tmp_path, mode):
    archive = tmp_path / "T1.tar"
    archive.write_bytes(tar_bytes([("./a/b.nii.gz", b"volume", tarfile.REGTYPE)], mode))
    (written,) = unpack_archive(archive, tmp_path / "into")
    assert written.read_bytes() == b"volume" and written.name == "b.nii.gz"
    assert is_unpacked(archive, tmp_path / "into")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("../escaped.txt", tarfile.REGTYPE, "outside the target folder"),
        ("/escaped.txt", tarfile.REGTYPE, "outside the target folder"),
        ("link", tarfile.SYMTYPE, "link or device"),
        ("hard", tarfile.LNKTYPE, "link or device"),
        ("pipe", tarfile.FIFOTYPE, "link or device"),
        ("A.TXT", tarfile.REGTYPE, "listed twice"),
        ("a.txt/inside", tarfile.REGTYPE, "which is a file"),
    ],
)
def test_an_unsafe_tar_writes_nothing(tmp_path, name, kind, message):
    archive = tmp_path / "set.tar"
    members = [("a.txt", b"text", tarfile.REGTYPE), (name, b"evil", kind)]
    archive.write_bytes(tar_bytes(members))
    with pytest.raises(UnsafeArchiveError, match=message):
        unpack_archive(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
    assert not (tmp_path / "escaped.txt").exists()


def test_a_packed_tar_bomb_is_refused_before_it_is_written(tmp_path):
    archive = tmp_path / "set.tar.gz"
    bomb = [(f"{n}.bin", bytes(1_000_000), tarfile.REGTYPE) for n in range(5)]
    archive.write_bytes(tar_bytes(bomb, "w:gz"))
    assert archive.stat().st_size < 20_000
    with pytest.raises(UnsafeArchiveError, match="the limit is 2000000"):
        unpack_archive(archive, tmp_path / "into", limit_bytes=2_000_000)
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_a_truncated_tar_is_an_error_and_writes_nothing(tmp_path, mode, share):
    noise = random.Random(0).randbytes(40_000)
    data = tar_bytes([(f"{n}.bin", noise, tarfile.REGTYPE) for n in range(3)], mode)
    archive = tmp_path / "set.tar"
    archive.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match="not a whole zip or tar archive"):
        unpack_archive(archive, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []
