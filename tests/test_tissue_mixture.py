"""The reference segmentation against phantoms, which have a truth, and against closed forms."""

import numpy as np
import pytest

from fetal_lib.baselines.mni_space import brain_mask, template_on
from fetal_lib.baselines.tissue_mixture import even_out, segment_tissues, tissue_shares
from fetal_lib.metrics.segmentation import dice
from fetal_phantoms.adult_brain.brain import make_adult_brain

TISSUES = (1, 2, 3)


@pytest.fixture(scope="module")
def phantoms():
    return [make_adult_brain(s, age_years=a, space="mni") for s, a in ((1, 24), (2, 50), (3, 78))]


@pytest.fixture(scope="module")
def found(phantoms):
    return [segment_tissues(p.t1, p.affine) for p in phantoms]


@pytest.mark.slow
def test_it_agrees_with_the_truth_of_phantoms(phantoms, found):
    scores = np.array(
        [
            [dice(p.labels == k, f.labels == k) for k in TISSUES]
            for p, f in zip(phantoms, found, strict=True)
        ]
    )
    assert (scores.mean(axis=0) > (0.84, 0.89, 0.92)).all(), scores.round(3)


@pytest.mark.slow
def test_volumes_rank_people_as_the_truth_does(phantoms, found):
    true = [(p.labels == 1).sum() / (p.labels > 0).sum() for p in phantoms]
    told = [(f.labels == 1).sum() / (f.labels > 0).sum() for f in found]
    assert np.array_equal(np.argsort(true), np.argsort(told))


@pytest.mark.slow
def test_an_uneven_brightness_changes_little(phantoms, found):
    phantom, plain = phantoms[1], found[1]
    x = np.linspace(-1, 1, phantom.t1.shape[0])[:, None, None]
    uneven = segment_tissues(phantom.t1 * np.exp(0.2 * x), phantom.affine)
    same = (uneven.labels == plain.labels)[plain.labels > 0].mean()
    without = segment_tissues(phantom.t1 * np.exp(0.2 * x), phantom.affine, bias_degree=0)
    assert same > 0.97 > (without.labels == plain.labels)[plain.labels > 0].mean()


def test_a_brightness_is_a_polynomial_of_the_place():
    rng = np.random.default_rng(0)
    t1, mask = rng.uniform(1, 2, (5, 6, 7)), rng.random((5, 6, 7)) > 0.4
    weights = np.concatenate([[2.0], rng.uniform(-0.1, 0.1, 9)])  # of degree 2
    powers = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 2, 0)]
    powers += [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0)]
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in t1.shape), indexing="ij"))
    field = sum(
        w * (grid ** np.reshape(p, (3, 1, 1, 1))).prod(axis=0)
        for w, p in zip(weights, powers, strict=True)
    )
    np.testing.assert_allclose(even_out(t1, mask, weights), np.where(mask, t1 / field, 0), 1e-6)


@pytest.mark.slow
def test_gain_changes_nothing_and_the_brightness_can_be_applied_again(phantoms, found):
    phantom, plain = phantoms[0], found[0]
    louder = segment_tissues(7 * phantom.t1, phantom.affine)
    assert (louder.labels == plain.labels).mean() > 0.9999
    mask = brain_mask(phantom.t1, phantom.affine)
    np.testing.assert_allclose(even_out(phantom.t1, mask, plain.brightness), plain.corrected)
    assert plain.means[2] == pytest.approx(1) and (np.diff(plain.means) > 0).all()


@pytest.mark.slow
def test_shares_sum_to_one_inside_and_are_nothing_outside(found):
    for f in found:
        total = f.shares.sum(axis=0)
        np.testing.assert_allclose(total[total > 0], 1, atol=1e-5)
        assert dice(total > 0, f.labels > 0) > 0.97


def test_priors_are_probabilities_in_the_right_places():
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-90, -126, -72)
    priors, brain, *_ = template_on((46, 55, 46), affine)
    np.testing.assert_allclose(priors[:, brain].sum(axis=0), 1, atol=1e-3)

    def at(*mm):
        return priors[(slice(None), *(np.linalg.inv(affine) @ [*mm, 1])[:3].round().astype(int))]

    assert at(-28, -20, 30).argmax() == 2  # the corona radiata is white
    assert at(-25, 2, 2).argmax() == 1  # the putamen is gray
    assert not brain[0, 0, 0] and brain[23, 27, 23]


def test_shares_between_two_means_are_linear():
    shares = tissue_shares(np.array([0.0, 0.3, 0.5, 0.75, 2.0]), np.array([0.1, 0.5, 1.0]))
    np.testing.assert_allclose(shares[:, 1], [0.5, 0.5, 0])
    np.testing.assert_allclose(shares[:, 3], [0, 0.5, 0.5])
    np.testing.assert_allclose(shares.sum(axis=0), 1)


def test_what_is_no_brain_is_refused():
    with pytest.raises(ValueError, match="one 3D scan"):
        segment_tissues(np.zeros((4, 4)), np.eye(4))
    with pytest.raises(ValueError, match="at least 2000"):
        segment_tissues(np.zeros((40, 40, 40)), np.eye(4))
