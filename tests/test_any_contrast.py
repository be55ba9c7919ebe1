"""The shipped model of gestational age: what must not move its age, what it declines, how far off.

Its own phantoms are reserved; those here are others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up_models import fetal_scan, save_volume
from made_up_scans import real_data
from typer.testing import CliRunner

pytest.importorskip("onnxruntime")

from fetal_book.cli.predict import app
from fetal_lib.baselines.brain_volume import volume_days
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.data.plane_slices import BrainPlace
from fetal_lib.growth.intergrowth_size import mean_mm
from fetal_lib.predict.gestational_age import read_age
from fetal_lib.predict.gestational_age_cases import list_cases
from fetal_lib.predict.gestational_age_model import load_ga_model
from fetal_lib.predict.gestational_age_place import cut_grid, place_of, shown_brain
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.mri import bias_field

DAYS, SPACING_MM = 210.0, 1.5


@pytest.fixture(scope="module")
def model():
    return load_ga_model(None)


@pytest.fixture(scope="module")
def phantom():
    return make_fetal_brain(51, ga_days=DAYS, spacing_mm=SPACING_MM)


def scan_of(data, affine=None, mask=None, spacing_mm=SPACING_MM):
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0]) if affine is None else affine
    volume = Volume(np.asarray(data, np.float32), affine, (spacing_mm,) * 3)
    return FetalScan("s", np.nan, "volume", volume, None, mask, {})


def changed(phantom, how):
    """Return the phantom's scan as another scanner, contrast or background would show it."""
    rng = np.random.default_rng(3)
    t2, brain, affine = phantom.t2.astype(float), phantom.labels > 0, phantom.affine
    bright = np.percentile(t2[brain], 99)
    if how == "inverted":
        return scan_of(np.where(brain, 1.1 * bright - np.minimum(t2, bright), 0), affine)
    if how == "gamma":
        return scan_of(bright * (t2 / bright) ** 1.4, affine)
    if how == "bias":
        return scan_of(t2 * bias_field(t2.shape, 0.2, rng), affine)
    if how == "noise":
        noisy = np.abs(t2 + 0.05 * bright * rng.standard_normal(t2.shape))
        return scan_of(np.where(brain, noisy, 0), affine)
    if how == "8 bits":
        return scan_of(np.rint(np.clip(t2 / bright, 0, 1) * 255), affine)
    if how == "background of -1":
        return scan_of(np.where(brain, t2 / bright, -1), affine)
    if how == "axes swapped":
        return scan_of(t2.transpose(2, 0, 1), affine[:, [2, 0, 1, 3]])
    if how == "fuzzy background, with mask":
        return scan_of(t2 + 0.3 * bright * rng.random(t2.shape), affine, brain)
    assert how == "halo"
    from scipy import ndimage

    ring = ndimage.binary_dilation(brain, iterations=2) & ~brain
    return scan_of(np.where(ring, 0.35 * bright, t2), affine)


CHANGES = ["inverted", "gamma", "bias", "noise", "8 bits", "background of -1", "axes swapped"]
CHANGES += ["fuzzy background, with mask", "halo"]


@pytest.mark.parametrize("how", CHANGES)
def test_how_a_scan_looks_moves_its_age_by_less_than_two_weeks(model, phantom, how):
    plain, other = (
        model.read(scan_of(phantom.t2, phantom.affine)),
        model.read(changed(phantom, how)),
    )
    assert not plain.reason and not other.reason
    assert abs(other.ga_days - plain.ga_days) < 14
    assert abs(other.ga_days - DAYS) < other.ga_days - other.low_days


@pytest.mark.parametrize("spacing_mm", [1.0, 2.5])
def test_the_size_of_voxels_moves_an_age_by_less_than_a_week(model, phantom, spacing_mm):
    other = make_fetal_brain(51, ga_days=DAYS, spacing_mm=spacing_mm)
    plain = model.read(scan_of(phantom.t2, phantom.affine))
    found = model.read(scan_of(other.t2, other.affine, spacing_mm=spacing_mm))
    assert abs(found.ga_days - plain.ga_days) < 7


def test_the_networks_do_not_see_the_size(model, phantom):
    plain = model.read(scan_of(phantom.t2, phantom.affine))
    larger = model.read(scan_of(phantom.t2, phantom.affine * 1.1))
    assert abs(larger.shape_days - plain.shape_days) < 3
    assert larger.volume_days - plain.volume_days > 10


