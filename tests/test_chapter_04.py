"""Chapter 04 from parameters to results, on phantoms and on real heads."""

import shutil

import pytest
from chapter_checks import (
    check_that_a_second_run_repeats,
    figures_without_words,
    protocol_rows_without_interval,
    rows_of,
    run_chapter,
    status_of,
)
from made_up_scans import real_data


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    for model in ("mean", "pixel_size", "ellipse_fit", "unet"):
        row = rows[model, "adf_mm"]
        assert row["n"] >= 8 and row["ci95"][0] <= row["value"] <= row["ci95"][1]
    assert rows["unet", "dice"]["value"] > 0.5
    assert {p.suffix for p in (out / "figures").iterdir()} == {".png", ".svg", ".json"}
    assert figures_without_words(out) == []
    assert protocol_rows_without_interval(out) == []
    assert {p.name for p in (out / "model").iterdir()} == {"card.md", "model.json", "weights.npz"}
    assert status_of(out) == "ok"


@pytest.mark.slow
def test_all_models_see_the_same_test_examinations_and_parts_are_disjoint(smoke):
    import pandas as pd

    _, out = smoke
    split = pd.read_csv(out / "tables" / "split.csv", dtype=str)
    assert split.groupby("examination")["part"].nunique().max() == 1
    counts = {r["n"] for r in rows_of(out) if r["metric"] == "dice"}
    assert counts == {int((split["part"] == "test").sum())}


@pytest.mark.slow
def test_a_second_run_reuses_its_fits_and_trains_the_same_where_they_are_gone(smoke):
    check_that_a_second_run_repeats("04", *smoke)


@pytest.mark.slow
def test_real_heads_are_read_by_the_same_code(tmp_path):
    heads, part = real_data("hc18", "FETAL_DATA"), tmp_path / "part"
    (part / "training_set").mkdir(parents=True)
    lines = (heads / "training_set_pixel_size_and_HC.csv").read_text().splitlines()
    chosen = lines[1::10]
    (part / "training_set_pixel_size_and_HC.csv").write_text("\n".join([lines[0], *chosen]))
    for line in chosen:
        stem = line.split(",")[0].removesuffix(".png")
        for name in (f"{stem}.png", f"{stem}_Annotation.png"):
            shutil.copy(heads / "training_set" / name, part / "training_set")
    out, done = run_chapter("04", tmp_path, "real", "-p", f"data={part}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert {r["data"] for r in rows_of(out)} == {"part"}


@pytest.mark.slow
def test_data_that_is_not_there_is_an_error_and_never_a_phantom(tmp_path):
    out, done = run_chapter("04", tmp_path, "none", "-p", "data=hc99")
    assert done.returncode != 0
    assert not (out / "results.json").exists()
    assert "hc99" in done.stdout + done.stderr
