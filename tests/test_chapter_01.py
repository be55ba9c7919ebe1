"""Chapter 01 from parameters to results, with its model, another atlas, and another backend."""

import os
import subprocess
import sys

import numpy as np
import pytest
from chapter_checks import (
    ROOT,
    check_that_a_second_run_repeats,
    figures_without_words,
    predict,
    rows_of,
    run_chapter,
    status_of,
    write_no_brains,
)
from made_up_atlas import template, write_atlas
from made_up_scans import real_data

pytest.importorskip("keras")

SMALL = ("-p", "epochs=1", "-p", "n_slices=1", "-p", "n_phantoms=20")


@pytest.mark.slow
def test_the_wiring_ends_in_results_tables_figures_and_a_model(smoke):
    _, out = smoke
    rows = {(r["model"], r["metric"]): r for r in rows_of(out) if r["split"] == "test"}
    for model in ("mean", "brain_volume", "brain_area", "slice_measures", "vgg16_attention"):
        for metric in ("mae_days", "rmse_days", "r2", "ccc"):
            assert (model, metric) in rows or (model, metric) == ("mean", "ccc")
        row = rows[model, "mae_days"]
        assert row["ci95"][0] <= row["value"] <= row["ci95"][1]
    assert rows["brain_volume", "mae_days"]["value"] < rows["mean", "mae_days"]["value"]
    assert rows["vgg16_attention", "mae_days"]["value"] < rows["mean", "mae_days"]["value"]
    assert 0 <= rows["vgg16_attention", "coverage"]["value"] <= 1
    both = [r for r in rows_of(out) if r["split"] == "protocol" and r["metric"] == "mae_days"]
    assert {r["model"] for r in both} == {"vgg16_source_protocol", "vgg16_same_samples"}
    assert both[0]["n"] == both[1]["n"] and all(r["ci95"] for r in both)
    assert figures_without_words(out) == []
    tables = {path.stem for path in (out / "tables").glob("*.csv")}
    assert {"split", "folds", "by_trimester", "overlap", "map_checks", "leak"} <= tables
    assert {"flow", "stacks", "stack_scores"} <= tables
    assert (out / "galleries" / "fetuses.html").is_file()
    assert {"model.json", "card.md", "likeness.npz", "weights_0.npz"} <= {
        path.name for path in (out / "model").iterdir()
    }
    assert status_of(out) == "ok"


@pytest.mark.slow
def test_every_fetus_is_tested_once_and_by_all_models(smoke):
    import pandas as pd

    _, out = smoke
    split = pd.read_csv(out / "tables" / "split.csv", dtype={"subject": str})
    assert split.groupby("subject")["fold"].nunique().max() == 1
    counts = {r["n"] for r in rows_of(out) if r["metric"] == "mae_days" and r["split"] == "test"}
    assert counts == {split["subject"].nunique()}
    leak = pd.read_csv(out / "tables" / "leak_audit.csv").iloc[:, 1]
    assert leak.iloc[0] > 0.25 and leak.iloc[1] == 0


@pytest.mark.slow
def test_a_second_run_reuses_its_fits_and_trains_the_same_where_they_are_gone(smoke):
    check_that_a_second_run_repeats("01", *smoke)


@pytest.mark.slow
def test_the_saved_model_tells_ages_and_declines_what_is_no_brain(smoke, tmp_path):
    import nibabel

    from fetal_phantoms.fetal_brain.brain import make_fetal_brain

    _, out = smoke
    scans = tmp_path / "scans"
    scans.mkdir()
    for seed, days in ((77, 160), (78, 250)):
        phantom = make_fetal_brain(seed, ga_days=days, spacing_mm=3.0)
        image = nibabel.Nifti1Image(phantom.t2, phantom.affine)
        nibabel.save(image, scans / f"sub-{seed}_T2w.nii.gz")
    no_brains = write_no_brains(scans, "_T2w.nii.gz")
    rows = predict("ga", scans, out, tmp_path)
    for seed in (77, 78):
        row = rows[f"sub-{seed}_T2w.nii.gz"]
        assert row["status"] == "predicted", row["reason"]
        assert float(row["low_days"]) < float(row["ga_days"]) < float(row["high_days"])
    young, old = (float(rows[f"sub-{seed}_T2w.nii.gz"]["ga_days"]) for seed in (77, 78))
    assert 133 < young < 195 and 205 < old < 279
    assert [rows[name]["status"] for name in no_brains] == ["declined", "failed"]
    assert all(rows[name]["reason"] for name in no_brains)
    assert {path.stem for path in (tmp_path / "p").iterdir()} == {"sub-77_T2w", "sub-78_T2w"}


