"""Whatever is done to a file's bytes, a check ends in a report that names it, never in a crash."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from damaged_files import changes_near, fuzz, mutated
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_folders import FOLDERS, WITH_SCANS

from fetal_lib.data.report import FolderReport
from fetal_lib.data.verify import verify_folder
from fetal_lib.readers.image import read_gray

SCANS = (".png", ".jpg", ".nii.gz")
QUIET = fuzz(40)
edits = changes_near(0.1)


def files_of(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith(endings))


def check_mutated(folder: Path, path: Path, content: bytes, layout: str) -> FolderReport:
    """Check the folder with other bytes in one file, then put the file back."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        return verify_folder(folder, layout=layout)
    finally:
        path.write_bytes(before)


def can_be_read(path: Path, content: bytes) -> bool:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        read_gray(path)
    except ValueError:
        return False
    finally:
        path.write_bytes(before)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("name", ["planes", "boxes", "clinical", "slices"])
@QUIET
@given(data=st.data(), changes=edits)
def test_mutated_images_give_a_report_and_unreadable_ones_are_named(sound, name, data, changes):
    folder, layout = sound / name, FOLDERS[name][0]
    path = data.draw(st.sampled_from(files_of(folder, SCANS)))
    content = mutated(path.read_bytes(), changes)
    report = check_mutated(folder, path, content, layout)
    named = {problem.file for problem in report.problems}
    if not can_be_read(path, content):
        assert path.relative_to(folder).as_posix() in named
    assert all(
        problem.message and "Traceback" not in problem.message for problem in report.problems
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fetal_bids", "adult_bids", "atlas"])
@QUIET
@given(data=st.data(), changes=edits)
def test_a_packed_volume_with_any_other_byte_in_its_data_is_named(sound, name, data, changes):
    folder, layout = sound / name, FOLDERS[name][0]
    path = data.draw(st.sampled_from(files_of(folder, (".nii.gz",))))
    original = path.read_bytes()
    content = mutated(original, changes)
    report = check_mutated(folder, path, content, layout)
    try:
        same = gzip.decompress(content) == gzip.decompress(original)
    except Exception:
        same = False
    if not same:
        assert path.relative_to(folder).as_posix() in {item.file for item in report.problems}


@pytest.mark.slow
@QUIET
@given(changes=edits)
def test_a_header_with_other_bytes_never_stops_the_check(sound, tmp_path, changes):
    folder = sound / "adult_bids"
    path = files_of(folder, (".nii.gz",))[0]
    raw = gzip.decompress(path.read_bytes())
    content = gzip.compress(mutated(raw[:352], changes)[:352].ljust(352, b"\0") + raw[352:])
    assert isinstance(check_mutated(folder, path, content, "bids_adult"), FolderReport)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
@QUIET
@given(data=st.data(), changes=edits)
def test_mutated_tables_never_stop_the_check(sound, name, data, changes):
    folder, layout = sound / name, FOLDERS[name][0]
    tables = files_of(folder, (".csv", ".tsv", ".txt", ".yaml"))
    if not tables:
        pytest.skip("this layout has no table")
    path = data.draw(st.sampled_from(tables))
    content = mutated(path.read_bytes(), changes)
    assert isinstance(check_mutated(folder, path, content, layout), FolderReport)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["planes", "boxes", "adult_bids", "ixi"])
def test_a_file_cut_anywhere_is_named(sound, name):
    folder, layout = sound / name, FOLDERS[name][0]
    path = files_of(folder, SCANS)[0]
    whole = path.read_bytes()
    file = path.relative_to(folder).as_posix()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 60)):
        report = check_mutated(folder, path, whole[:length], layout)
        assert file in {problem.file for problem in report.problems}, length


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
@settings(QUIET, max_examples=10)
@given(blob=st.binary(max_size=400))
def test_random_bytes_in_place_of_any_file_never_stop_the_check(sound, name, blob):
    folder, layout = sound / name, FOLDERS[name][0]
    for path in files_of(folder, (*SCANS, ".csv", ".tsv", ".txt", ".yaml"))[::3]:
        assert isinstance(check_mutated(folder, path, blob, layout), FolderReport)


@pytest.mark.parametrize("name", WITH_SCANS)
def test_a_folder_in_place_of_a_scan_is_named(sound, tmp_path, name):
    copy = Path(shutil.copytree(sound / name, tmp_path / "set"))
    path = files_of(copy, SCANS)[0]
    path.unlink()
    path.mkdir()
    named = {
        (item.file, item.kind) for item in verify_folder(copy, layout=FOLDERS[name][0]).problems
    }
    assert (path.relative_to(copy).as_posix(), "wrong type") in named


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_in_place_of_a_folder_never_stops_the_check(sound, tmp_path, name):
    for number, place in enumerate(path for path in (sound / name).rglob("*") if path.is_dir()):
        copy = Path(shutil.copytree(sound / name, tmp_path / str(number)))
        swapped = copy / place.relative_to(sound / name)
        shutil.rmtree(swapped)
        swapped.write_bytes(b"x")
        assert isinstance(verify_folder(copy, layout=FOLDERS[name][0]), FolderReport)
