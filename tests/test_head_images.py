"""HC18's layout: quirks of its names, all bad files in one message, arrays that match the files."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_scans import SIZE, fingerprint, head, real_data, save, scan, write_heads

from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.heads import TABLE_NAME, iter_cases, load_arrays, read_cases


def rewrite(folder, old, new):
    path = folder / TABLE_NAME
    path.write_text(path.read_text().replace(old, new))


def test_a_table_reads_in_the_order_of_its_names(tmp_path):
    table = read_cases(write_heads(tmp_path))
    assert list(table["image"]) == ["000_2HC.png", "000_HC.png", "002_HC.png", "003_HC.png"]
    assert list(table["examination"]) == ["000", "000", "002", "003"]
    assert (table["pixel_size_mm"] == 0.5).all()
    assert table["hc_mm"][1] == pytest.approx(head(0).perimeter * 0.5, abs=0.01)


def test_arrays_hold_what_the_files_hold(tmp_path):
    steps = []
    table = read_cases(write_heads(tmp_path))
    arrays = load_arrays(table, SIZE, lambda *step: steps.append(step))
    assert steps == [(i, 4) for i in range(1, 5)] and len(arrays) == 4
    assert np.array_equal(arrays.images[1], scan(0)) and arrays.sizes_hw.tolist() == [[96, 128]] * 4
    assert arrays.ellipses[1].perimeter == pytest.approx(head(0).perimeter, rel=0.005)
    cases = list(iter_cases(table, SIZE))
    assert all(np.array_equal(arrays.masks[i], case[1]) for i, case in enumerate(cases))


def test_a_table_with_semicolons_and_decimal_commas_reads_the_same(tmp_path):
    folder = write_heads(tmp_path)
    expected = read_cases(folder)
    text = (folder / TABLE_NAME).read_text()
    header, rows = text.split("\n", 1)
    changed = header.replace(",", ";") + "\n" + rows.replace(",", ";").replace("0.5;", "0,5;")
    (folder / TABLE_NAME).write_text(changed)
    with pytest.raises(BadFilesError, match="other numbers have decimal points"):
        read_cases(folder)
    rows = rows.replace(",", ";").replace(".png", "#").replace(".", ",").replace("#", ".png")
    (folder / TABLE_NAME).write_text(header.replace(",", ";") + "\n" + rows)
    assert read_cases(folder).equals(expected)


def test_all_bad_images_are_named_in_one_error(tmp_path):
    folder = write_heads(tmp_path, 6)
    before = read_cases(folder)
    training = folder / "training_set"
    (training / "000_HC.png").write_bytes(b"")
    save(training / "002_HC_Annotation.png", np.zeros(SIZE, np.uint8))
    save(training / "003_HC_Annotation.png", np.full(SIZE, 255, np.uint8))
    save(training / "004_HC_Annotation.png", np.full((9, 9), 255, np.uint8))
    files = fingerprint(folder)
    steps = []
    with pytest.raises(BadFilesError) as raised:
        load_arrays(before, (32, 32), lambda *step: steps.append(step))
    message = str(raised.value)
    assert message.startswith("data: 4 file(s)") and steps == [(1, 6)]
    for found in (
        "000_HC.png: 0 bytes",
        "002_HC_Annotation.png: outline: received 0",
        "003_HC_Annotation.png: 100% of its pixels are drawn",
        "004_HC_Annotation.png: its size (9, 9) is not that of 004_HC.png, (96, 128)",
    ):
        assert found in message
    assert fingerprint(folder) == files


def test_every_bad_row_is_named_at_once(tmp_path):
    folder = write_heads(tmp_path)
    rewrite(folder, "000_HC.png,0.5", "scan.png,0.5")
    rewrite(folder, "000_2HC.png,0.5", "000_2HC.png,")
    rewrite(folder, "002_HC.png", "../002_HC.png")
    rewrite(folder, "003_HC.png,0.5,", "003_HC.png,500,")
    with pytest.raises(BadFilesError) as raised:
        read_cases(folder)
    message = str(raised.value)
    for found in (
        "line 2: filename='scan.png': HC18 names start with the examination's number",
        "line 3: pixel size(mm) is not given for 000_2HC.png",
        "line 4: filename is '../002_HC.png'; it must be a plain file name",
        "line 5: pixel size(mm) is 500; it must be 0.02-1 mm",
    ):
        assert found in message


def test_repeated_and_missing_names_are_listed(tmp_path):
    folder = write_heads(tmp_path)
    rewrite(folder, "002_HC", "003_HC")
    with pytest.raises(BadFilesError, match="003_HC.png stands more than once"):
        read_cases(folder)
    rewrite(folder, "003_HC", "007_HC")
    (folder / "training_set" / "000_HC_Annotation.png").unlink()
    path = folder / TABLE_NAME
    path.write_text("\n".join(path.read_text().split("\n")[:4]))
    with pytest.raises(BadFilesError) as raised:
        read_cases(folder)
    for name in ("007_HC.png", "007_HC_Annotation.png", "000_HC_Annotation.png"):
        assert f"{name}: no such file" in str(raised.value)


def test_a_folder_without_the_table_says_what_is_needed(tmp_path):
    with pytest.raises(ValueError, match=f"{TABLE_NAME}: no such file; .* training_set"):
        read_cases(tmp_path)


def test_an_empty_table_is_refused(tmp_path):
    table = read_cases(write_heads(tmp_path))
    with pytest.raises(ValueError, match="table: received no row"):
        load_arrays(table.iloc[:0], (32, 32))


def test_the_real_table_reads(tmp_path):
    folder = real_data("hc18")
    table = read_cases(folder)
    assert table["pixel_size_mm"].between(0.049, 0.394).all()
    assert table["hc_mm"].between(44, 347).all()
    assert len(table) > table["examination"].nunique()
