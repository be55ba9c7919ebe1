"""Of a folder of everything the heads are measured, nothing else, and every gap has a reason."""

import csv
import shutil
from collections import Counter

import numpy as np
import pytest
from made_up_scans import real_data, us_region, write_dicom
from typer.testing import CliRunner

pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from fetal_book.cli.predict import app  # noqa: E402
from fetal_lib.readers.image import read_gray  # noqa: E402


@pytest.mark.slow
def test_of_a_mixed_folder_the_heads_are_measured_and_nothing_else(tmp_path):
    data, scans = real_data("fetal_biometry_fp"), tmp_path / "scans"
    scans.mkdir()
    for plane, n in (("Head", 12), ("Abdomen", 25), ("Femur", 12)):
        names = [row["image_name"] for row in csv.DictReader((data / f"{plane}.csv").open())]
        for name in names[:: len(names) // n][:n]:
            shutil.copy(data / "images" / name, scans / f"{plane.lower()}_{name}")
    head = read_gray(next(scans.glob("head_*")))
    regions = {"SequenceOfUltrasoundRegions": [us_region(0.012, 0.012)]}
    write_dicom(scans / "head.dcm", head, **regions)
    (scans / "text.png").write_text("no picture")
    cv2.imwrite(str(scans / "grey.png"), np.full((300, 400), 90, np.uint8))
    told = ["hc", str(scans), "--pixel-size", "0,15", "--out", str(tmp_path / "t.csv")]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    kinds = Counter((row["image"].split("_")[0].split(".")[0], row["status"]) for row in rows)
    assert kinds["head", "measured"] >= 12 and kinds["text", "failed"] == 1
    assert kinds["abdomen", "measured"] + kinds["femur", "measured"] <= 1
    assert kinds["grey", "declined"] == 1
    assert all(row["reason"] for row in rows if "" in row.values())
