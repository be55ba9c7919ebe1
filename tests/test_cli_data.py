"""`fetal-lib data`: what it prints, what it exits with, and that it never shows a traceback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from made_up_folders import FOLDERS, biometry, clinical, fetal_bids, save_text
from typer.testing import CliRunner

from fetal_book.cli.data import app
from fetal_lib.data.catalogue import manifest_names
from fetal_phantoms.head import write_head_set


@pytest.fixture(autouse=True)
def _lists_are_written_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list_names_every_manifest_public_ones_first():
    lines = run("list").stdout.splitlines()
    names = [line.split()[0] for line in lines[1:]]
    assert sorted(names) == manifest_names()
    assert [name.startswith("own_") for name in names] == sorted(
        name.startswith("own_") for name in names
    )
    as_json = json.loads(run("list", "--json").stdout)
    assert {item["name"] for item in as_json} == set(names)


@pytest.mark.parametrize("name", manifest_names())
def test_show_prints_licence_layout_and_problems(name):
    shown = run("show", name)
    manifest = json.loads(run("show", name, "--json").stdout)
    assert shown.exit_code == 0
    assert (
        manifest["licence"] in shown.stdout and f"layout ({manifest['verifier']})" in shown.stdout
    )
    assert all(problem in shown.stdout for problem in manifest["known_problems"])


def test_show_says_unknown_where_nothing_is_known():
    assert "IXI.xls  unknown  md5 unknown  sha256 unknown" in run("show", "ixi").stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("oasis1", "access is by registration; it cannot be fetched for you"),
        ("feta", "access is by request"),
        ("fetal_brain_anomalies_16", "api_key=YOUR_KEY"),
        ("crl_atlas", "access is open, but its files are not listed"),
        ("own_slices", "there is nothing to fetch"),
    ],
)
def test_what_cannot_be_fetched_is_a_table_of_steps_and_exit_code_3(name, text, tmp_path):
    result = run("fetch", name, "--to", tmp_path)
    assert result.exit_code == 3 and text in result.stdout
    lines = result.stdout.splitlines()
    first = lines.index(next(line for line in lines if line.startswith("step")))
    assert (
        lines[first + 1].startswith("1 ")
        and lines[first + 2].startswith("2 ")
        or name == ("own_slices")
    )
    place = "FOLDER" if name == "own_slices" else name
    assert f"Then check it: fetal-lib data verify {place}\n" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def faulty(tmp_path):
    clinical(tmp_path / "clinic")
    (tmp_path / "clinic" / "images" / "1.png").write_bytes(b"")
    return tmp_path / "clinic"


def test_verify_prints_a_table_and_json_and_exits_with_1(faulty):
    table = run("verify", faulty)
    assert table.exit_code == 1
    assert table.stdout.splitlines()[0].split()[:2] == ["kind", "n"]
    assert "images/1.png" in table.stdout and "layout clinical_ultrasound" in table.stdout
    result = run("verify", faulty, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1 and report["layout"] == "clinical_ultrasound"
    assert [(item["file"], item["kind"]) for item in report["problems"]] == [
        ("images/1.png", "zero bytes")
    ]


def test_problems_are_a_line_a_kind_and_the_whole_list_is_a_file(tmp_path, monkeypatch):
    rows = ["image,mask,subject,structure", *(f"a{n}.png,b{n}.png,s,head" for n in range(5))]
    save_text(tmp_path / "my set" / "table.csv", *rows, "a6.png,b6.png,,foot")
    monkeypatch.chdir(tmp_path)
    lines = run("verify", "my set").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["missing", "12"],
        ["value", "1"],
        ["no", "value"],
    ]
    assert "a0.png: no such file in my set; table.csv names it (also b0.png, a1.png)" in lines[1]
    assert lines[-1] == "the whole list: my set-problems.csv"
    listed = (tmp_path / "my set-problems.csv").read_text().splitlines()
    assert len(listed) == 15 and sum("no such file" in line for line in listed) == 12
    monkeypatch.chdir("my set")  # what is checked is not written to
    run("verify", ".")
    assert {path.name for path in tmp_path.rglob("*.csv")} == {"table.csv", "my set-problems.csv"}
    assert not (tmp_path / "my set" / "my set-problems.csv").exists()


def test_verify_takes_a_layout_and_changes_nothing(faulty):
    before = {path: path.stat().st_mtime_ns for path in faulty.rglob("*")}
    result = run("verify", faulty, "--layout", "mask_folders")
    assert result.exit_code == 1 and "layout mask_folders" in result.stdout
    assert {path: path.stat().st_mtime_ns for path in faulty.rglob("*")} == before


def test_verify_finds_a_named_set_under_fetal_data(tmp_path, monkeypatch):
    fetal_bids(tmp_path / "own_bids_fetal")
    monkeypatch.setenv("FETAL_DATA", str(tmp_path))
    assert run("verify", "own_bids_fetal").exit_code == 0
    missing = run("verify", "feta")
    assert missing.exit_code == 1 and "fetal-lib data fetch feta" in missing.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "oasis2"], "did you mean 'oasis1'"),
        (["verify", "notes.txt"], "notes.txt is no folder here, and data set 'notes.txt' has no"),
        (["audit", "notes.txt"], "notes.txt is no folder here"),
        (["verify", "/no/such/folder"], "is no folder"),
        (["verify", ".", "--layout", "bids"], "known: hc18"),
        (["audit", "/no/such/folder"], "is no folder"),
        (["show", "ixy"], "did you mean 'ixi'"),
    ],
)
def test_wrong_words_end_in_one_clear_line(arguments, text):
    result = run(*arguments)
    assert result.exit_code == 1 and text in result.output
    assert "Traceback" not in result.output


def test_a_folder_in_no_layout_lists_the_layouts(tmp_path):
    save_text(tmp_path / "notes.txt", "nothing")
    result = run("verify", tmp_path)
    assert result.exit_code == 1
    assert all(layout in result.output for layout, _ in FOLDERS.values())


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    return write_head_set(tmp_path_factory.mktemp("audit") / "heads", 24, 3)


@pytest.mark.slow
def test_audit_prints_findings_and_writes_tables_and_figure(heads, tmp_path):
    result = run("audit", heads, "--out", tmp_path / "audit")
    assert result.exit_code in (0, 1), result.output
    assert "verdict" in result.stdout and "near-duplicates" in result.stdout
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {
        "findings.csv",
        "pairs.csv",
        "torn.csv",
        "audit.json",
        "audit.png",
    }


@pytest.mark.slow
def test_audit_finds_a_picture_that_stands_under_two_numbers(heads, tmp_path):
    folder = shutil.copytree(heads, tmp_path / "heads")
    images = folder / "training_set"
    for ending in ("_HC.png", "_HC_Annotation.png"):
        shutil.copy(images / f"000{ending}", images / f"777{ending}")
    table = folder / "training_set_pixel_size_and_HC.csv"
    lines = table.read_text().splitlines()
    row = next(line for line in lines if line.startswith("000_HC.png"))
    table.write_text("\n".join([*lines, row.replace("000_HC", "777_HC")]) + "\n")
    report = json.loads(run("audit", folder, "--json").stdout)
    pairs = [{pair["image_a"], pair["image_b"]} for pair in report["pairs"] if pair["exact"]]
    assert {"000_HC.png", "777_HC.png"} in pairs


def test_audit_without_images_reads_the_table_only(heads):
    report = json.loads(run("audit", heads, "--no-images", "--json").stdout)
    assert {"file order", "pixel_size_mm"} <= {item["check"] for item in report["findings"]}
    assert report["not_checked"]["near-duplicates"] == "no images were given"


@pytest.mark.parametrize("name", ["slices", "fetal_bids", "adult_bids"])
def test_audit_reads_ages_of_mri_layouts(tmp_path, name):
    FOLDERS[name][1](tmp_path)
    result = run("audit", tmp_path, "--no-images", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["not_checked"]["file order"].split()[0] in ("ga_days", "age_years")


def test_audit_looks_at_the_middle_of_volumes(tmp_path):
    pytest.importorskip("fetal_lib.readers.volume")
    FOLDERS["adult_bids"][1](tmp_path)
    twin = tmp_path / "sub-02" / "anat" / "sub-02_T1w.nii.gz"
    shutil.copy(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz", twin)
    report = json.loads(run("audit", tmp_path, "--json").stdout)
    assert [pair["exact"] for pair in report["pairs"]] == [True]


def test_audit_of_a_table_without_ages_says_so(tmp_path):
    FOLDERS["adult_bids"][1](tmp_path)
    save_text(tmp_path / "participants.tsv", "participant_id\tsex", "sub-01\tF")
    result = run("audit", tmp_path, "--layout", "bids_adult")
    assert result.exit_code == 1 and "['age'] missing" in result.output


def test_audit_of_a_layout_without_a_label_says_so(tmp_path):
    save_text(tmp_path / "pixel_sizes.csv", "filename,pixel_size_mm")
    FOLDERS["two_folders"][1](tmp_path)
    result = run("audit", tmp_path)
    assert result.exit_code == 1 and "has no label that could leak" in result.output


def test_asking_for_help_loads_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from fetal_book.cli.data import app; "
        "CliRunner().invoke(app, ['list']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not {"pandas", "cv2", "scipy", "sklearn", "nibabel", "matplotlib", "torch"} & loaded


def test_an_audit_tells_what_was_left_out_before_it(tmp_path):
    biometry(tmp_path)
    table = tmp_path / "Head.csv"
    table.write_text(table.read_text().replace("3.5,AlokaFit", "0.05,AlokaFit"))
    printed = run("audit", tmp_path, "--no-images").stdout
    assert "Patient00001_Plane3_1_of_1.jpg: left out: HC is 3.3 mm" in printed
    report = json.loads(run("audit", tmp_path, "--no-images", "--json").stdout)
    assert [note["kind"] for note in report["notes"]] == ["implausible"]
