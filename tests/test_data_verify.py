"""Checking a folder: a sound one passes, each fault is found, all of them at once."""

import json
import shutil

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fetal_book.cli.data import app
from fetal_lib.data.layouts.heads import TABLE_NAME
from fetal_lib.data.report import FolderReport
from fetal_lib.data.verify import verify_folder
from fetal_phantoms.head import write_head_set


@pytest.fixture(autouse=True)
def _lists_are_written_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_head_set(tmp_path_factory.mktemp("sets") / "sound", 8, 1)


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "set")


def lines_of(folder):
    return (folder / TABLE_NAME).read_text().splitlines()


def write_lines(folder, lines):
    (folder / TABLE_NAME).write_text("\n".join(lines) + "\n")


def found(folder):
    report = verify_folder(folder, layout="hc18")
    found = {(one.file, one.kind) for one in (*report.problems, *report.notes)}
    return {(file.removeprefix("training_set/"), kind) for file, kind in found}


def test_a_phantom_set_has_no_problem(sound):
    steps = []
    report = verify_folder(sound, progress=lambda *step: steps.append(step))
    assert isinstance(report, FolderReport)
    assert report.ok, report.problems
    assert steps[-1] == (report.n_cases, report.n_cases)


def test_missing_files_are_named(folder):
    (folder / "training_set" / "000_HC.png").unlink()
    (folder / "training_set" / "001_HC_Annotation.png").unlink()
    assert found(folder) == {
        ("000_HC.png", "missing"),
        ("001_HC_Annotation.png", "missing"),
    }


@pytest.mark.parametrize(("content", "kind"), [(b"", "zero bytes"), (b"no image", "wrong type")])
def test_files_that_are_no_image_are_named(folder, content, kind):
    (folder / "training_set" / "000_HC.png").write_bytes(content)
    assert found(folder) == {("000_HC.png", kind)}


def test_a_truncated_image_is_named(folder):
    path = folder / "training_set" / "002_HC.png"
    path.write_bytes(path.read_bytes()[:4000])
    assert found(folder) == {("002_HC.png", "unreadable")}


def test_sizes_that_differ_are_named(folder):
    path = folder / "training_set" / "000_HC.png"
    cv2.imwrite(str(path), cv2.imread(str(path), 0)[:, :-10])
    assert found(folder) == {("000_HC_Annotation.png", "size")}


def test_an_empty_annotation_is_named(folder):
    path = folder / "training_set" / "003_HC_Annotation.png"
    cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path), 0)))
    assert found(folder) == {("003_HC_Annotation.png", "empty annotation")}


def test_an_image_in_place_of_the_outline_is_named(folder):
    images = folder / "training_set"
    shutil.copy(images / "000_HC.png", images / "000_HC_Annotation.png")
    assert found(folder) == {("000_HC_Annotation.png", "outline")}


@pytest.mark.parametrize(("factor", "problem"), [(1.015, False), (0.985, False), (1.025, True)])
def test_a_circumference_may_differ_by_two_percent(folder, factor, problem):
    lines = lines_of(folder)
    name, pixel, hc = lines[1].split(",")
    write_lines(folder, [lines[0], f"{name},{pixel},{float(hc) * factor}", *lines[2:]])
    wanted = {(name.replace(".png", "_Annotation.png"), "circumference")} if problem else set()
    assert found(folder) == wanted


@pytest.mark.parametrize(
    ("pixel", "kind"),
    [
        ('"0,128"', "decimal comma"),
        ("0,128", "fields"),
        ("0", "out of range"),
        ("-0.1", "out of range"),
        ("nan", "no value"),
        ("inf", "not a number"),
        ("wide", "not a number"),
        ("", "no value"),
    ],
)
def test_a_faulty_number_is_named(folder, pixel, kind):
    lines = lines_of(folder)
    name, _, hc = lines[1].split(",")
    write_lines(folder, [lines[0], f"{name},{pixel},{hc}", *lines[2:]])
    assert (TABLE_NAME, kind) in found(folder)


def test_a_damaged_table_is_a_problem_and_no_error(folder):
    table = folder / TABLE_NAME
    table.write_bytes(table.read_bytes()[:100] + b"\0" + table.read_bytes()[100:])
    assert (TABLE_NAME, "wrong type") in found(folder)
    table.write_text(table.read_text().replace("\0", "x" * 200_000))  # longer than csv allows
    assert (TABLE_NAME, "unreadable") in found(folder)


