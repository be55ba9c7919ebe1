"""A sweep file becomes runs, and runs become one table; bad files are refused before a run."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_project import call_cli, write_project
from typer.testing import CliRunner

from fetal_book.cli import app
from fetal_book.runs.results import result_row, results_document
from fetal_book.runs.sweep import SweepError, read_sweep, sweep_table

ROOT = Path(__file__).parents[1]
TEXT = """
chapter: 04_head_circumference
profile: smoke
parameters: {epochs: 2}
grid: {base_filters: [4, 8], augment: [true]}
seeds: [0, 1, 2]
"""


def written(folder, text=TEXT):
    path = folder / "widths.yml"
    path.write_text(text)
    return path


def fake_run(folder, value):
    folder.mkdir(parents=True)
    row = result_row(model="unet", data="phantom", split="test", metric="dice", value=value, n=9)
    (folder / "results.json").write_text(json.dumps(results_document("04", [row])))


def test_a_sweep_crosses_its_lists_and_repeats_over_seeds(tmp_path):
    cases = read_sweep(written(tmp_path)).cases()
    assert len(cases) == 6 and len({case.name for case in cases}) == 6
    assert cases[0].name == "base_filters-4-augment-true-seed-0"
    assert cases[-1].arguments() == "-p epochs=2 -p base_filters=8 -p augment=true -p seed=2"


def test_the_number_of_a_chapter_needs_no_quotes(tmp_path):
    assert read_sweep(written(tmp_path, "chapter: 04")).chapter == "4"


def test_the_table_holds_mean_and_standard_deviation_over_seeds(tmp_path):
    sweep = read_sweep(written(tmp_path))
    values = iter([0.90, 0.92, 0.94, 0.5, 0.5, 0.5])
    for case in sweep.cases():
        fake_run(tmp_path / case.name, next(values))
    table = sweep_table(sweep, tmp_path)
    assert table["base_filters"].tolist() == [4, 8]
    assert table["mean"].tolist() == pytest.approx([0.92, 0.5])
    assert table["sd"].tolist() == pytest.approx([0.02, 0.0])
    assert table["n_seeds"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chapter: 99_none", "no such chapter"),
        ("chapter: '04'\ngrid: {base_filter: [4]}", "base_filters"),
        ("chapter: '04'\ngrid: {epochs: [0]}", "epochs"),
        ("chapter: '04'\nprofile: tiny", "profile='tiny'"),
        ("chapter: '04'\nparameters: {seed: 1}", "list seeds under"),
        ("chapter: '04'\nparameters: {out: x}", "name the folder by --out"),
        ("chapter: '04'\nparameters: {epochs: 1}\ngrid: {epochs: [2]}", "keep one"),
        ("chapter: '04'\nseeds: [1, 1]", "the same"),
        ("chapter: '04'\nseeds: []", "seeds"),
        ("- a list", "not a sweep"),
        ("chapter: [", "not a readable YAML"),
    ],
)
def test_a_sweep_that_cannot_run_is_refused_with_the_reason(tmp_path, text, words):
    with pytest.raises(SweepError, match=words):
        read_sweep(written(tmp_path, text))


def test_a_path_is_relative_to_the_file_and_named_by_its_last_part(tmp_path, monkeypatch):
    (tmp_path / "my heads").mkdir()
    text = "chapter: '04'\ngrid: {data: [phantom, my heads]}"
    sweep = read_sweep(written(tmp_path, text))
    monkeypatch.chdir("/")
    assert sweep.grid["data"] == ["phantom", str(tmp_path / "my heads")]
    assert [case.name for case in sweep.cases()] == ["data-phantom-seed-0", "data-my_heads-seed-0"]
    for case in sweep.cases():
        fake_run(tmp_path / case.name, 0.5)
    table = sweep_table(sweep, tmp_path)  # `data` is a column of the results, too
    assert table["data (parameter)"].tolist() == ["phantom", "my heads"]
    assert table["data"].tolist() == ["phantom", "phantom"]
    with pytest.raises(SweepError, match="relative to the folder of the file"):
        read_sweep(written(tmp_path, "chapter: '04'\nparameters: {data: ./gone}"))


def test_a_dry_run_lists_commands_that_can_be_started_by_hand(tmp_path):
    out = tmp_path / "a folder"
    result = CliRunner().invoke(
        app, ["sweep", str(written(tmp_path)), "--dry-run", "--out", str(out)]
    )
    assert result.exit_code == 0 and not out.exists()
    words = shlex.split(result.output.splitlines()[0])
    assert words[:3] == ["base_filters-4-augment-true-seed-0:", "fetal-lib", "run"]
    assert Path(words[-1]).resolve() == out / words[0].rstrip(":")


def test_data_that_is_not_there_stops_a_sweep_before_its_first_case(tmp_path):
    path = written(tmp_path, "chapter: '04'\nparameters: {data: nowhere}")
    result = CliRunner().invoke(app, ["sweep", str(path), "--out", str(tmp_path / "runs")])
    assert result.exit_code == 2 and "data: received 'nowhere'" in result.output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("path", sorted((ROOT / "workflow" / "sweeps").glob("*.yml")), ids=str)
def test_the_sweeps_of_the_project_can_run(path):
    assert read_sweep(path).cases()


@pytest.mark.slow
def test_the_workflow_runs_what_is_missing_and_writes_the_table(tmp_path):
    path = written(tmp_path)
    out = tmp_path / "a folder with spaces"
    cases = read_sweep(path).cases()
    for case in cases:
        fake_run(out / case.name, 0.9)
        (out / ".done").mkdir(exist_ok=True)
        (out / ".done" / case.name).touch()
    locks = out / ".snakemake" / "locks"  # a killed workflow leaves them
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{out / 'sweep.csv'}\n")
    command = [sys.executable, "-m", "fetal_book", "sweep", str(path), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"6 runs in one table: {out}/sweep.csv" in done.stdout + done.stderr
    lines = (out / "sweep.csv").read_text().splitlines()
    assert lines[0].startswith("base_filters,augment,model") and len(lines) == 3


@pytest.mark.slow
def test_a_sweep_tells_each_case_that_ended_and_why_one_failed(tmp_path):
    project = write_project(tmp_path / "project", "assert seed != 1, 'no luck'")
    shutil.copytree(ROOT / "workflow", project / "workflow")
    path = written(project, "chapter: 04\nprofile: smoke\nseeds: [0, 1]")
    code, output, errors = call_cli(project, "sweep", str(path), "--cores", "4")
    assert code == 1
    lines = (output + errors).splitlines()
    assert "0/2 finished; each case's output: runs/sweeps/widths/.done" in lines
    assert any(re.fullmatch(r"1/2 seed-0, \d+ s", line) for line in lines)
    failed = r"seed-1 failed after \d+ s: fetal-lib run: failed: cell \d+ raised AssertionError"
    assert any(re.fullmatch(failed, line) for line in lines)
    _, table, _ = call_cli(project, "status")
    assert "1/2 finished; failed: seed-1, in runs/sweeps/widths" in table
