"""Own images, masks and table become a chapter's layout: the same pixels, in millimetres."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_up_folders import labels, save_text, save_volume
from made_up_scans import (
    SIZE,
    fingerprint,
    head,
    real_data,
    ring_of,
    save,
    scan,
    us_region,
    write_dicom,
)
from typer.testing import CliRunner

from fetal_book.cli.data import app
from fetal_lib.data.layouts import (
    anomaly_cases,
    bids_adult,
    bids_fetal,
    clinical_ultrasound,
    heads,
)
from fetal_lib.data.verify import verify_folder

PROJECT = Path(__file__).resolve().parents[1]
HC_MM = [round(head(i).perimeter * 0.5, 3) for i in range(4)]
OWN = "Bild;Patient ID;{};{};Bemerkung"


@pytest.fixture(autouse=True)
def _lists_are_written_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def own_folder(folder, pixel="pixel size (mm)", hc="HC [cm]", sizes=0.5, hcs=0.1):
    """Write four heads, two of one patient: masks filled and outlined, a spreadsheet's table."""
    rows = [OWN.format(pixel, hc)]
    for i in range(4):
        drawing = ring_of(head(i)) if i % 2 else head(i).mask(SIZE).astype(np.uint8)
        save(folder / "images" / f"Scan {i}.png", scan(i))
        save(folder / "masks" / (f"Scan {i}_Mask.png" if i % 3 else f"scan {i}.tif"), drawing)
        numbers = f"{sizes};{HC_MM[i] * hcs:.4f}".replace(".", ",")
        place = "D:\\Daten\\" if i == 3 else ""
        rows.append(f"{place}scan {i};P{i // 2};{numbers};gut, ja")
    (folder / "Tabelle.csv").write_text("\n".join(rows) + "\n", "utf-8-sig")
    return folder


@pytest.mark.parametrize(
    ("pixel", "sizes", "hc", "hcs"),
    [
        ("pixel size (mm)", 0.5, "HC [cm]", 0.1),
        ("Pixelgröße in um", 500, "head circumference (mm)", 1),
        ("mm/px", 0.5, "HC_mm", 1),
        ("pixel per mm", 2, "Kopfumfang in µm", 1000),
        ("px_to_mm_rate", 0.5, "hc cm", 0.1),
    ],
)
def test_a_chapter_reads_the_same_arrays_and_millimetres(tmp_path, pixel, sizes, hc, hcs):
    own = own_folder(tmp_path / "own", pixel, hc, sizes, hcs)
    before, out = fingerprint(own), tmp_path / "my heads"
    result = run(own, out)
    assert result.exit_code == 0, result.output
    assert fingerprint(own) == before
    table = heads.read_cases(out)
    assert table["pixel_size_mm"].tolist() == pytest.approx([0.5] * 4, rel=1e-9)
    assert table["hc_mm"].tolist() == pytest.approx(HC_MM, rel=1e-6)
    assert table["examination"].tolist() == ["001", "001", "002", "002"]
    for i, row in enumerate(table.itertuples()):
        found = heads.read(row)
        assert np.array_equal(found.image, scan(i))
        assert found.ellipse.perimeter == pytest.approx(head(i).perimeter, rel=0.002)
        if i % 2:
            assert np.array_equal(found.outline, ring_of(head(i)))
    assert verify_folder(out).ok and not verify_folder(out).notes


def test_it_says_what_it_understood_and_the_command_that_runs_it(tmp_path):
    own, out = own_folder(tmp_path / "own", pixel="px_um", sizes=500), tmp_path / "my heads"
    lines = run(own, out).stdout.splitlines()
    told = {line.split("  ")[0]: line.split() for line in lines}
    assert told["px_um"][1:] == ["pixel_size_mm", "µm", "500"]
    assert "not carried over" in " ".join(told["Bemerkung"])
    words = shlex.split(lines[-1])
    assert words == ["fetal-lib", "run", "04", "-p", f"data={out}"]
    assert "Scan 3.png" in (out / "converted_from.csv").read_text()


