"""What a user drew becomes a mask, or is refused; all bad files of a set are named at once."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import SIZE, head, ring_of, save, scan

from fetal_lib.data.bad_files import BadFilesError, find_file, repeated, stream
from fetal_lib.data.masks import is_outline, iter_cases, mask_from_drawing

HEAD = head(1)
FILLED = HEAD.mask(SIZE)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("value", [1, 2, 128, 255])
def test_a_filled_mask_is_taken_as_it_is(value):
    assert np.array_equal(mask_from_drawing(FILLED.astype(np.uint8) * value), FILLED)


def test_soft_edges_are_cut_at_half(tmp_path):
    import cv2

    large = HEAD.resized(SIZE, (384, 512)).mask((384, 512)).astype(np.uint8) * 255
    small = cv2.resize(large, SIZE[::-1], interpolation=cv2.INTER_AREA)
    assert dice(mask_from_drawing(small), FILLED) > 0.99


def test_a_jpeg_mask_is_read(tmp_path):
    from fetal_lib.readers.image import read_gray

    path = save(tmp_path / "m.jpg", FILLED.astype(np.uint8) * 255, quality=60)
    assert dice(mask_from_drawing(read_gray(path)), FILLED) > 0.995


@pytest.mark.parametrize("width", [1, 3, 5])
def test_an_outline_is_filled(width):
    import cv2

    ring = cv2.dilate(ring_of(HEAD), np.ones((width, width), np.uint8))
    assert is_outline(ring > 0)
    assert dice(mask_from_drawing(ring), FILLED) > 0.985


def test_an_outline_with_a_gap_is_filled_too():
    ring = ring_of(HEAD)
    ring[:, 60:70] = 0
    assert dice(mask_from_drawing(ring), FILLED) > 0.99


@pytest.mark.parametrize("shape", ["disc", "rod", "slanted rod", "two discs", "small"])
def test_a_filled_shape_is_no_outline(shape):
    mask = np.zeros(SIZE, bool)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    if shape == "disc":
        mask = FILLED
    elif shape == "rod":
        mask[40:46, 10:110] = True
    elif shape == "slanted rod":
        mask = (np.abs(rows - columns) < 4) & (columns > 5) & (columns < 90)
    elif shape == "two discs":
        mask = np.hypot(rows - 25, columns - 25) < 15
        mask |= np.hypot(rows - 75, columns - 100) < 15
    else:
        mask[10:12, 10:12] = True
    assert not is_outline(mask)


@pytest.mark.parametrize(
    ("drawing", "found"),
    [
        (np.zeros(SIZE, np.uint8), "nothing is drawn"),
        (np.full(SIZE, 255, np.uint8), "covers the whole image"),
        (scan(), "several gray values"),
        (FILLED.astype(np.uint8) + (np.arange(SIZE[1]) > 60), "several gray values"),
        (np.eye(96, dtype=np.uint8)[:, ::-1] | np.eye(96, dtype=np.uint8), "cannot be filled"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(drawing, found):
    with pytest.raises(ValueError, match=f"seven.png: .*{found}"):
        mask_from_drawing(drawing.astype(np.uint8), "seven.png")


def pairs(tmp_path, n=4):
    import pandas as pd

    images = [save(tmp_path / f"{i}.png", scan(i)) for i in range(n)]
    masks = [save(tmp_path / f"m{i}.png", head(i).mask(SIZE).astype("u1")) for i in range(n)]
    return pd.DataFrame({"image_path": images, "mask_path": masks})


def test_cases_come_in_order_with_the_covered_share(tmp_path):
    cases = list(iter_cases(pairs(tmp_path), (32, 64)))
    assert len(cases) == 4
    for i, (image, mask, size_hw) in enumerate(cases):
        assert image.shape == mask.shape == (32, 64) and image.dtype == mask.dtype == np.uint8
        assert size_hw == SIZE
        assert mask.mean() / 255 == pytest.approx(head(i).mask(SIZE).mean(), abs=0.002)


def test_all_bad_files_are_named_and_nothing_follows_the_first(tmp_path):
    table = pairs(tmp_path, 5)
    table["image_path"][1].write_bytes(b"")
    table["mask_path"][1].unlink()
    save(table["mask_path"][3], FILLED.astype("u1")[:-1])
    seen = 0
    with pytest.raises(BadFilesError) as raised:
        for _ in iter_cases(table, (32, 32)):
            seen += 1
    message = str(raised.value)
    assert seen == 1 and message.startswith("data: 3 file(s)")
    assert all(name in message for name in ("1.png: 0 bytes", "m1.png: no such", "m3.png: its"))
    assert "2.png" not in message and isinstance(raised.value, ValueError)


@pytest.mark.parametrize("shape", [(0, 5), (5,), (5, 5, 5), 5, (5.0, 5), (10**6, 5), None])
def test_a_shape_that_is_none_is_refused_at_once(tmp_path, shape):
    with pytest.raises(ValueError, match=r"shape=.*\(height, width\)"):
        iter_cases(pairs(tmp_path, 1), shape)


def test_stream_lets_other_errors_pass():
    with pytest.raises(KeyError):
        list(stream([1], lambda case: {}[case]))


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "C:\\a.png", "sub/../../a.png", "", "a\0"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="inside the folder"):
        find_file(tmp_path / "sub", name)


@pytest.mark.parametrize("name", ["a" * 5000, "absent.png", "sub"])
def test_a_name_without_a_file_is_reported(tmp_path, name):
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match="no such file"):
        find_file(tmp_path, name)


def test_accents_and_backslashes_are_found(tmp_path):
    import unicodedata

    decomposed = unicodedata.normalize("NFD", "Fötus.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / decomposed).write_bytes(b"x")
    assert find_file(tmp_path, unicodedata.normalize("NFC", "sub\\Fötus.png")).is_file()
    assert repeated(["é", "e\u0301", "a"]) == ["é"]
