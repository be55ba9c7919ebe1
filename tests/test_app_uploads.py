"""Uploads of the page: bounded, read by content, gone at the end, whatever they are called."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from made_up_app import png, upload  # noqa: E402

from fetal_book.app import head, markup, uploads  # noqa: E402
from fetal_book.app.uploads import Upload, UploadError, received  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402


@pytest.fixture(scope="module")
def phantom():
    return make_head(7, ga_days=150)


def png_that_claims(width, height):
    """Return a small PNG whose header promises any number of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_file_is_gone_when_its_request_ends_well_or_badly(tmp_path):
    for i, fails in enumerate((False, True)):
        item = upload(tmp_path / str(i) / "scan.png", b"x")
        try:
            with received([item]) as (file,):
                assert file.path.read_bytes() == b"x"
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass
        assert not file.path.exists()


def test_equal_files_of_two_users_wait_for_both(tmp_path):
    item = upload(tmp_path / "same" / "scan.png", b"x")
    uploads.LEDGER.add([item["path"]] * 2)
    with received([item]):
        pass
    with received([item]) as (file,):
        assert file.path.is_file()
    assert not file.path.exists()


def test_an_equal_file_that_was_put_there_and_is_not_counted_yet_stays(tmp_path):
    """Gradio renames an upload over an equal one before the ledger hears of it."""
    item = upload(tmp_path / "same" / "scan.png", b"x")
    uploads.LEDGER.add([item["path"]])
    with received([item]) as (file,):
        newer = upload(tmp_path / "other" / "scan.png", b"x")["path"]
        Path(newer).rename(file.path)
    assert file.path.is_file()
    uploads.LEDGER.add([item["path"]])
    with received([item]):
        pass
    assert not file.path.exists()


def test_none_and_too_many_files_are_refused_and_the_many_removed(tmp_path, monkeypatch):
    with pytest.raises(UploadError, match="no file came"), received(None):
        pass
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    items = [upload(tmp_path / n / "a.png", b"x") for n in "ab"]
    with pytest.raises(UploadError, match="2 files; at most 1"), received(items):
        pass
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_file_is_bounded_in_bytes_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_IMAGE_BYTES", 1000)
    monkeypatch.setattr(uploads, "read_gray", lambda path: pytest.fail("it was read"))
    big = Upload(tmp_path / "big.png", "big.png")
    big.path.write_bytes(b"0" * 1001)
    with pytest.raises(UploadError, match=r"big.png: 0 MB; at most 0 MB are read"):
        uploads.read_scan(big)


def test_a_picture_is_bounded_in_pixels_by_its_header(tmp_path):
    bomb = Upload(tmp_path / "bomb.png", "bomb.png")
    bomb.path.write_bytes(png_that_claims(20_000, 20_000))
    with pytest.raises(
        UploadError, match="bomb.png: (20000 x 20000|far too many) pixels; at most 64"
    ):
        uploads.read_scan(bomb)


def test_neither_name_nor_ending_is_trusted_and_no_path_is_told(tmp_path, phantom):
    disguised = Upload(tmp_path / "scan.txt", "scan.txt")
    disguised.path.write_bytes(png(phantom.image))
    assert np.array_equal(uploads.read_scan(disguised), phantom.image)
    page = Upload(tmp_path / "a.png", "a.png")
    page.path.write_text("<script>alert(1)</script>")
    with pytest.raises(UploadError, match="^a.png: a web page") as error:
        uploads.read_scan(page)
    assert str(tmp_path) not in str(error.value)
    shown = markup.refusal("<script>alert(1)</script>") + markup.headline("a", "<b>", "&")
    assert "<script" not in shown and "<b>" not in shown


def test_several_frames_are_refused_with_advice_that_can_be_followed(tmp_path, phantom):
    from PIL import Image

    file = Upload(tmp_path / "x", "loop.tif")
    frames = [Image.fromarray(phantom.image)] * 2
    frames[0].save(file.path, format="TIFF", save_all=True, append_images=frames[1:])
    with pytest.raises(UploadError) as error:
        uploads.read_scan(file)
    assert str(error.value) == (
        "loop.tif: 2 frames; one image is needed and none is chosen for you. Save the frame you "
        "mean as a file of its own."
    )


def test_names_cannot_be_formulas_of_a_spreadsheet():
    assert uploads.harmless_name('=HYPERLINK("http:x")') == 'HYPERLINK("http:x")'
    assert uploads.harmless_name("-1+cmd.png") == "1+cmd.png"
    assert uploads.harmless_name("\x00\n") == "scan"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", ".", "/", "a/../..", "\ud800", "\u202egnp.exe"]
)
def test_a_name_leads_nowhere_and_can_be_shown(name):
    shown = uploads.harmless_name(name)
    assert "/" not in shown and shown.strip(".") and shown.encode() and shown.isprintable()


def test_a_long_name_keeps_its_end_and_fits_a_file_system():
    name = uploads.harmless_name("\U0001f9e0" * 200 + "_mask.nii.gz")
    assert name.endswith("_mask.nii.gz") and len(name.encode()) <= 150


def test_an_error_that_nobody_thought_of_is_told_without_its_words(tmp_path, caplog):
    from fetal_book.app import page

    def fails(scans):
        raise RuntimeError(f"secret {scans[0].path}")

    item = upload(tmp_path / "a" / "a.png", b"x")
    told = page._answered(fails, item)
    assert "fl-refusal" in told and "secret" not in told and "secret" in caplog.text
    assert not (tmp_path / "a" / "a.png").exists()
    for held in ([], "x", {"image": 3, "points": 5}, {"image": "data:image/png;base64,"}):
        told = page._guarded(head.measure_held, held, "0.1", "", "", None)
        assert "fl-refusal" in told


def test_an_upload_that_was_swept_is_not_waited_for(tmp_path, monkeypatch):
    ledger, path = uploads.Ledger(), tmp_path / "a" / "scan.png"
    ledger.add([str(path)])
    monkeypatch.setattr(uploads, "KEPT_S", -1)
    upload(path)
    ledger.remove(path)
    assert not path.exists()


def test_what_is_wrong_with_an_upload_is_told_in_its_place(tmp_path, monkeypatch):
    from fetal_book.app import page

    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    items = [upload(tmp_path / n / "a.png", b"x") for n in "ab"]
    told = page._answered(lambda files: pytest.fail("too many were taken"), items)
    assert "fl-refusal" in told and "2 files; at most 1" in told
    assert "no file came" in page._answered(lambda files: "", None)
    item = upload(tmp_path / "c" / "a.png", b"x")
    assert page._answered(lambda files: files[0].name, [item]) == "scan.png"
    assert not (tmp_path / "c" / "a.png").exists()
