"""Damaged scans and odd options given to `predict`: a row a scan and its reason, or one sentence.

Whole folders go through each command with the shipped models: no traceback, no half table, no
file of the user changed.
"""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
from damaged_files import changes_near, fuzz, mutated
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from made_up_scans import fingerprint, us_region, write_dicom
from made_up_volumes import save_nifti
from PIL import Image
from typer.testing import CliRunner

from fetal_book.cli.predict import app
from fetal_lib.predict.columns import COLUMNS, EXIT_CODES
from fetal_phantoms.head import make_head

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
pytest.importorskip("pydicom")
pytestmark = pytest.mark.slow
SIZES = [None, "0.12", "0,12", "0", "-1", "nan", "1e999", "0,1,2", "mm", "", "\0", "٣"]
GROWN: list[float] = []
"""MiB that the second half of a command's folders added; each call loads its network anew."""
TABLES = [None, "filename;pixel size(mm)\n0.png;0,12\n", "filename\n0.png\n", "", "\0", "a,b\n1"]
ENDINGS = ["", "x.csv", "folder", "no/such/folder/x.csv"]


def pictures() -> list[tuple[str, bytes]]:
    """Return whole ultrasound scans in three ways of saving, by name."""
    found = []
    for seed, kind in enumerate(("PNG", "JPEG", "TIFF")):
        file = io.BytesIO()
        Image.fromarray(make_head(seed).image).save(file, kind)
        found.append((f"{seed} ä.{kind.lower()}", file.getvalue()))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, list[tuple[str, bytes]]]:
    """Return whole files for commands on ultrasound and on MRI."""
    folder = tmp_path_factory.mktemp("whole")
    tags = {"SequenceOfUltrasoundRegions": [us_region(0.012, 0.012)]}
    scan = write_dicom(folder / "a.dcm", make_head(3).image, **tags)
    brain = np.random.default_rng(0).integers(0, 900, (24, 24, 16)).astype(np.int16)
    volumes = [save_nifti(folder / f"a.{end}", brain) for end in ("nii", "nii.gz")]
    return {
        "us": [*pictures(), (scan.name, scan.read_bytes())],
        "mri": [(path.name, path.read_bytes()) for path in volumes],
    }


@pytest.mark.parametrize(
    ("command", "n"), [("hc", 20), ("biometry", 8), ("anomaly", 12), ("ga", 12), ("brain-age", 6)]
)
def test_a_folder_of_damaged_scans_and_odd_options(tmp_path, whole, command, n):
    is_us = command in ("hc", "biometry", "anomaly")
    files = whole["us" if is_us else "mri"]
    rounds, memory = iter(range(10**6)), []

    @given(
        changes=st.lists(changes_near(0.3), min_size=len(files), max_size=len(files)),
        size=st.sampled_from(SIZES),
        table=st.sampled_from(TABLES),
        end=st.sampled_from(ENDINGS),
    )
    @settings(parent=fuzz(n), phases=[Phase.generate])  # to shrink one takes hours
    def run(changes, size, table, end):
        home = tmp_path / str(next(rounds))
        scans = home / "scans of today"
        scans.mkdir(parents=True)
        for (name, content), change in zip(files, changes, strict=True):
            (scans / name).write_bytes(mutated(content, change))
        (home / "folder").mkdir()
        words = [command, str(scans), "--out", str(home / (end or "x.csv"))]
        if is_us and size is not None:
            words += ["--pixel-size", size]
        if is_us and table is not None:
            (home / "sizes.csv").write_text(table)
            words += ["--table", str(home / "sizes.csv")]
        before = fingerprint(scans)
        check(command, words, home / (end or "x.csv"), len(files))
        assert fingerprint(scans) == before and not list(home.rglob("*.part"))
        shutil.rmtree(home)
        memory.append(psutil.Process().memory_info().rss / 2**20)

    run()
    GROWN.append(memory[-1] - memory[len(memory) // 2])
    assert GROWN[-1] < 8 * len(memory)  # a command loads its network, of which Keras keeps a part


def check(command: str, words: list[str], out: Path, n: int) -> None:
    """Call a command; fail on anything but a table of n rows with reasons, or a sentence."""
    done = CliRunner().invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert str(done.exit_code) in EXIT_CODES and "Traceback" not in done.output
    if done.exit_code in (0, 3):
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == n and list(rows[0]) == list(COLUMNS[command])
        assert all(row["reason"] for row in rows if row["status"] in ("declined", "failed"))
    else:
        assert not out.is_file() and "fetal-lib predict" in done.output
