"""Damaged data folders: a table or one ValueError that names the table or every bad file.

Tables are mutated as text, as bytes and cell by cell; images and masks of a set are spoilt in
all ways at once. No file of the user is ever changed.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from damaged_files import fuzz
from hypothesis import given
from hypothesis import strategies as st
from made_up_folders import biometry
from made_up_scans import (
    SIZE,
    fingerprint,
    head,
    save,
    scan,
    write_clinical,
    write_heads,
    write_planes,
)

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts import (
    clinical_ultrasound,
    fetal_biometry,
    fetal_planes,
    heads,
    mask_folders,
)
from fetal_lib.data.masks import iter_cases

FUZZ = fuzz(150)
SIZES = "pixel_sizes.csv"


def write_sizes(folder: Path) -> Path:
    write_heads(folder)
    shutil.copy(folder / heads.TABLE_NAME, folder / "training_set" / SIZES)
    return folder / "training_set"


SETS: dict[str, tuple[Callable, str, Callable]] = {
    "heads": (write_heads, heads.TABLE_NAME, heads.find),
    "clinical": (write_clinical, clinical_ultrasound.TABLE_NAME, clinical_ultrasound.find),
    "planes": (write_planes, fetal_planes.TABLE_NAME, fetal_planes.find),
    "sizes": (write_sizes, SIZES, mask_folders.find),
    "callipers": (biometry, "Abdomen.csv", fetal_biometry.find),
}
CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "0,5", "1,234", "1.234,5", "NaN", "inf", "-1", "1e400", '"', "\0", ";", "..", "/"]
        + ["000_HC.png", "../000_HC.png", "images/0.png", "a\\b.png", "é\u0301", "\ufeff", "٣"]
    ),
    st.text(max_size=12),
    st.floats().map(str),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    return {name: write(tmp_path_factory.mktemp(name)) for name, (write, _, _) in SETS.items()}


def check(folder: Path, name: str, content: bytes) -> bool:
    """Read a set whose table has this content; fail on anything but a table or a named error."""
    _, csv, read = SETS[name]
    original = (folder / csv).read_bytes()
    try:
        (folder / csv).write_bytes(content)
        before = fingerprint(folder)
        try:
            table = read(folder).usable()
        except BadFilesError as error:
            assert csv in str(error) and error.problems
            return False
        finally:
            assert fingerprint(folder) == before
        assert len(table) and all(path.is_file() for path in table["image_path"])
        numbers = table.select_dtypes("number")
        assert not np.isinf(numbers.to_numpy()).any()
        return True
    finally:
        (folder / csv).write_bytes(original)


@pytest.mark.parametrize("name", SETS)
def test_whole_sets_are_read(folders, name):
    folder, csv = folders[name], SETS[name][1]
    assert check(folder, name, (folder / csv).read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
@given(
    changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20), CELLS), max_size=4),
    ends=st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]),
    separator=st.sampled_from([None, ";", ",", "\t", "|"]),
)
@FUZZ
def test_tables_with_odd_cells_are_read_or_refused_by_name(
    folders, name, changes, ends, encoding, separator
):
    folder, csv = folders[name], SETS[name][1]
    text = (folder / csv).read_text()
    parted = ";" if name == "planes" else ","
    rows = [line.split(parted) for line in text.splitlines()]
    for row, column, cell in changes:
        cells = rows[row % len(rows)]
        cells[column % len(cells) :][:1] = []
        cells.insert(column % (len(cells) + 1), cell)
        if column > 15:
            cells.append(cell)
    content = ends.join((separator or parted).join(cells) for cells in rows)
    check(folder, name, content.encode(encoding, "replace"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
@FUZZ
def test_tables_with_damaged_bytes_are_read_or_refused_by_name(folders, name, flips, cut):
    folder, csv = folders[name], SETS[name][1]
    content = bytearray((folder / csv).read_bytes())
    for where, byte in flips:
        content[int(where * (len(content) - 1))] = byte
    check(folder, name, bytes(content[: None if cut is None else int(cut * len(content))]))


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
@FUZZ
def test_noise_is_no_table(folders, name, content):
    assert not check(folders[name], name, content)


def spoil(path: Path, how: str) -> None:
    if how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif how == "text":
        path.write_text("filename,pixel size(mm)\n")
    elif how == "size":
        save(path, scan(size=(30, 31)))
    elif how == "frames":
        from PIL import Image

        frame = Image.fromarray(scan())
        frame.save(path, "TIFF", save_all=True, append_images=[frame])
    elif how == "floats":
        save(path, scan().astype(np.float32), format="TIFF")
    elif how == "gone":
        path.unlink()
    else:
        path.unlink()
        path.mkdir()


SPOILT = ("empty", "cut", "text", "size", "frames", "floats", "gone", "folder")
READERS = {
    "heads": (write_heads, heads.read_cases, heads.iter_cases),
    "heads in memory": (write_heads, heads.read_cases, heads.load_arrays),
    "clinical": (write_clinical, clinical_ultrasound.read_cases, iter_cases),
    "folders": (write_clinical, lambda folder: mask_folders.find(folder).usable(), iter_cases),
}


@pytest.mark.parametrize("name", READERS)
def test_every_spoilt_file_of_a_set_is_named(tmp_path, name):
    write, read, load = READERS[name]
    n = 2 * len(SPOILT) + 3
    table = read(write(tmp_path, n))
    columns = itertools.product(SPOILT, ("image_path", "mask_path"))
    spoilt = [table[column][row + 1] for row, (_, column) in enumerate(columns)]
    for path, (how, _) in zip(spoilt, itertools.product(SPOILT, (0, 1)), strict=True):
        spoil(path, how)
    files, seen = fingerprint(tmp_path), 0
    with pytest.raises(BadFilesError) as raised:
        for _ in load(table, (32, 48)):
            seen += 1
    assert len(raised.value.problems) == len(spoilt)
    told = "\n".join(map(str, raised.value.problems))
    assert all(path.name in told for path in spoilt)
    assert seen == (0 if load is heads.load_arrays else 1)
    assert fingerprint(tmp_path) == files


@pytest.mark.parametrize("name", READERS)
def test_a_set_saved_in_mixed_ways_reads_as_one(tmp_path, name):
    write, read, load = READERS[name]
    table = read(write(tmp_path, 4))
    expected = [case[0] for case in load(table, SIZE)] if "memory" not in name else None
    ways = [("PNG", lambda x: x.astype(np.uint16) * 257), ("PNG", lambda x: np.dstack([x] * 3))]
    ways += [("TIFF", lambda x: x), ("PNG", lambda x: np.dstack([x] * 3 + [np.full_like(x, 255)]))]
    from fetal_lib.readers.image import read_gray

    for path, (kind, change) in zip(table["image_path"], ways, strict=True):
        save(path, change(read_gray(path)), format=kind)
    cases = load(table, SIZE)
    images = cases.images if "memory" in name else [case[0] for case in cases]
    wanted = expected or [read_gray(path) for path in table["image_path"]]
    assert all(np.array_equal(a, b) for a, b in zip(images, wanted, strict=True))


def test_unicode_names_are_read(tmp_path):
    folder = write_clinical(tmp_path / "Žluťoučký kůň 胎児", 2)
    (folder / "images" / "0.png").rename(folder / "images" / "Fötus №1 α.png")
    path = folder / "table.csv"
    path.write_text(path.read_text().replace("images/0.png", "images/Fötus №1 α.png"), "utf-8")
    table = clinical_ultrasound.read_cases(folder)
    image, mask, _ = next(iter_cases(table, SIZE))
    assert np.array_equal(image, scan(0)) and np.array_equal(mask > 0, head(0).mask(SIZE))