def test_a_short_row_whose_name_stands_last_is_named(folder):
    rows = [line.split(",") for line in lines_of(folder)]
    lines = [f"{pixel},{hc},{name}" for name, pixel, hc in rows]
    write_lines(folder, [*lines[:2], "0.1,170"])
    assert (TABLE_NAME, "fields") in found(folder)


def test_missing_columns_are_named(folder):
    lines = lines_of(folder)
    write_lines(folder, ["filename,pixel size(mm)", *(row.rsplit(",", 1)[0] for row in lines[1:])])
    report = verify_folder(folder, layout="hc18")
    problem = next(item for item in report.problems if item.kind == "columns")
    assert "['head circumference (mm)'] missing" in problem.message


def test_semicolons_with_decimal_commas_are_read(folder):
    lines = [line.replace(",", ";").replace(".", ",") for line in lines_of(folder)]
    write_lines(folder, [line.replace(",png", ".png") for line in lines])
    assert found(folder) == set()


def test_duplicates_and_unlisted_images_are_named(folder):
    lines = lines_of(folder)
    write_lines(folder, [lines[0], *lines[1:-1], lines[1]])
    first, last = lines[1].split(",")[0], lines[-1].split(",")[0]
    assert found(folder) == {(TABLE_NAME, "duplicate"), (last, "not listed")}
    assert first in str(verify_folder(folder, layout="hc18").problems[0])


def test_a_path_in_place_of_a_name_is_refused(folder):
    write_lines(folder, [*lines_of(folder), "../000_HC.png,0.1,170"])
    assert (TABLE_NAME, "file name") in found(folder)


@pytest.mark.parametrize("missing", [TABLE_NAME, "training_set"])
def test_a_folder_without_table_or_images_is_named(folder, missing):
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert (missing, "missing") in found(folder)


def test_an_altered_official_table_is_told_by_its_length(folder):
    (folder / "phantom.json").unlink()
    header = lines_of(folder)[0]
    write_lines(folder, [header, *(f"{n:03d}_HC.png,0.1,170" for n in range(999))])
    assert (TABLE_NAME, "checksum") in found(folder)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(NotADirectoryError, match="name the one that holds"):
        verify_folder(tmp_path / "none")


def test_the_command_reports_all_problems_and_fails(folder):
    (folder / "training_set" / "000_HC.png").unlink()
    (folder / "training_set" / "001_HC.png").write_bytes(b"")
    result = CliRunner().invoke(app, ["verify", str(folder), "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {item["kind"] for item in report["problems"]} == {"missing", "zero bytes"}
    table = CliRunner().invoke(app, ["verify", str(folder)])
    assert "000_HC.png" in table.stdout and "2 problems" in table.stdout


def test_the_command_passes_a_sound_folder(sound, monkeypatch):
    result = CliRunner().invoke(app, ["verify", str(sound)])
    assert result.exit_code == 0 and "no problem" in result.stdout
    monkeypatch.setenv("FETAL_DATA", str(sound.parent))
    (sound.parent / "hc18").symlink_to(sound, target_is_directory=True)
    named = CliRunner().invoke(app, ["verify", "hc18"])
    assert "training_set_pixel_size_and_HC.csv" in named.stdout  # not the published one
    assert named.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "hc19"], "did you mean 'hc18'"),
        (["verify", "/no/such/folder"], "is no folder"),
        (["show", "hc81"], "did you mean 'hc18'"),
        (["fetch", "hc18", "--only", "x.zip", "--to", "."], "its files are"),
    ],
)
def test_wrong_names_end_in_one_clear_line(arguments, text):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1 and text in result.output


def test_list_and_show_print_licence_and_files():
    assert "CC-BY-4.0" in CliRunner().invoke(app, ["list"]).stdout
    shown = CliRunner().invoke(app, ["show", "hc18"]).stdout
    assert "training_set.zip  132926838 bytes" in shown and "0.94" in shown


def test_fetch_without_a_place_names_the_variable(monkeypatch):
    monkeypatch.delenv("FETAL_DATA", raising=False)
    result = CliRunner().invoke(app, ["fetch", "hc18", "--only", "test_set_pixel_size.csv"])
    assert result.exit_code == 1 and "FETAL_DATA is not set" in result.output
    assert "--to" in result.output
