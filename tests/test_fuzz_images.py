"""Damaged and disguised images: gray values or an ImageReadError that names the file, nothing else.

Every way of saving a scan that the reader knows is mutated (flipped and zeroed bytes, cut,
lengthened, sizes overwritten), and so are real files where they are at hand. The file itself
stays as it was.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from damaged_files import changes_near, fuzz, mutated
from hypothesis import given
from hypothesis import strategies as st
from made_up_scans import real_data, scan, us_region, write_dicom
from PIL import Image

from fetal_lib.readers.dicom_image import read_dicom_image, read_pixel_size_mm
from fetal_lib.readers.image import ImageReadError, read_gray

pytest.importorskip("pydicom")
SMALL = scan(size=(20, 28))
PIXELS = {
    "gray": SMALL,
    "rgb": np.dstack([SMALL] * 3),
    "rgba": np.dstack([SMALL] * 4),
    "deep": SMALL.astype(np.uint16) * 257,
}
STILLS = [("PNG", p) for p in PIXELS] + [("TIFF", p) for p in PIXELS if p != "deep"]
STILLS += [("TIFF", "deep"), ("BMP", "gray"), ("BMP", "rgb"), ("JPEG", "gray"), ("JPEG", "rgb")]
PACKED = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
FUZZ = fuzz(300)


def still(kind: str, pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def loop(kind: str) -> bytes:
    frames = [Image.fromarray(SMALL)] * 2
    return still(kind, SMALL, save_all=True, append_images=frames)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """Return undamaged files by name."""
    folder = tmp_path_factory.mktemp("whole")
    files = {f"{name}.{kind.lower()}": still(kind, PIXELS[name]) for kind, name in STILLS}
    files |= {f"{name}.tiff": still("TIFF", SMALL, compression=name) for name in PACKED}
    files |= {"loop.tiff": loop("TIFF"), "loop.png": loop("PNG")}
    tags = {"SequenceOfUltrasoundRegions": [us_region(0.01, 0.01)], "PixelSpacing": [0.1, 0.1]}
    for name in ("gray", "rgb", "deep"):
        files[f"{name}.dcm"] = write_dicom(folder / "a", PIXELS[name], **tags).read_bytes()
    files["loop.dcm"] = write_dicom(folder / "a", np.stack([SMALL] * 3)).read_bytes()
    return files


CHANGES = changes_near(0.1)


def check(path, content: bytes, read: Callable = read_gray) -> np.ndarray | None:
    """Read what a file with this content holds; fail on anything but pixels or a named error."""
    path.write_bytes(content)
    changed = path.stat().st_mtime_ns
    try:
        image = read(path)
    except ImageReadError as error:
        assert str(error).startswith(f"{path}: ") and error.path == path
        image = None
    else:
        assert image.dtype == np.uint8 and image.ndim == 2 and image.size
    assert path.read_bytes() == content and path.stat().st_mtime_ns == changed
    return image


def test_every_whole_file_is_read_or_has_several_frames(tmp_path, whole):
    for name, content in whole.items():
        image = check(tmp_path / name, content)
        assert (image is None) == name.startswith("loop"), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "dcm"])
@given(changes=CHANGES, pick=st.integers(0, 99))
@FUZZ
def test_damaged_files_are_pixels_or_a_named_error(tmp_path, whole, kind, changes, pick):
    names = [name for name in whole if name.endswith(kind)]
    name = names[pick % len(names)]
    path = tmp_path / name
    check(path, mutated(whole[name], changes))
    check(path, path.read_bytes(), lambda p: read_gray(p, frame=1))
    if kind == "dcm":
        check(path, path.read_bytes(), lambda p: read_dicom_image(p, 0))
        try:
            read_pixel_size_mm(path)
        except ImageReadError as error:
            assert str(path) in str(error)


@pytest.mark.slow
@given(start=st.integers(0, 99), rest=st.binary(max_size=400))
@FUZZ
def test_noise_behind_a_true_beginning_is_refused(tmp_path, whole, start, rest):
    content = list(whole.values())[start % len(whole)]
    check(tmp_path / "scan.png", content[: 8 + start * 2] + rest)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "bmp", "dcm", "txt", ""])
def test_a_wrong_ending_does_not_matter(tmp_path, whole, ending):
    expected = check(tmp_path / "a.png", whole["gray.png"])
    for name in ("gray.png", "gray.tiff", "gray.bmp", "gray.dcm"):
        found = check(tmp_path / f"scan.{ending}", whole[name])
        assert np.array_equal(found, expected)


def test_a_tiff_that_points_to_a_second_page_of_noise_is_refused(tmp_path, whole):
    """Once a TypeError of the decoder, which looks for the page's width."""
    content, path = bytearray(whole["gray.tiff"]), tmp_path / "scan.tif"
    link = 8 + 2 + 12 * int.from_bytes(content[8:10], "little")
    assert content[link : link + 4] == bytes(4)
    content[link : link + 4] = (len(content) - 40).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match="scan.tif: .*damaged"):
        read_gray(path)


def test_a_huge_declared_size_costs_no_memory(tmp_path, whole):
    import struct
    import tracemalloc
    import zlib

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + head
    crc = struct.pack(">I", zlib.crc32(chunk))
    content = whole["gray.png"][:8] + struct.pack(">I", 13) + chunk + crc + whole["gray.png"][33:]
    (tmp_path / "poster.png").write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ImageReadError, match="poster.png: .* at most 64 million pixels"):
        read_gray(tmp_path / "poster.png")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_pipe_is_refused_not_waited_for(tmp_path):
    import os

    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "scan.png")
    with pytest.raises(ImageReadError, match="scan.png: no regular file"):
        read_gray(tmp_path / "scan.png")


@pytest.mark.parametrize("name", ["a" * 300 + ".png", "a\0.png", "scan.png/inner.png"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, name, whole):
    (tmp_path / "scan.png").write_bytes(whole["gray.png"])
    with pytest.raises(ImageReadError, match="(cannot be opened|no such file)"):
        read_gray(tmp_path / name)


def test_a_file_that_may_not_be_read_is_named(tmp_path, whole, monkeypatch):
    from pathlib import Path

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "scan.png").write_bytes(whole["gray.png"])
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageReadError, match=r"scan.png: it cannot be opened \(Permission"):
        read_gray(tmp_path / "scan.png")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "pattern"),
    [("hc18", "training_set/*_HC.png"), ("fetal_us_abnormalities", "test/images/*.jpg")],
)
@given(changes=CHANGES, pick=st.integers(0, 99))
@FUZZ
def test_damaged_real_files_are_pixels_or_a_named_error(tmp_path, data, pattern, changes, pick):
    folder = real_data(data)
    files = sorted(folder.glob(pattern))[:10]
    content = files[pick % len(files)].read_bytes()
    check(tmp_path / f"scan{files[0].suffix}", mutated(content, changes))
