"""`predict ga`: what is told, what is declined and why, and that one bad file stops nothing."""

import csv
import math

import numpy as np
import pytest
from made_up_scans import real_data
from PIL import Image
from typer.testing import CliRunner

keras = pytest.importorskip("keras")
pytest.importorskip("nibabel")

from made_up_models import N_SLICES, SIDE, fetal_scan, fixed_age_model, save_volume  # noqa: E402

from fetal_book.chapters.gestational_age.save import least_likeness  # noqa: E402
from fetal_book.cli.predict import app  # noqa: E402
from fetal_lib.models.vgg16_attention import PLANES  # noqa: E402
from fetal_lib.predict.gestational_age import read_age, write_ages  # noqa: E402
from fetal_lib.predict.gestational_age_cases import list_cases  # noqa: E402
from fetal_lib.predict.gestational_age_model import (  # noqa: E402
    GaModel,
    likeness,
    load_ga_model,
    reference_pictures,
)
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan  # noqa: E402
from fetal_phantoms.fetal_brain.brain import make_fetal_brain  # noqa: E402

AGES = np.linspace(140, 266, 12)


def scan_of(seed, days):
    return fetal_scan(make_fetal_brain(seed, ga_days=days, spacing_mm=3.0), str(seed), days)


@pytest.fixture(scope="module")
def training():
    """Cut the slices of twelve phantoms; return subjects, ages, pictures and volumes."""
    cuts = [cut_scan(scan_of(seed, days), N_SLICES, SIDE, True) for seed, days in enumerate(AGES)]
    images = np.concatenate([as_pictures(cut) for cut in cuts])
    subject = np.repeat([f"s{k:02d}" for k in range(len(AGES))], N_SLICES)
    return subject, np.repeat(AGES, N_SLICES), images, [cut.brain_ml for cut in cuts]


@pytest.fixture(scope="module")
def model(training):
    """Two untrained networks that answer 200 and 210 days, and what the training looked like."""
    subject, days, images, volumes = training
    looks = reference_pictures(images, subject, days)
    return fixed_age_model((200.0, 210.0), (min(volumes), max(volumes)), looks)


def told(model, case_path):
    return read_age(list_cases([case_path])[0], model)


def test_a_fetal_brain_is_told_with_an_interval(model, tmp_path):
    phantom = make_fetal_brain(40, ga_days=190, spacing_mm=2.0)
    found = told(model, save_volume(tmp_path / "a_T2w.nii.gz", phantom.t2, phantom.affine))
    assert found.reason == "" and found.ga_days == pytest.approx(205, abs=0.01)
    assert found.high_days - found.low_days == pytest.approx(18)
    assert found.spread_days == pytest.approx(5, abs=0.01)
    assert found.brain_ml == pytest.approx(phantom.volumes_ml["total"], rel=0.03)
    assert found.likeness > 0.2


@pytest.mark.parametrize("turn", ["as it is", "axes swapped"])
def test_the_grid_in_which_a_volume_is_kept_does_not_matter(model, tmp_path, turn):
    phantom = make_fetal_brain(41, ga_days=200, spacing_mm=3.0)
    data, affine = phantom.t2, phantom.affine
    if turn == "axes swapped":
        data = data.transpose(2, 0, 1)[::-1]
        affine = affine[:, [2, 0, 1, 3]].copy()
        affine[:3, 3] += affine[:3, 0] * (data.shape[0] - 1)
        affine[:3, 0] *= -1
    straight = cut_scan(scan_of(41, 200.0), N_SLICES, SIDE, True)
    found = told(model, save_volume(tmp_path / "t.nii.gz", data, affine))
    assert found.reason == ""
    same = found.images.astype(int) - as_pictures(straight)
    assert np.abs(same).max() <= 2


