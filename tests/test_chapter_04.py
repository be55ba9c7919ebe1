"""Chapter 04 from parameters to results, and what its text may not contain."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "04_head_circumference.py"
CELL = re.compile(r"^# %%(.*)$", re.M)
RESULT = re.compile(r"\d+\.\d+ ?(?:mm|days|d\b|%)|(?:Dice|ADF|MAE|RMSE|R²|accuracy)\D{0,12}\d")


def run_chapter(tmp_path, name, *more):
    out = tmp_path / name
    command = [sys.executable, "-m", "fetal_lib", "run", "04", "--profile", "smoke"]
    environment = os.environ | {"FETAL_CACHE": str(tmp_path / f"cache-{name}")}
    done = subprocess.run(
        [*command, "--out", str(out), *more],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=600,
    )
    return out, done


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chapter04")
    out, done = run_chapter(folder, "first")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, out


def results_of(out):
    return json.loads((out / "results.json").read_text())


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in results_of(out)["rows"] if r["split"] == "test"}
    for model in ("mean", "pixel_size", "ellipse_fit", "unet"):
        row = rows[model, "adf_mm"]
        assert row["n"] >= 8 and row["ci95"][0] <= row["value"] <= row["ci95"][1]
    assert rows["unet", "dice"]["value"] > 0.5
    assert {p.suffix for p in (out / "figures").iterdir()} == {".png", ".svg", ".json"}
    for name, entry in json.loads((out / "figures" / "index.json").read_text()).items():
        assert entry["alt"] and entry["caption"], name
    assert {p.name for p in (out / "model").iterdir()} == {"card.md", "model.json", "weights.npz"}
    assert json.loads((out / "record.json").read_text())["status"] == "ok"


@pytest.mark.slow
def test_all_models_see_the_same_test_examinations_and_parts_are_disjoint(smoke):
    import pandas as pd

    _, out = smoke
    split = pd.read_csv(out / "tables" / "split.csv", dtype=str)
    assert split.groupby("examination")["part"].nunique().max() == 1
    counts = {r["n"] for r in results_of(out)["rows"] if r["metric"] == "dice"}
    assert counts == {int((split["part"] == "test").sum())}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_results(smoke):
    """Trained anew in another cache, not reused."""
    folder, first = smoke
    second, done = run_chapter(folder, "second")
    assert done.returncode == 0, done.stderr[-2000:]
    assert results_of(first)["rows"] == results_of(second)["rows"]


@pytest.mark.slow
def test_a_second_run_reuses_its_fits(smoke):
    folder, first = smoke
    before = results_of(first)["rows"]
    again, done = run_chapter(folder, "first")
    assert done.returncode == 0, done.stderr[-2000:]
    states = {fit["state"] for fit in json.loads((again / "record.json").read_text())["fits"]}
    assert states == {"reused"} and results_of(again)["rows"] == before


@pytest.mark.slow
def test_real_heads_are_read_by_the_same_code(tmp_path):
    heads = Path(os.environ.get("FETAL_DATA", "")) / "hc18"
    if not os.environ.get("FETAL_DATA") or not heads.is_dir():
        pytest.skip("HC18 is not there: set FETAL_DATA to the folder that holds hc18/")
    part = tmp_path / "part"
    (part / "training_set").mkdir(parents=True)
    lines = (heads / "training_set_pixel_size_and_HC.csv").read_text().splitlines()
    chosen = lines[1::10]
    (part / "training_set_pixel_size_and_HC.csv").write_text("\n".join([lines[0], *chosen]))
    for line in chosen:
        stem = line.split(",")[0].removesuffix(".png")
        for name in (f"{stem}.png", f"{stem}_Annotation.png"):
            shutil.copy(heads / "training_set" / name, part / "training_set")
    out, done = run_chapter(tmp_path, "real", "-p", f"data={part}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert {r["data"] for r in results_of(out)["rows"]} == {"part"}


@pytest.mark.slow
def test_data_that_is_not_there_is_an_error_and_never_a_phantom(tmp_path):
    out, done = run_chapter(tmp_path, "none", "-p", "data=hc99")
    assert done.returncode != 0
    assert not (out / "results.json").exists()
    assert "hc99" in done.stdout + done.stderr


def markdown_cells():
    parts = CELL.split(NOTEBOOK.read_text())[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [text for head, text in pairs if "[markdown]" in head]


def test_no_result_is_typed_by_hand():
    """A result-like number stands only beside a citation or in a quotation of the source."""
    for text in markdown_cells():
        if RESULT.search(text):
            assert "{cite" in text or "source" in text.lower(), text


def test_the_pattern_would_find_a_typed_result():
    assert RESULT.search("The Dice is 0.97.") and RESULT.search("an error of 2.1 mm")


def test_cells_are_short_enough_to_read():
    parts = CELL.split(NOTEBOOK.read_text())[1:]
    for head, text in zip(parts[::2], parts[1::2], strict=True):
        if "[markdown]" not in head and '"parameters"' not in head:
            lines = text.strip().splitlines()
            assert len(lines) <= 25, text
            assert max(map(len, lines)) <= 79, max(lines, key=len)