@pytest.mark.slow
def test_the_chapter_runs_unchanged_on_pytorch(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    out, done = run_chapter("01", tmp_path, "torch", *SMALL)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    values = {r["metric"]: r["value"] for r in rows_of(out) if r["model"] == "vgg16_attention"}
    assert np.isfinite(values["mae_days"]) and values["params"] > 1000
    assert (out / "model" / "weights_0.npz").is_file()


@pytest.mark.slow
def test_backends_give_the_same_answer_for_the_same_weights(tmp_path):
    """TensorFlow and PyTorch agree to a hundredth on one network, gates and Grad-CAM too."""
    pytest.importorskip("torch")
    script = tmp_path / "answer.py"
    script.write_text(
        "import sys, numpy as np\n"
        "from fetal_lib.models.vgg16_attention import get_age_network, PLANES\n"
        "from fetal_lib.predict.gestational_age_maps import plane_cams, plane_gates\n"
        "n = get_age_network(32, width=0.0625, batch_norm=True, n_pools=3, hidden=8)\n"
        "rng = np.random.default_rng(0)\n"
        "n.set_weights([0.1 + 0.3 * rng.random(w.shape) for w in n.get_weights()])\n"
        "x = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)\n"
        "from fetal_lib.training.keras_regression import predict_values\n"
        "y = predict_values(n, x[None], 0.0, 1.0)\n"
        "maps = {'cams': plane_cams(n, x, PLANES), 'gates': plane_gates(n, x, PLANES)}\n"
        "np.savez(sys.argv[1], y=y, **maps)\n"
    )
    found = []
    for backend in ("tensorflow", "torch"):
        path = tmp_path / f"{backend}.npz"
        environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [sys.executable, str(script), str(path)], check=True, env=environment, cwd=ROOT
        )
        found.append(dict(np.load(path)))
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name], rtol=1e-2, err_msg=name)


@pytest.mark.slow
def test_trained_on_individuals_of_an_atlas_and_tested_on_the_templates_of_a_disease(tmp_path):
    folder = real_data("spina_bifida_atlas")
    atlas = write_atlas(tmp_path / "atlas", [template(weeks) for weeks in (22, 27, 33)])
    more = ("-p", f"data={atlas}", "-p", f"external_data={folder}")
    out, done = run_chapter("01", tmp_path, "sb", *SMALL, *more, "-p", "save_model=false")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = [r for r in rows_of(out) if r["metric"] == "mae_days"]
    rows = {r["model"]: r for r in found if r["split"] == "external"}
    assert set(rows) == {"mean", "vgg16_attention"}
    assert all(r["n"] == 15 and r["data"] == folder.name for r in rows.values())
    own = next(r for r in found if r["model"] == "vgg16_attention" and r["split"] == "test")
    assert own["n"] == 20 and own["data"] == "atlas"
    kinds = (out / "tables" / "data_sets.csv").read_text("utf-8").splitlines()[1:]
    assert kinds == ["atlas,own,blend", f"{folder.name},external,template"]


@pytest.mark.slow
def test_data_that_is_not_there_is_an_error_and_never_a_phantom(tmp_path):
    out, done = run_chapter("01", tmp_path, "none", "-p", "data=nowhere")
    assert done.returncode != 0 and "neither 'phantom', nor a folder" in done.stderr + done.stdout
