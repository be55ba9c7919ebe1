"""Adult brain phantoms: volumes as published, labels as the T1 shows, a seed a person."""

import json
import time

import nibabel
import numpy as np
import pytest

from fetal_phantoms.adult_brain import warp
from fetal_phantoms.adult_brain.brain import make_adult_brain
from fetal_phantoms.adult_brain.norms import nwbv_mean, published_curves
from fetal_phantoms.adult_brain.scanner import draw_scan
from fetal_phantoms.adult_brain.subject import draw_person
from fetal_phantoms.adult_brain.template import load_template
from fetal_phantoms.adult_brain.write import write_adult_brain_set
from fetal_phantoms.diffeomorphism import jacobian_determinant

COARSE_MM = 5.0  # volumes are met to the voxel at any spacing
BRAIN = ("csf", "gray", "white")


@pytest.fixture(scope="module")
def people():
    return [draw_person(np.random.default_rng([seed, 1])) for seed in range(600)]


@pytest.fixture(scope="module")
def phantoms():
    return [make_adult_brain(seed) for seed in range(6)]


def test_curves_are_those_printed():
    assert nwbv_mean(20) == pytest.approx(0.84813, abs=1e-5)
    assert nwbv_mean(85) == pytest.approx(0.84717 + 0.04284 - 0.16473, abs=1e-5)
    young, old = published_curves(20, "F"), published_curves(80, "M")
    assert (young.tiv_ml, old.tiv_ml) == (1409, 1596)
    assert (young.cortex_ml, young.cerebral_white_ml, young.ventricles_ml) == (548, 442, 10.9)
    assert (old.cortex_ml, old.cerebral_white_ml, old.ventricles_ml) == (473, 448, 50)
    assert published_curves(65, "F").ventricles_ml == pytest.approx(28.5)


def test_brain_of_the_tiv_times_nwbv_agrees_with_brainchart():
    """Two independent sources, 6 % apart at most: OASIS-1's brain, BrainChart's parts added."""
    for age in (20, 50, 80):
        for sex, hindbrain_ml in (("F", 150), ("M", 167)):
            norm = published_curves(age, sex)
            parts = norm.cortex_ml + norm.cerebral_white_ml + norm.deep_gray_ml + hindbrain_ml
            assert norm.brain_ml == pytest.approx(parts, rel=0.065)