def test_a_brain_among_skull_and_womb_is_told_with_its_mask_and_never_wrongly_without(model):
    phantom = make_fetal_brain(52, ga_days=200, spacing_mm=2.0, surroundings=True)
    masked = scan_of(phantom.t2, phantom.affine, phantom.labels > 0, spacing_mm=2.0)
    found = model.read(masked)
    assert not found.reason and found.low_days < 200 < found.high_days
    assert found.brain_ml == pytest.approx(phantom.volumes_ml["total"], rel=0.1)
    without = model.read(scan_of(phantom.t2, phantom.affine, spacing_mm=2.0))
    assert without.reason or without.low_days < 200 < without.high_days


def kidney(shape=(80, 80, 80)):
    """Return a bean with a bright rim, dark pyramids and a bright middle, 150 mL at 1.5 mm."""
    axis = np.linspace(-1, 1, shape[0])
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    x = x + 0.9 * z**2
    far = np.sqrt((x / 0.4) ** 2 + (y / 0.42) ** 2 + (z / 0.75) ** 2)
    pyramids = (far < 0.8) & (far > 0.4) & (np.sin(9 * np.arctan2(y, z)) > 0)
    signal = np.where(pyramids, 0.35, 0.7) + 0.3 * (far < 0.35)
    return np.where(far < 1, signal, 0) * 900


@pytest.mark.parametrize("what", ["kidney", "noise", "ball", "adult", "lying", "nothing"])
def test_what_is_no_fetal_brain_is_declined(model, phantom, what):
    rng = np.random.default_rng(0)
    brain, t2, affine = phantom.labels > 0, phantom.t2, phantom.affine
    scans = {
        "kidney": lambda: scan_of(kidney()),
        "noise": lambda: scan_of(np.where(brain, rng.random(t2.shape), 0), affine),
        "ball": lambda: scan_of(brain, affine),
        "adult": lambda: scan_of(t2, affine @ np.diag([1.7, 1.7, 1.7, 1])),
        "lying": lambda: scan_of(t2.transpose(0, 2, 1)[:, ::-1], affine),
        "nothing": lambda: scan_of(rng.random((60, 60, 60))),
    }
    found = model.read(scans[what]())
    assert found.reason and np.isnan(found.ga_days)


def test_pictures_are_sent_to_a_run_of_the_chapter(model):
    found = model.read(FetalScan("s", np.nan, "slices", None, None, None, {}))
    assert "--model" in found.reason


def test_volume_tells_the_age_of_the_norms_own_heads():
    weeks = np.arange(20.0, 38.0)
    hc = np.array([mean_mm("HC", week) for week in weeks])
    ml = np.pi / 6 * (hc / 3.45) ** 3 / 1000
    assert np.abs(volume_days(ml) / 7 - weeks).max() < 1.0


def test_a_grid_around_a_brain_gives_its_place_back(phantom):
    scan = fetal_scan(phantom, spacing_mm=SPACING_MM)
    shown = shown_brain(scan)
    assert shown.known and shown.place.volume_ml == pytest.approx(phantom.volumes_ml["total"])
    off = BrainPlace(shown.place.middle_mm + 6, 1.4 * shown.place.volume_ml)
    brain = Volume((phantom.labels > 0).astype(np.float32), phantom.affine, (SPACING_MM,) * 3)
    found = place_of(cut_grid(brain, off), off)
    assert found.volume_ml == pytest.approx(phantom.volumes_ml["total"], rel=0.03)
    assert np.abs(found.middle_mm - shown.place.middle_mm).max() < 1


def test_the_command_tests_itself_and_answers(phantom, tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    run = CliRunner().invoke(app, ["ga", "--self-test"])
    assert run.exit_code == 0 and "self-test passed" in run.output
    path = save_volume(tmp_path / "a.nii.gz", phantom.t2, phantom.affine)
    out, pictures = tmp_path / "t.csv", tmp_path / "p"
    asked = ["ga", str(path), "--out", str(out), "--pictures", str(pictures)]
    run = CliRunner().invoke(app, asked)
    assert run.exit_code == 0 and "1 predicted" in run.output
    assert (pictures / "a.png").stat().st_size > 10_000


@pytest.mark.slow
def test_templates_of_an_atlas_that_it_never_saw_are_told(model):
    cases = list_cases([real_data("crl_atlas")])
    weeks = np.array([int(Path(case.name).name[3:5]) for case in cases])
    found = [read_age(case, model) for case in cases]
    told = np.array([one.ga_days for one in found])
    assert len(cases) == 17 and np.isnan(told).sum() <= 1
    assert np.nanmean(np.abs(told - 7 * weeks)) < 7