@pytest.mark.parametrize("header", ["HC", "Kopfumfang"])
def test_a_unit_is_never_guessed(tmp_path, header):
    own = own_folder(tmp_path / "own", hc=header)
    refused = run(own, tmp_path / "out")
    assert refused.exit_code == 1 and f"--unit '{header}=cm'" in refused.output
    assert not (tmp_path / "out").exists()
    assert run(own, tmp_path / "out", "--unit", f"{header}=CM").exit_code == 0
    assert heads.read_cases(tmp_path / "out")["hc_mm"].tolist() == pytest.approx(HC_MM, rel=1e-6)


def test_a_wrong_unit_is_told_in_the_tables_own(tmp_path):
    result = run(own_folder(tmp_path / "own", hc="HC (mm)"), tmp_path / "out")
    assert result.exit_code == 1 and "it must be 30-420 mm" in result.output
    assert not (tmp_path / "out").exists()


def test_what_a_layout_does_not_take_needs_no_unit_and_may_hold_anything(tmp_path):
    own = own_folder(tmp_path / "own")
    table = own / "Tabelle.csv"
    table.write_text(table.read_text("utf-8-sig").replace("Bemerkung", "GA"))
    result = run(own, tmp_path / "out")
    assert result.exit_code == 0 and "not in layout hc18" in result.output
    assert "--unit 'GA=weeks'" in run(own, tmp_path / "o", "--chapter", "3").output


def test_a_head_set_leaves_abdomens_out_and_says_so(tmp_path):
    own = own_folder(tmp_path / "own")
    table = own / "Tabelle.csv"
    text = table.read_text("utf-8-sig").replace("Bemerkung", "structure")
    table.write_text(text.replace("gut, ja", "Abdomen", 1).replace("gut, ja", "head"))
    result = run(own, tmp_path / "out", "--chapter", "04")
    assert result.exit_code == 0 and "it shows abdomen; this layout is of heads" in result.output
    assert len(heads.read_cases(tmp_path / "out")) == 3


def test_masks_alone_are_measured_with_the_pixel_size_given_or_stated(tmp_path):
    for i in range(2):
        pixels = (
            write_dicom if i else lambda path, image, **_: save(path.with_suffix(".png"), image)
        )
        pixels(
            tmp_path / "own" / "images" / f"{i}.dcm",
            scan(i),
            SequenceOfUltrasoundRegions=[us_region(0.025, 0.025)],
        )
        save(tmp_path / "own" / "masks" / f"{i}.png", ring_of(head(i)))
    refused = run(tmp_path / "own", tmp_path / "out")
    assert refused.exit_code == 1 and "--pixel-size" in refused.output
    result = run(tmp_path / "own", tmp_path / "out", "--pixel-size", 0.5)
    assert result.exit_code == 0 and "patients: no column names them" in result.output
    assert "not given for 2 of 2 images" in result.output
    table = heads.read_cases(tmp_path / "out")
    assert table["hc_mm"].tolist() == pytest.approx(HC_MM[:2], rel=0.005)


def test_a_folder_a_patient_may_repeat_names_and_keeps_patients_apart(tmp_path):
    for i, home in enumerate(("images/P1", "images/P2", "images/P2/second")):
        save(tmp_path / "own" / home / "1.png", scan(i))
        save(tmp_path / "own" / home.replace("images", "masks") / "1_mask.png", ring_of(head(i)))
    result = run(tmp_path / "own", tmp_path / "out", "--pixel-size", 0.5, "--patients", "folder")
    assert result.exit_code == 0, result.output
    table = heads.read_cases(tmp_path / "out")
    assert table["image"].tolist() == ["001_1.png", "002_1-2.png", "002_1.png"]
    for i, row in zip((0, 2, 1), table.itertuples(), strict=True):
        assert np.array_equal(heads.read(row).image, scan(i))
        assert np.array_equal(heads.read(row).outline, ring_of(head(i)))
    wrong = run(tmp_path / "own", tmp_path / "two", "--patients", "both")
    assert "it must be folder or name" in wrong.output