@pytest.mark.parametrize("space", ["native", "mni"])
def test_labels_have_the_volumes_of_the_person(space):
    for seed, age in ((1, 20), (2, 55), (3, 88)):
        person = draw_person(np.random.default_rng([seed, 1]), age)
        phantom = make_adult_brain(seed, age, spacing_mm=COARSE_MM, space=space)
        expected = {"csf": person.csf_ml, "gray": person.gray_ml, "white": person.white_ml}
        for name, ml in expected.items():
            assert phantom.volumes_ml[name] == pytest.approx(ml, abs=0.3)
        assert phantom.volumes_ml["ventricles"] == pytest.approx(person.ventricles_ml, abs=0.3)
        assert phantom.tiv_ml == pytest.approx(person.tiv_ml, abs=0.3)
        counted = np.bincount(phantom.labels.ravel(), minlength=4)[1:] * COARSE_MM**3 / 1000
        if space == "native":
            assert counted == pytest.approx([phantom.volumes_ml[n] for n in BRAIN])
        else:
            assert counted.sum() == pytest.approx(load_template().tiv_ml, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("age", [20, 35, 50, 65, 75, 85])
def test_brain_shrinks_and_ventricles_grow_as_published(age):
    phantoms = [make_adult_brain(seed, age, spacing_mm=6.0) for seed in range(40)]
    assert np.mean([p.nwbv for p in phantoms]) == pytest.approx(nwbv_mean(age), abs=0.01)
    log_ratio = [
        np.log(p.volumes_ml["ventricles"] / published_curves(age, p.sex).ventricles_ml)
        for p in phantoms
    ]
    assert np.mean(log_ratio) == pytest.approx(0.0, abs=0.2)
    assert np.std(log_ratio) == pytest.approx(0.40, abs=0.12)


def test_head_size_carries_the_sex_and_not_the_age(people):
    for sex, mean_ml, sd_ml in (("F", 1409, 127), ("M", 1596, 126)):
        sizes = [p.tiv_ml for p in people if p.sex == sex]
        assert np.mean(sizes) == pytest.approx(mean_ml, abs=25)
        assert np.std(sizes) == pytest.approx(sd_ml, rel=0.12)
    ages = [p.age_years for p in people]
    assert min(ages) >= 18 and max(ages) <= 90
    assert abs(np.corrcoef(ages, [p.tiv_ml for p in people])[0, 1]) < 0.12


def test_deviations_from_the_norm_do_not_depend_on_age(people):
    ages = np.array([p.age_years for p in people])
    for name in ("tiv", "nwbv", "ventricles", "gray_share"):
        z = np.array([p.z[name] for p in people])
        assert abs(np.corrcoef(ages, z)[0, 1]) < 0.12, name
        assert abs(np.corrcoef(np.abs(ages - 54), z)[0, 1]) < 0.12, name
        assert z.std() == pytest.approx(0.95, abs=0.08), name
    nwbv = np.array([(p.gray_ml + p.white_ml) / p.tiv_ml for p in people])
    residual = nwbv - [nwbv_mean(age) for age in ages]
    assert abs(np.corrcoef(ages, residual)[0, 1]) < 0.12
    assert residual.std() == pytest.approx(0.0232, rel=0.12)


def test_spread_between_persons_is_the_published_one():
    old = [draw_person(np.random.default_rng([s, 1]), 60, "F") for s in range(600)]
    for name, low, high in (("gray_ml", 0.08, 0.11), ("white_ml", 0.09, 0.12)):
        values = [getattr(person, name) for person in old]
        assert low < np.std(values) / np.mean(values) < high
    logs = [np.log(person.ventricles_ml) for person in old]
    assert np.std(logs) == pytest.approx(0.40, abs=0.05)


@pytest.mark.slow
def test_warps_do_not_fold():
    for seed in range(6):
        velocity = warp.random_velocity(np.random.default_rng(seed))
        for amplitude in (-3.0, 0.0, 5.0, 14.0):
            displacement = warp.displacement(velocity + amplitude * warp.ventricle_velocity())
            assert jacobian_determinant(displacement, warp.STEP_MM).min() > 0


def test_jacobian_of_a_known_stretch():
    x = warp.coarse_points().T.reshape(3, *warp.SHAPE)
    assert jacobian_determinant(0.1 * x, warp.STEP_MM) == pytest.approx(1.1**3, rel=1e-3)
    folded = np.stack([-2.0 * x[0], 0 * x[1], 0 * x[2]])
    assert jacobian_determinant(folded, warp.STEP_MM).max() < 0


@pytest.mark.slow
def test_white_matter_is_brighter_than_gray_and_gray_than_fluid(phantoms):
    for phantom in phantoms:
        fluid, gray, white = (np.median(phantom.t1[phantom.labels == k]) for k in (1, 2, 3))
        assert fluid < 0.75 * gray < 0.75 * 0.8 * white
        assert (phantom.t1[phantom.labels == 0] == 0).all()
        assert (phantom.t1[phantom.labels > 0] > 0).mean() > 0.999


@pytest.mark.slow
def test_labels_are_what_the_t1_shows(phantoms):
    """The nearest tissue's brightness gives the label of most voxels, bias field and all."""
    for phantom in phantoms:
        inside = phantom.labels > 0
        centers = [np.median(phantom.t1[phantom.labels == k]) for k in (1, 2, 3)]
        nearest = 1 + np.abs(phantom.t1[inside][:, None] - centers).argmin(axis=1)
        assert (nearest == phantom.labels[inside]).mean() > 0.78
        for label in (1, 2, 3):
            a, b = nearest == label, phantom.labels[inside] == label
            assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.70


@pytest.mark.slow
def test_cortex_lies_between_fluid_and_white_matter(phantoms):
    """Sulci do not touch white matter: few faces between CSF and white outside the ventricles."""
    for phantom in phantoms:
        labels = phantom.labels
        touching = both = 0
        for axis in range(3):
            a, b = np.moveaxis(labels, axis, 0)[1:], np.moveaxis(labels, axis, 0)[:-1]
            touching += ((a == 1) & (b == 3)).sum() + ((a == 3) & (b == 1)).sum()
            both += ((a == 1) & (b > 1)).sum() + ((a > 1) & (b == 1)).sum()
        assert touching / both < 0.2


@pytest.mark.slow
def test_the_same_seed_is_the_same_person_older():
    young, old = (make_adult_brain(5, age, "M", spacing_mm=COARSE_MM) for age in (25, 85))
    assert young.tiv_ml == pytest.approx(old.tiv_ml, rel=1e-3)
    assert old.volumes_ml["ventricles"] > 2.5 * young.volumes_ml["ventricles"]
    assert old.nwbv < young.nwbv - 0.08
    head_young, head_old = young.labels > 0, old.labels > 0
    overlap = 2 * (head_young & head_old).sum() / (head_young.sum() + head_old.sum())
    assert overlap > 0.97
    other = make_adult_brain(6, 25, "M", spacing_mm=COARSE_MM).labels
    assert (other != young.labels)[head_young].mean() > 0.15


def test_contrast_between_gray_and_white_falls_a_little_with_age():
    gray = {age: [] for age in (20, 85)}
    for age, values in gray.items():
        person = draw_person(np.random.default_rng(0), age)
        values += [draw_scan(np.random.default_rng(seed), person).gray for seed in range(200)]
    assert 0.02 < np.mean(gray[85]) - np.mean(gray[20]) < 0.08
    assert np.std(gray[20]) > 0.015  # persons differ at any age


def test_a_seed_is_a_volume():
    first, second = (make_adult_brain(11, spacing_mm=4.0) for _ in range(2))
    assert np.array_equal(first.t1, second.t1) and np.array_equal(first.labels, second.labels)
    assert first.age_years == second.age_years
    assert not np.array_equal(first.t1, make_adult_brain(12, spacing_mm=4.0).t1)


@pytest.mark.slow
def test_volumes_do_not_depend_on_the_grid():
    fine, coarse = (make_adult_brain(4, 40, "F", spacing_mm=mm) for mm in (2.0, 3.0))
    assert fine.t1.shape == (91, 109, 91) and coarse.t1.shape == (61, 73, 61)
    assert fine.affine[:3, 3] == pytest.approx([-90, -126, -72])
    for name, ml in fine.volumes_ml.items():
        assert coarse.volumes_ml[name] == pytest.approx(ml, abs=0.1)


@pytest.mark.slow
def test_skull_surrounds_the_brain_and_leaves_it():
    bare, whole = (
        make_adult_brain(2, 50, "F", spacing_mm=3.0, with_skull=skull) for skull in (False, True)
    )
    outside = bare.labels == 0
    assert np.array_equal(bare.labels, whole.labels)
    assert (whole.t1[outside] > 0.5 * whole.t1[bare.labels == 3].mean()).sum() * 0.027 > 400
    inner = bare.labels == 3
    assert np.corrcoef(bare.t1[inner], whole.t1[inner])[0, 1] > 0.9


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"age_years": 12}, "age_years is 12; the curves cover 18-96"),
        ({"age_years": float("nan")}, "age_years is nan"),
        ({"sex": "x"}, "sex is 'x'; it must be 'F' or 'M'"),
        ({"spacing_mm": 0}, "spacing_mm is 0; it must be 0.8-6 mm"),
        ({"space": "talairach"}, "space is 'talairach'; it must be one of native, mni"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_refuses_what_it_cannot_make(options, text):
    with pytest.raises(ValueError, match=text.replace("'", "['\"]")):
        make_adult_brain(**{"seed": 1, **options})


def test_a_set_is_bids_with_volumes_and_a_record(tmp_path):
    a = write_adult_brain_set(tmp_path / "a", 3, 9, spacing_mm=4.0)
    lines = (a / "participants.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["participant_id", "age", "sex", "eTIV", "nWBV"]
    assert len(lines) == 4
    record = json.loads((a / "phantom.json").read_text())
    assert (record["seed"], record["n_subjects"], record["space"]) == (9, 3, "native")
    subject, _, _, tiv_ml, nwbv = lines[1].split("\t")
    labels = a / f"derivatives/labels/{subject}/anat/{subject}_dseg.nii.gz"
    counts = np.bincount(np.asarray(nibabel.load(labels).dataobj).ravel()) * 0.064
    assert counts[1:].sum() == pytest.approx(float(tiv_ml), abs=0.1)
    assert counts[2:].sum() / counts[1:].sum() == pytest.approx(float(nwbv), abs=1e-3)


@pytest.mark.slow
def test_a_volume_takes_less_than_a_second():
    make_adult_brain(0)  # the template is computed once
    times = []
    for seed in range(1, 4):
        start = time.process_time()
        make_adult_brain(seed)
        times.append(time.process_time() - start)
    assert min(times) < 1.0
