"""Individuals from an atlas: no fold in any warp, ages between the weeks, sizes that follow."""

import numpy as np
import pytest
from made_up_atlas import template, write_atlas
from made_up_scans import real_data

from fetal_phantoms.atlas_cohort import Template, make_individual
from fetal_phantoms.atlas_set import write_atlas_cohort
from fetal_phantoms.diffeomorphism import exponential, jacobian_determinant, random_velocity

WEEKS = (22, 26, 30)


@pytest.fixture(scope="module")
def templates():
    return [template(weeks) for weeks in WEEKS]


def volume_ml(one):
    return np.count_nonzero(one.labels) * abs(np.linalg.det(one.affine[:3, :3])) / 1000


@pytest.mark.parametrize("seed", range(6))
def test_a_strong_velocity_never_folds_space_where_a_displacement_of_its_size_does(seed):
    velocity = random_velocity(np.random.default_rng(seed), (32, 32, 32), 2.0, 8.0, 7.0)
    inner = (slice(3, -3),) * 3
    assert jacobian_determinant(velocity, 2.0)[inner].min() < 0
    assert jacobian_determinant(exponential(velocity, 2.0), 2.0)[inner].min() > 0


def test_the_way_back_is_the_opposite_velocity():
    """Forth and back again ends where it began, to a tenth of a voxel."""
    from scipy import ndimage

    velocity = random_velocity(np.random.default_rng(1), (20, 20, 20), 1.0, 4.0, 1.0)
    forth, back = exponential(velocity, 1.0), exponential(-velocity, 1.0)
    at = np.indices((20, 20, 20)) + forth
    there = forth + np.stack([ndimage.map_coordinates(part, at, order=1) for part in back])
    assert np.abs(there[:, 4:-4, 4:-4, 4:-4]).max() < 0.1


def test_individuals_are_of_the_age_asked_for_and_grow_with_it(templates):
    ages = [154.0, 168.0, 182.0, 196.0, 210.0]
    sizes = []
    for days in ages:
        made = [make_individual(templates, seed, days, 3.0) for seed in range(4)]
        assert all(one.ga_days == days and one.jacobian.min() > 0 for one in made)
        sizes.append(np.mean([volume_ml(one) for one in made]))
    assert sizes == sorted(sizes)
    known = [volume_ml(t) for t in templates]
    assert sizes[0] == pytest.approx(known[0], rel=0.12)
    assert sizes[-1] == pytest.approx(known[-1], rel=0.12)
    between = np.sqrt(known[0] * known[1])  # halfway, in proportion
    assert sizes[1] == pytest.approx(between, rel=0.12)


def test_labels_keep_their_numbers_and_lie_where_the_image_shows_them(templates):
    one = make_individual(templates, 5, 190.0, 3.0)
    assert set(np.unique(one.labels)) <= set(np.unique(templates[0].labels))
    assert (one.t2[one.labels == 0] == 0).all() and one.t2.shape == one.labels.shape
    fluid, deep = (np.median(one.t2[one.labels == k]) for k in (4, 6))
    assert fluid > 1.15 * deep
    share = [np.mean(labels[labels > 0] == 2) for labels in (one.labels, templates[1].labels)]
    assert share[0] == pytest.approx(share[1], abs=0.06)


def test_seeds_differ_and_repeat(templates):
    one, same, other = (make_individual(templates, seed, 190.0, 3.0) for seed in (1, 1, 2))
    assert np.array_equal(one.t2, same.t2)
    assert one.t2.shape != other.t2.shape or not np.allclose(one.t2, other.t2)
    drawn = [make_individual(templates, seed, None, 3.0).ga_days for seed in range(8)]
    assert min(drawn) >= 154 and max(drawn) <= 210 and np.std(drawn) > 5


def test_a_template_without_noise_and_warp_comes_back(templates):
    """The age of a template gives its own anatomy: labels overlap once size and turn are undone."""
    one = make_individual(templates, 4, 182.0, 3.0, warp=0.0)
    assert one.jacobian == pytest.approx(1)
    counts = [np.bincount(labels[labels > 0], minlength=10) for labels in (one.labels,)]
    target = np.bincount(templates[1].labels[templates[1].labels > 0], minlength=10)
    shares = counts[0] / counts[0].sum(), target / target.sum()
    assert np.abs(shares[0] - shares[1]).max() < 0.04


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"ga_days": 300.0}, "from 154 to 210 days"),
        ({"seed": -1}, "seed is -1"),
        ({"spacing_mm": 9.0}, "spacing_mm 9.0"),
        ({"warp": 9.0}, "warp 9.0"),
    ],
)
def test_what_cannot_be_made_is_refused(templates, arguments, text):
    with pytest.raises(ValueError, match=text):
        make_individual(templates, **({"seed": 0, "spacing_mm": 3.0} | arguments))


def test_no_templates_or_empty_ones_are_refused(templates):
    with pytest.raises(ValueError, match="none given"):
        make_individual([], 0)
    empty = Template(160.0, templates[0].image, np.zeros_like(templates[0].labels), np.eye(4))
    with pytest.raises(ValueError, match="no brain in the labels of 23 weeks"):
        make_individual([*templates, empty], 0)


def test_a_cohort_is_read_as_fetuses_with_ages_and_masks(templates, tmp_path):
    from fetal_lib.data.layouts.fetal_mri import iter_scans, read_cases

    folder = write_atlas_cohort(tmp_path / "cohort", templates, 3, seed=1, spacing_mm=3.0)
    cases = read_cases(folder)
    assert cases["group"].nunique() == 3 and cases["ga_days"].between(154, 210).all()
    for scan in iter_scans(cases):
        assert scan.mask.any() and scan.labels is None  # the atlas' own numbers are not FeTA's
        assert (scan.volume.data[~scan.mask] == 0).all()
    with pytest.raises(FileExistsError):
        write_atlas_cohort(folder, templates, 3, seed=1)
    again = write_atlas_cohort(tmp_path / "again", templates, 2, seed=1, spacing_mm=3.0)
    assert read_cases(again)["ga_days"].tolist() == cases["ga_days"].tolist()[:2]


def test_a_folder_of_templates_is_turned_into_a_cohort_by_the_chapter(
    templates, tmp_path, monkeypatch
):
    from fetal_book.chapters.gestational_age.data import cut_planes, find_data
    from fetal_book.parameters.gestational_age import GestationalAgeParameters
    from fetal_lib.data.layouts.fetal_mri import read_cases

    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    atlas = write_atlas(tmp_path / "atlas", templates)
    p = GestationalAgeParameters(
        data=str(atlas), n_phantoms=20, spacing_mm=3.0, image_size=32, n_slices=1
    )
    folder = find_data(p)
    assert folder != atlas and folder == find_data(p)
    brains = cut_planes(read_cases(folder), p)
    assert len(brains.fetuses()) == 20 and brains.fetuses()["brain_ml"].between(20, 400).all()
    assert find_data(p.model_copy(update={"data": str(folder)})) == folder


@pytest.mark.slow
def test_the_spina_bifida_atlas_makes_fetuses_without_folds():
    from fetal_book.chapters.gestational_age.data import is_atlas, read_templates

    folder = real_data("spina_bifida_atlas")
    assert is_atlas(folder)
    templates = read_templates(folder)
    assert len(templates) == 15
    for seed in range(3):
        one = make_individual(templates, seed, spacing_mm=2.0)
        assert one.jacobian.min() > 0 and 147 <= one.ga_days <= 238
        assert 30 < volume_ml(one) < 400