def wrong_scans(folder):
    """Write what is no fetal brain of 19 to 39 weeks; return name to a word of the reason."""
    rng = np.random.default_rng(0)
    phantom = make_fetal_brain(42, ga_days=200, spacing_mm=3.0)
    brain, t2, affine = phantom.labels > 0, phantom.t2, phantom.affine
    save_volume(folder / "noise.nii.gz", np.where(brain, rng.random(t2.shape), 0), affine)
    save_volume(folder / "inverted.nii.gz", np.where(brain, 1.05 * t2.max() - t2, 0), affine)
    save_volume(folder / "ball.nii.gz", brain, affine)
    save_volume(folder / "lying.nii.gz", t2.transpose(0, 2, 1)[:, ::-1], affine)
    save_volume(folder / "adult.nii.gz", t2, affine @ np.diag([1.7, 1.7, 1.7, 1]))
    save_volume(folder / "embryo.nii.gz", t2, affine @ np.diag([0.4, 0.4, 0.4, 1]))
    save_volume(folder / "unmasked.nii.gz", t2 + 20 + rng.random(t2.shape), affine)
    save_volume(folder / "empty.nii.gz", 0 * t2, affine)
    (folder / "broken.nii.gz").write_bytes(b"no gzip")
    return {
        "noise": "does not look like",
        "inverted": "does not look like",
        "ball": "does not look like",
        "lying": "does not look like",
        "adult": "larger than any",
        "embryo": "smaller than any",
        "unmasked": "nothing says where the brain ends",
        "empty": "all voxels are alike",
        "broken": "broken.nii.gz",
    }


def test_what_is_no_fetal_brain_is_declined_and_the_rest_is_told(model, tmp_path):
    reasons = wrong_scans(tmp_path / "in")
    phantom = make_fetal_brain(43, ga_days=230, spacing_mm=3.0)
    save_volume(tmp_path / "in" / "z_T2w.nii.gz", phantom.t2, phantom.affine)
    inputs = [*sorted((tmp_path / "in").iterdir())]
    before = {p.name: p.read_bytes() for p in inputs}
    out, pictures = tmp_path / "t.csv", tmp_path / "p"
    assert write_ages(list_cases(inputs), model, out, pictures) == {
        "predicted": 1,
        "declined": 7,
        "failed": 2,
    }
    rows = {row["scan"].split(".")[0]: row for row in csv.DictReader(out.open())}
    wrong = {k: rows[k]["reason"] for k, text in reasons.items() if text not in rows[k]["reason"]}
    assert not wrong
    status = {k: "failed" if k in ("empty", "broken") else "declined" for k in reasons}
    assert all(rows[k]["ga_days"] == "" and rows[k]["status"] == status[k] for k in reasons)
    last = rows["z_T2w"]
    assert last["ga_weeks_days"] == "29+2" and last["low_days"] == "196.0"
    assert (
        last["interval_level"] == "0.90"
        and not last["reason"]
        and "" not in list(last.values())[:-1]
    )
    assert (pictures / "z_T2w.png").stat().st_size > 10_000
    assert not (pictures / "broken.png").exists()
    assert {p.name: p.read_bytes() for p in inputs} == before
    assert not list(tmp_path.glob("*.part"))


def test_an_answer_outside_the_ages_that_it_knows_is_declined(model, tmp_path):
    phantom = make_fetal_brain(44, ga_days=260, spacing_mm=3.0)
    path = save_volume(tmp_path / "a.nii.gz", phantom.t2, phantom.affine)
    from dataclasses import replace

    for centre, words in ((290.0, "predicted 290 days"), (120.0, "predicted 120 days")):
        spec = replace(model.spec, centres=(centre, centre))
        found = told(GaModel(model.networks, spec, model.references), path)
        assert words in found.reason and "19 to 39" in found.reason
        assert math.isnan(found.ga_days)


