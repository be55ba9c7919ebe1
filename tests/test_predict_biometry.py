"""`predict biometry` on a user's files: sizes, examinations, reports, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from made_up_biometry import (
    GA_DAYS,
    HALF_WIDTH,
    INNER,
    BiometryOracle,
    PlaneOracle,
    abdomen,
    femur,
    head,
    nothing,
    write_scans,
)
from made_up_scans import real_data, us_region, write_dicom
from typer.testing import CliRunner

from fetal_book.cli.predict import app
from fetal_lib.growth import hadlock
from fetal_lib.predict import biometry, examination_report
from fetal_lib.predict.biometry_measure import FLOOR_MM
from fetal_lib.predict.columns import COLUMNS
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_lib.predict.visits import Visit

SCANS = (abdomen(), femur(), head(), nothing())
SCHEMA = Path(examination_report.__file__).with_name("examinations.schema.json")


@pytest.fixture
def known(monkeypatch):
    """Let the command use models that know the scans."""
    monkeypatch.setattr(
        "fetal_lib.predict.biometry_model.BiometryModel.load", lambda folder: BiometryOracle(*SCANS)
    )
    monkeypatch.setattr("fetal_lib.predict.plane.PlaneRecogniser.load", lambda: PlaneOracle(*SCANS))


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open() as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def call(folder: Path, *more: str) -> tuple[int, str]:
    told = ["biometry", str(folder / "scans"), "--out", str(folder / "out.csv"), *more]
    done = CliRunner().invoke(app, told)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_each_plane_is_measured_in_millimetres_with_intervals(tmp_path, known) -> None:
    write_scans(tmp_path / "scans", *SCANS)
    code, told = call(tmp_path, "--table", str(tmp_path / "sizes.csv"))
    assert code == 0 and "3 measured, 1 declined" in told and "CC BY-NC-SA 4.0" in told
    rows = rows_of(tmp_path / "out.csv")
    assert [list(row) for row in rows.values()] == [list(COLUMNS["biometry"])] * 4
    for one, size in ((SCANS[0], "ac"), (SCANS[1], "fl"), (SCANS[2], "hc")):
        row = rows[one.name]
        assert (row["status"], row["plane"], row["reason"]) == ("measured", one.plane, "")
        assert float(row[f"{size}_mm"]) == pytest.approx(one.mm, rel=0.01)
        low_mm = one.mm - HALF_WIDTH * (one.mm + FLOOR_MM[f"{size}_mm"])
        assert float(row[f"{size}_low_mm"]) == pytest.approx(low_mm, rel=0.01)
        others = [name for name, text in row.items() if name.endswith("_mm") and text]
        assert len(others) == {"femur": 4}.get(one.plane, 10)
    assert float(rows["head.png"]["bpd_mm"]) < float(rows["head.png"]["ofd_mm"])
    declined = rows["nothing.png"]
    assert (declined["status"], declined["plane"]) == ("declined", "other")
    assert declined["reason"] == biometry.NO_PLANE and not declined["hc_mm"]


def test_the_convention_of_a_head_is_taken_and_another_word_refused(tmp_path, known) -> None:
    write_scans(tmp_path / "scans", *SCANS)
    found = {}
    for convention in ("outer-outer", "outer-inner"):
        call(tmp_path, "--table", str(tmp_path / "sizes.csv"), "--convention", convention)
        found[convention] = float(rows_of(tmp_path / "out.csv")["head.png"]["bpd_mm"])
    assert found["outer-inner"] == pytest.approx(INNER * found["outer-outer"], rel=0.01)
    code, told = call(tmp_path, "--pixel-size", "0.1", "--convention", "inner")
    assert code == 2 and "it must be outer-outer or outer-inner" in told


@pytest.fixture
def reported(tmp_path, known) -> Path:
    write_scans(tmp_path / "scans", *SCANS)
    lines = [f"{one.name},visit 1,{GA_DAYS}" for one in SCANS[:3]]
    (tmp_path / "exams.csv").write_text("image,exam,ga_days\n" + "\n".join(lines))
    more = ["--exam", str(tmp_path / "exams.csv"), "--table", str(tmp_path / "sizes.csv")]
    more += ["--json", str(tmp_path / "out.json"), "--dicom-sr", str(tmp_path / "sr")]
    code, told = call(tmp_path, *more)
    assert code == 0, told
    return tmp_path


def test_images_of_one_examination_give_one_report(reported) -> None:
    whole = json.loads((reported / "out.json").read_text())
    jsonschema.validate(whole, json.loads(SCHEMA.read_text()))
    alone, visit = sorted(whole["examinations"], key=lambda one: len(one["images"]))
    assert (alone["examination"], alone["ga_days"]) == ("nothing", None)
    assert (visit["examination"], visit["ga_days"]) == ("visit 1", GA_DAYS)
    value = {(q["group"], q["name"]): q["value"] for q in visit["quantities"]}
    sizes = [value["size", name] for name in ("AC", "FL", "HC")]
    weight = hadlock.efw_g(*sizes[:2], hc_mm=sizes[2], formula="H3")
    assert value["weight", "AC, FL, HC"] == pytest.approx(weight)
    assert abs(value["age", "HC, BPD, AC, FL"] - GA_DAYS) < 21
    assert 0 < value["centile", "EFW"] < 100 and value["ratio", "HC/AC"] > 0.8


def test_the_page_shows_sizes_weight_pictures_and_asks_no_host(reported) -> None:
    page = (reported / "out.html").read_text("utf-8")
    assert page.count('<section class="fl-exam">') == 2 and page.count("<img ") == 4
    for words in (
        "visit 1",
        "30+0 weeks",
        "AC, FL, BPD, HC",
        "HC/AC",
        "Not for clinical",
        "@media",
    ):
        assert words in page
    assert biometry.NO_PLANE in page and "CC BY-NC-SA 4.0" in page
    assert not any(f'{name}="http' in page for name in ("src", "href"))
    assert not list(reported.glob("*.part"))


def test_each_examination_has_a_structured_report_that_another_library_reads(reported) -> None:
    from highdicom.sr import srread

    (path,) = (reported / "sr").iterdir()
    assert path.name == "visit_1.dcm"
    text = str(srread(path))
    for code in ("11984-2", "11820-8", "11979-2", "11963-6"):
        assert code in text


def test_an_examination_without_an_age_is_itself() -> None:
    assert Visit("a", float("nan")) == Visit("a", float("nan"))  # 3.13 compares by field


def test_files_of_one_study_are_one_examination_of_its_patient(tmp_path, known) -> None:
    from pydicom import dcmread

    for one in SCANS[:3]:
        region = us_region(one.pixel_size_mm / 10, one.pixel_size_mm / 10)
        tags = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "PatientID": "p"}
        path = tmp_path / "scans" / f"{one.plane}.dcm"
        write_dicom(path, one.image, SequenceOfUltrasoundRegions=[region], **tags)
    code, _ = call(tmp_path, "--dicom-sr", str(tmp_path / "sr"))
    assert code == 0
    read = dcmread(tmp_path / "sr" / "1.2.3.dcm")
    assert (read.StudyInstanceUID, read.PatientID) == ("1.2.3", "p")
    (series,) = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert len(series.ReferencedSOPSequence) == 3


def test_scales_that_contradict_each_other_and_loops_are_refused_with_the_way_out(
    tmp_path, known
) -> None:
    two = [us_region(0.01, 0.01), us_region(0.02, 0.02)]
    image = SCANS[2].image
    write_dicom(tmp_path / "scans" / "a_two.dcm", image, SequenceOfUltrasoundRegions=two)
    write_dicom(tmp_path / "scans" / "b_loop.dcm", np.stack([image] * 3))
    code, told = call(tmp_path, "--table", str(write_sizes(tmp_path)))
    assert code == 3 and "no scan got a number" in told
    two_scales, loop = rows_of(tmp_path / "out.csv").values()
    assert "the file states 0.1 to 0.2 mm" in two_scales["reason"]
    assert (two_scales["status"], two_scales["plane"]) == ("declined", "head")
    assert loop["status"] == "failed" and loop["reason"].endswith("as a file of its own")
    assert "3 frames" in loop["reason"] and "frame=0" not in loop["reason"]


def write_sizes(folder: Path) -> Path:
    path = folder / "other.csv"
    path.write_text("filename,pixel size(mm)\nother.png,0.1\n")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image;visit\n", "no row below the header"),
        ("image,day\nhead.png,1\n", "no column 'exam'"),
        ("image,exam\nhead.png,\n", "line 2: exam is empty"),
        ("image,exam\nhead.png,1\nhead.png,2\n", "line 3: head.png stands twice"),
        ("image,exam,ga_days\na.png,1,200\nb.png,1,201\n", "1 has the ages 200 and 201 days"),
        ("image,exam,ga_days\na.png,1,2000\n", "line 2.*days"),
    ],
)
def test_a_bad_table_of_examinations_is_refused_and_nothing_written(
    tmp_path, known, text, message
) -> None:
    write_scans(tmp_path / "scans", *SCANS)
    (tmp_path / "exams.csv").write_text(text)
    code, told = call(tmp_path, "--pixel-size", "0.1", "--exam", str(tmp_path / "exams.csv"))
    assert code == 2 and not (tmp_path / "out.csv").exists()
    assert re.search(message, " ".join(told.split())), told


def test_without_any_scale_nothing_is_guessed(tmp_path, known) -> None:
    write_scans(tmp_path / "scans", *SCANS)
    code, told = call(tmp_path)
    assert code == 2 and "pixel size: none given" in told


def test_memory_holds_a_batch_and_bad_files_do_not_stop_the_rest(tmp_path) -> None:
    folder = write_scans(tmp_path / "scans", *SCANS)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "empty.png").touch()
    paths = sorted(folder.iterdir())
    models = BiometryOracle(*SCANS), PlaneOracle(*SCANS)
    each = [
        [
            one.found.sizes
            for one in biometry.predict_biometry(paths, *models, PixelSizes(0.1), batch_size=n)
        ]
        for n in (1, 16)
    ]
    assert each[0] == each[1] and sum(map(bool, each[0])) == 3
    counts = biometry.write_biometry(
        paths, *models, PixelSizes(0.1), tmp_path / "o.csv", tmp_path / "pictures"
    )
    assert counts == {"measured": 3, "declined": 1, "failed": 2}
    assert len(list((tmp_path / "pictures").iterdir())) == 4


@pytest.mark.slow
def test_the_shipped_models_measure_real_scans_of_all_planes(tmp_path) -> None:
    folder = real_data("fetal_biometry_fp")
    names = {"Head": ("ofd_mm", "ofd"), "Abdomen": ("apad_mm", "apad"), "Femur": ("fl_mm", "fl")}
    truth, sizes = {}, ["filename,pixel size(mm)"]
    for table, (column, line) in names.items():
        with (folder / f"{table}.csv").open() as file:
            for row in list(csv.DictReader(file))[:12]:
                ends = [float(row[f"{line}_{end}_{axis}"]) for axis in "xy" for end in "12"]
                length = np.hypot(ends[0] - ends[1], ends[2] - ends[3])
                truth[row["image_name"]] = column, length * float(row["px_to_mm_rate"])
                sizes.append(f"{row['image_name']},{row['px_to_mm_rate']}")
    (tmp_path / "sizes.csv").write_text("\n".join(sizes))
    told = ["biometry", *(str(folder / "images" / name) for name in truth)]
    told += ["--table", str(tmp_path / "sizes.csv"), "--out", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(app, told).exit_code == 0
    rows = rows_of(tmp_path / "out.csv")
    errors = [
        abs(float(rows[name][column]) / mm - 1)
        for name, (column, mm) in truth.items()
        if rows[name][column]
    ]
    assert len(errors) >= 33 and np.median(errors) < 0.06