def test_all_that_is_wrong_is_grouped_and_nothing_is_written_unless_it_may_be_left_out(tmp_path):
    own = own_folder(tmp_path / "own")
    (own / "masks" / "Scan 1_Mask.png").unlink()
    (own / "images" / "Scan 2.png").write_bytes(b"")
    save(own / "images" / "Scan 9.png", scan(9))
    table = own / "Tabelle.csv"
    table.write_text(table.read_text("utf-8-sig").replace("scan 3;P1;0,5", "scan 3;P1;0,5 mm"))
    refused = run(own, tmp_path / "out")
    assert refused.exit_code == 1 and not (tmp_path / "out").exists()
    for kind in ("no mask", "zero bytes", "not listed", "not a number"):
        assert f"\n{kind} " in refused.stdout
    kept = run(own, tmp_path / "out", "--leave-out")
    assert kept.exit_code == 0, kept.output
    assert heads.read_cases(tmp_path / "out")["image"].tolist() == ["001_Scan 0.png"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_dry_run_writes_nothing_and_a_folder_in_use_is_refused(tmp_path):
    own = own_folder(tmp_path / "own")
    assert run(own, tmp_path / "out", "--dry-run").exit_code == 0
    (own / "images" / "Scan 2.png").unlink()
    assert run(own, tmp_path / "out", "--dry-run").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    for out in (own, own / "out", tmp_path):
        assert "it must lie apart from" in run(own, out).output
    save(tmp_path / "other" / "mine.png", scan())
    assert "is there and not empty" in run(own, tmp_path / "other").output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--column", "patent=Patient ID"], "did you mean 'patient'"),
        (["--column", "hc=Umfang"], "--column: 'Umfang' is none of them"),
        (["--unit", "HC"], "--unit: received 'HC'; it must be COLUMN=UNIT"),
        (["--chapter", "01"], "give a column `GA (weeks)`"),
        (["--table", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_wrong_words_end_in_one_clear_line(tmp_path, arguments, text):
    result = run(own_folder(tmp_path / "own"), tmp_path / "out", *arguments)
    assert result.exit_code == 1 and text in result.output and "Traceback" not in result.output


def test_a_workbook_is_refused_with_what_to_do(tmp_path):
    own = own_folder(tmp_path / "own")
    (own / "Tabelle.csv").rename(own / "Tabelle.xlsx").write_bytes(b"PK\x03\x04 workbook")
    result = run(own, tmp_path / "out")
    assert result.exit_code == 1 and "save the sheet as 'CSV UTF-8'" in result.output


def test_chapter_03_takes_the_masks_as_drawn_and_every_length(tmp_path):
    own, out = own_folder(tmp_path / "own"), tmp_path / "out"
    assert "--structure head" in run(own, out, "--chapter", "03").output
    assert run(own, out, "--chapter", "03", "--structure", "abdomen").exit_code == 0
    table = clinical_ultrasound.read_cases(out)
    assert table["subject"].tolist() == ["P0", "P0", "P1", "P1"]
    assert set(table["structure"]) == {"abdomen"}
    for i, row in enumerate(table.itertuples()):
        image, mask = clinical_ultrasound.LAYOUT.read(row)
        assert np.array_equal(image, scan(i)) and (mask != head(i).mask(SIZE)).mean() < 0.004


def test_chapter_02_takes_classes_and_keeps_patients(tmp_path):
    own = tmp_path / "own"
    for i, label in enumerate(("normal", "encephalocele", "normal")):
        save(own / "scans" / f"{i}.jpg", scan(i))
        (own / "list.tsv").open("a").write(f"{i}\t{label}\tP{i}\t{20 + i}+3\n")
    rows = (own / "list.tsv").read_text()
    (own / "list.tsv").write_text(f"No\tDiagnosis\tCase no.\tGA\n{rows}")
    result = run(own, tmp_path / "out")
    assert result.exit_code == 0, result.output
    table = anomaly_cases.find(tmp_path / "out").usable()
    assert table["label"].tolist() == ["normal", "encephalocele", "normal"]
    assert table["subject"].tolist() == ["P0", "P1", "P2"]
    assert table["ga_days"].tolist() == [143, 150, 157] and "phantom" not in set(table["source"])


@pytest.mark.parametrize(
    ("header", "ages", "layout", "column", "read"),
    [
        ("GA (weeks)", ("21+3", "30+0", "23+1"), bids_fetal, "ga_days", [150, 162, 210]),
        ("age", ("44,5", "71", "44,5"), bids_adult, "age_years", [44.5, 44.5, 71]),
    ],
)
def test_volumes_become_bids_with_sessions_and_masks(tmp_path, header, ages, layout, column, read):
    own = tmp_path / "own"
    for i in range(3):
        save_volume(own / f"scan-{i}.nii.gz", seed=i)
    save_volume(own / "scan-1_dseg.nii.gz", labels())
    rows = [f"scan-{i};{who};{ages[i]}" for i, who in enumerate(("P-1", "P-2", "P-1"))]
    (own / "people.csv").write_text("\n".join([f"image;subject;{header}", *rows]) + "\n")
    result = run(own, tmp_path / "out")
    assert result.exit_code == 0, result.output
    table = layout.find(tmp_path / "out").usable()
    assert table["subject"].tolist() == ["sub-P1", "sub-P1", "sub-P2"]
    assert table[column].tolist() == read and table["labels_path"].notna().sum() == 1
    for row, source in zip(table.itertuples(), (0, 2, 1), strict=True):
        assert row.path.read_bytes() == (own / f"scan-{source}.nii.gz").read_bytes()
        layout.LAYOUT.read(row)


def test_the_page_s_own_example_and_commands_hold(tmp_path):
    page = (PROJECT / "book" / "howto" / "own_data.md").read_text("utf-8")
    (table,) = re.findall(r"```text\n(file;.*?)```", page, re.S)
    save_text(tmp_path / "my_scans" / "heads.csv", table)
    for name in ("a12.png", "a13.jpg"):
        save(tmp_path / "my_scans" / "images" / name, scan(size=(480, 640)))
        mask = head(size=(480, 640)).mask((480, 640)).astype(np.uint8) * 255
        save(tmp_path / "my_scans" / "masks" / f"{name[:3]}_mask.png", mask)
    commands = re.findall(r"^fetal-lib data (convert .*)$", page, re.M)
    assert len(commands) == 2 and commands[0].endswith("--dry-run")
    for command in commands:
        result = CliRunner().invoke(app, shlex.split(command))
        assert result.exit_code == 0, result.output
    known = heads.read_cases(tmp_path / "my_heads")
    assert known["hc_mm"].tolist() == [173.1, 174.0] and known["examination"].nunique() == 1
    assert known["pixel_size_mm"].tolist() == [0.1205, 0.118]


@pytest.mark.slow
def test_real_heads_come_back_from_filled_masks_to_a_thousandth(tmp_path):
    known = heads.read_cases(real_data("hc18")).iloc[::25]
    rows = ["file;patient;px_um;HC (cm)"]
    for row in known.itertuples():
        found, name = heads.read(row), f"s{row.Index}"
        shutil.copy(row.image_path, save(tmp_path / "own" / "images" / f"{name}.png", scan()))
        mask = found.ellipse.mask(found.image.shape).astype(np.uint8) * 255
        save(tmp_path / "own" / "masks" / f"{name}.png", mask)
        numbers = f"{row.pixel_size_mm * 1000:.6f};{row.hc_mm / 10:.4f}".replace(".", ",")
        rows.append(f"{name}.png;{row.examination};{numbers}")
    (tmp_path / "own" / "t.csv").write_text("\n".join(rows) + "\n")
    assert run(tmp_path / "own", tmp_path / "out").exit_code == 0
    table = heads.read_cases(tmp_path / "out")
    assert np.allclose(table["hc_mm"], known["hc_mm"]) and len(table) == len(known)
    for ours, theirs in zip(table.itertuples(), known.itertuples(), strict=True):
        one, other = heads.read(ours), heads.read(theirs)
        assert np.array_equal(one.image, other.image)
        assert one.ellipse.perimeter == pytest.approx(other.ellipse.perimeter, rel=1e-3)