def test_pictures_of_three_planes_are_one_brain(model, tmp_path):
    """Slices of the layout of source 000, and files whose names differ in plane and number."""
    cut = as_pictures(cut_scan(scan_of(45, 210.0), 3, 64, True))
    for k, plane in enumerate(PLANES):
        for number, image in enumerate(cut):
            home = tmp_path / "set" / "P1" / plane
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., k]).save(home / f"{number}.png")
        for number in (0, 2):
            Image.fromarray(cut[number][..., k]).save(tmp_path / f"case7_{plane}_{number}.png")
    cases = list_cases([tmp_path / "set", *tmp_path.glob("case7_*.png")])
    assert [case.name for case in cases] == ["P1", "case7"]
    for case in cases:
        found = read_age(case, model)
        assert found.reason == "" and math.isnan(found.brain_ml) and found.likeness > 0.2
    missing = list_cases([tmp_path / "case7_axial_0.png"])[0]
    assert "none of coronal, sagittal" in read_age(missing, model).reason


def test_a_mask_beside_the_volume_is_taken(model, tmp_path):
    phantom = make_fetal_brain(46, ga_days=200, spacing_mm=3.0)
    surrounded = phantom.t2 + 15 + np.random.default_rng(0).random(phantom.t2.shape)
    path = save_volume(tmp_path / "sub-1_T2w.nii.gz", surrounded, phantom.affine)
    save_volume(tmp_path / "sub-1_mask.nii.gz", phantom.labels > 0, phantom.affine)
    found = told(model, path)
    assert found.brain_ml == pytest.approx(phantom.volumes_ml["total"], rel=0.03)
    assert [case.name for case in list_cases([tmp_path])] == ["sub-1_T2w.nii.gz"]


def test_a_model_is_the_same_after_saving(model, training, tmp_path):
    two = load_ga_model(model.save(tmp_path / "run" / "model", "card").parent)
    assert two.spec == model.spec
    images = training[2][:4]
    assert np.allclose(two.answers(images), model.answers(images), atol=0.05)
    assert two.likeness(images) == pytest.approx(model.likeness(images), abs=1e-3)


def test_what_is_missing_is_said_with_the_fix(tmp_path):
    with pytest.raises(ValueError, match="fetal-lib run 01"):
        load_ga_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ValueError, match="train it anew"):
        load_ga_model(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="nowhere.nii.*notes.txt"):
        list_cases([tmp_path / "nowhere.nii", tmp_path / "notes.txt"])
    result = CliRunner().invoke(app, ["ga", str(tmp_path / "none.nii.gz")])
    assert result.exit_code == 2 and "no such file" in result.output
    assert "Traceback" not in result.output


def test_likeness_is_high_for_fetuses_it_never_saw_and_low_for_noise(training):
    subject, days, images, _ = training
    kept = subject != "s05"
    references = reference_pictures(images[kept], subject[kept], days[kept])
    assert likeness(images[~kept], references) > 0.3
    noise = np.random.default_rng(0).integers(0, 255, images[:2].shape).astype(np.uint8)
    assert likeness(noise, references) < 0
    assert likeness(255 - images[~kept], references) < 0


def test_the_least_likeness_lies_below_that_of_all_held_out_fetuses(training):
    import pandas as pd

    from fetal_book.chapters.gestational_age.data import PlaneSet
    from fetal_book.chapters.gestational_age.fit import FoldFit

    subject, days, images, _ = training
    table = pd.DataFrame({"subject": subject, "ga_days": days})
    brains = PlaneSet(table, images, np.zeros((len(table), 3)))
    fold = np.repeat(np.arange(len(AGES)) % 2, N_SLICES)
    held_out = [np.flatnonzero(fold == k) for k in range(2)]
    fits = [FoldFit(None, None, rows, None, [], 0.0) for rows in held_out]
    least = least_likeness(brains, fits, range(3))
    for rows in held_out:
        references = reference_pictures(
            *(v[fold != fold[rows[0]]] for v in (images, subject, days))
        )
        for name in np.unique(subject[rows]):
            assert likeness(images[subject == name], references) > least
        assert likeness(255 - images[rows[:N_SLICES]], references) < least


@pytest.mark.slow
def test_spina_bifida_templates_are_read_with_their_masks(model):
    folder = real_data("spina_bifida_atlas")
    cases = list_cases([folder])
    assert len(cases) == 15 and all(case.mask_path is not None for case in cases)
    found = read_age(cases[7], model)
    assert 50 < found.brain_ml < 400 and np.isfinite(found.likeness)
