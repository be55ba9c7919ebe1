"""The image reader: every way of saving one scan reads the same, everything else is refused."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fetal_lib.readers.image import ImageReadError, read_gray

SCAN = np.random.default_rng(0).integers(0, 256, (24, 31), dtype=np.uint8)
SCAN[0, 0] = 255


def save(path, image: Image.Image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("kind", ["png", "bmp", "tif", "PNG"])
def test_gray_is_read_as_it_is(tmp_path, kind):
    found = read_gray(save(tmp_path / f"scan.{kind}", Image.fromarray(SCAN)))
    assert found.dtype == np.uint8 and np.array_equal(found, SCAN)
    assert found.flags.writeable


def test_a_path_may_be_a_string_and_the_name_may_lie(tmp_path):
    path = save(tmp_path / "scan.jpg", Image.fromarray(SCAN), format="PNG")
    assert np.array_equal(read_gray(str(path)), SCAN)


def test_jpeg_is_read_to_within_its_loss(tmp_path):
    smooth = np.tile(np.arange(0, 248, 8, dtype=np.uint8), (24, 1))
    found = read_gray(save(tmp_path / "scan.jpg", Image.fromarray(smooth), quality=95))
    assert np.abs(found.astype(int) - smooth).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_gray_saved_as_colour_is_read_as_gray(tmp_path, mode):
    found = read_gray(save(tmp_path / "scan.png", Image.fromarray(SCAN).convert(mode)))
    assert np.array_equal(found, SCAN)


def test_colour_becomes_luma(tmp_path):
    colour = np.zeros((2, 3, 3), np.uint8)
    colour[:, 0, 0], colour[:, 1, 1], colour[:, 2, 2] = 255, 255, 255
    found = read_gray(save(tmp_path / "scan.png", Image.fromarray(colour)))
    assert found[0].tolist() == [76, 150, 29]


def test_transparency_is_laid_on_black(tmp_path):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[:2, :, 3], pixels[2:, :, 3] = 0, 255
    found = read_gray(save(tmp_path / "scan.png", Image.fromarray(pixels)))
    assert (found[:2] == 0).all() and (found[2:] == 200).all()


def test_a_palette_is_looked_up(tmp_path):
    indices = Image.fromarray((SCAN // 128).astype(np.uint8), mode="P")
    indices.putpalette([10, 10, 10, 250, 250, 250])
    found = read_gray(save(tmp_path / "scan.png", indices))
    assert np.array_equal(found, np.where(SCAN >= 128, 250, 10))


def test_a_bilevel_mask_is_read_as_black_and_white(tmp_path):
    found = read_gray(save(tmp_path / "mask.png", Image.fromarray(SCAN >= 128)))
    assert np.array_equal(found, np.where(SCAN >= 128, 255, 0))


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bit_files_keep_their_contrast(tmp_path, kind, bits):
    deep = np.round(SCAN.astype(float) / 255 * (2**bits - 1)).astype(np.uint16)
    found = read_gray(save(tmp_path / f"scan.{kind}", Image.fromarray(deep)))
    assert found.dtype == np.uint8 and np.array_equal(found, SCAN)


def test_sixteen_bit_files_agree_with_opencv(tmp_path):
    import cv2

    deep = SCAN.astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "scan.png"), deep)
    assert np.array_equal(read_gray(tmp_path / "scan.png"), SCAN)


def test_a_turned_photograph_is_turned_back(tmp_path):
    image = Image.fromarray(SCAN)
    exif = image.getexif()
    exif[0x0112] = 6
    found = read_gray(save(tmp_path / "scan.png", image, exif=exif))
    assert np.array_equal(found, np.rot90(SCAN, -1))


def test_several_frames_are_refused_unless_one_is_chosen(tmp_path):
    frames = [Image.fromarray(SCAN // divisor) for divisor in (1, 2, 3)]
    path = save(tmp_path / "loop.tif", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(ImageReadError, match=r"loop.tif: 3 frames; .* frame=0"):
        read_gray(path)
    assert np.array_equal(read_gray(path, frame=0), SCAN)
    assert np.array_equal(read_gray(path, frame=2), SCAN // 3)
    with pytest.raises(ImageReadError, match="frames count from 0 to 2"):
        read_gray(path, frame=3)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tif"])
@pytest.mark.parametrize("part", [0.03, 0.3, 0.7])
def test_a_truncated_file_is_refused_whatever_its_kind(tmp_path, kind, part):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)
    path = save(tmp_path / f"scan.{kind}", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageReadError, match=f"scan.{kind}: .*(damaged|undamaged)"):
        read_gray(path)


def test_a_flipped_byte_in_a_png_is_noticed(tmp_path):
    path = save(tmp_path / "scan.png", Image.fromarray(SCAN))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match="damaged"):
        read_gray(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes"),
        (b"filename,pixel size(mm)\n000_HC.png,0.07\n", "first bytes are b'filename'"),
        (b"<html><body>404</body></html>", "a web page"),
        (b"PK\x03\x04" + bytes(50), "a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(50), "perhaps NIfTI"),
        (bytes(128) + b"DICM" + bytes(20), "a DICOM file"),
        (b"\x89PNG\r\n\x1a\n", "undamaged PNG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "undamaged PNG"),
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, found):
    path = tmp_path / "000_HC.png"
    path.write_bytes(content)
    with pytest.raises(ImageReadError, match=f"000_HC.png: .*{found}"):
        read_gray(path)


def test_a_gif_is_refused_by_name(tmp_path):
    path = save(tmp_path / "scan.gif", Image.fromarray(SCAN))
    with pytest.raises(ImageReadError, match="scan.gif: a GIF; .* Export the scan as PNG"):
        read_gray(path)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(ImageReadError, match="a folder; .* Name a file in it"):
        read_gray(tmp_path)
    with pytest.raises(ImageReadError, match="absent.png: no such file; .* Check the path"):
        read_gray(tmp_path / "absent.png")


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_without_a_known_range_are_refused(tmp_path, dtype):
    path = save(tmp_path / "scan.tif", Image.fromarray(SCAN.astype(dtype)))
    with pytest.raises(ImageReadError, match="32-bit pixels .* Save the image as 8-bit"):
        read_gray(path)


@pytest.mark.slow
@pytest.mark.parametrize("side", [9_000, 20_000])
def test_a_poster_is_refused_before_it_fills_the_memory(tmp_path, side):
    path = save(tmp_path / "poster.png", Image.new("1", (side, side)))
    with pytest.raises(ImageReadError, match="poster.png: .* at most 64 million pixels"):
        read_gray(path)


def test_the_error_is_a_value_error_and_carries_the_path(tmp_path):
    with pytest.raises(ValueError) as raised:
        read_gray(tmp_path / "absent.png")
    assert raised.value.path == tmp_path / "absent.png"
