"""Chapter 05 from parameters to results, on phantoms and on real brains."""

import shutil

import pytest
from chapter_checks import (
    check_that_a_second_run_repeats,
    figures_without_words,
    predict,
    protocol_rows_without_interval,
    rows_of,
    run_chapter,
    status_of,
    write_no_brains,
)
from made_up_scans import real_data

pytest.importorskip("torch")


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    models = ("mean", "volumes_linear", "volumes_bayesian_ridge", "volumes_poly3", "maps_ridge")
    models += (
        "volumes_absolute_linear",
        "res_unet_linear",
        "resnext",
        "sfcn",
        "ensemble",
        "predict_model",
    )
    for model in models:
        for metric in ("mae_years", "rmse_years", "r2", "ccc"):
            assert (model, metric) in rows or (model, metric) == ("mean", "ccc")
        row = rows[model, "mae_years"]
        assert row["ci95"][0] <= row["value"] <= row["ci95"][1]
    assert rows["volumes_linear", "mae_years"]["value"] < rows["mean", "mae_years"]["value"]
    assert rows["ensemble", "coverage"]["n"] == rows["ensemble", "mae_years"]["n"]
    for tissue, least in (("csf", 0.75), ("gray", 0.8), ("white", 0.85)):
        assert rows[f"mixture_{tissue}", "dice"]["value"] > least - 0.15  # at 6 mm
        others = [r for r in rows_of(out) if r["model"] == f"mixture_{tissue}"]
        assert {r["split"] for r in others} == {"test", "external"}
    protocol = {r["model"]: r["value"] for r in rows_of(out) if r["split"] == "protocol"}
    assert protocol["model_best"] <= protocol["model_chosen"]
    assert protocol["trees_training_set"] < 1.0
    for variant in ("sfcn_eval", "sfcn_no_eval"):
        for honest in ("last_epoch", "epoch_of_other_half"):
            assert protocol[f"{variant}_best_epoch_on_test"] <= protocol[f"{variant}_{honest}"]
    assert {"flow", "uneven"} <= {path.stem for path in (out / "tables").glob("*.csv")}
    assert (out / "galleries" / "subjects.html").is_file()
    assert protocol_rows_without_interval(out) == []
    assert figures_without_words(out) == []
    assert {p.name for p in (out / "model").iterdir()} - {"self_test"} == {
        "card.md",
        "model.json",
        "weights.npz",
    }
    assert status_of(out) == "ok"


@pytest.mark.slow
def test_all_models_see_the_same_subjects_and_those_that_teach_are_never_tested(smoke):
    import pandas as pd

    _, out = smoke
    split = pd.read_csv(out / "tables" / "split.csv", dtype={"subject": str})
    assert split["subject"].is_unique and (split["fold"] == -1).sum() >= 4
    counts = {r["n"] for r in rows_of(out) if r["metric"] == "mae_years" and r["split"] == "test"}
    assert counts == {int((split["fold"] >= 0).sum())}


@pytest.mark.slow
def test_a_second_run_reuses_its_fits_and_trains_the_same_where_they_are_gone(smoke):
    check_that_a_second_run_repeats("05", *smoke)


@pytest.mark.slow
def test_the_saved_model_tells_ages_and_declines_what_is_no_brain(smoke, tmp_path):
    import nibabel

    from fetal_phantoms.adult_brain.brain import make_adult_brain

    _, out = smoke
    scans = tmp_path / "scans"
    scans.mkdir()
    for age in (25, 80):
        phantom = make_adult_brain(77, age_years=age, space="mni")
        image = nibabel.Nifti1Image(phantom.t1, phantom.affine)
        nibabel.save(image, scans / f"sub-{age}_T1w.nii.gz")
    no_brains = write_no_brains(scans, "_T1w.nii.gz")
    rows = predict("brain-age", scans, out, tmp_path)
    young, old = (float(rows[f"sub-{a}_T1w.nii.gz"]["brain_age_years"]) for a in (25, 80))
    assert young < 50 < old
    assert [rows[name]["status"] for name in no_brains] == ["declined", "failed"]
    assert all(rows[name]["reason"] for name in no_brains)
    assert len(list((tmp_path / "p").glob("*.png"))) == 2


@pytest.mark.slow
def test_oasis_is_read_by_the_same_code(tmp_path):
    real, part = real_data("oasis1", "FETAL_DATA"), tmp_path / "part"
    lines = (real / "participants.tsv").read_text().splitlines()
    chosen = lines[1::6]
    part.mkdir()
    (part / "participants.tsv").write_text("\n".join([lines[0], *chosen]) + "\n")
    for line in chosen:
        shutil.copytree(real / line.split("\t")[0], part / line.split("\t")[0])
    out, done = run_chapter("05", tmp_path, "real", "-p", f"data={part}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert {r["data"] for r in rows_of(out)} == {"part"}
