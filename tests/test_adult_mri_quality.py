"""The quality check passes good scans, and names what is wrong with planted and real bad ones."""

import numpy as np
import pytest
from made_up_scans import real_data
from scipy import ndimage

from fetal_lib.data.adult_mri_quality import quality_check, quality_measures
from fetal_lib.data.layouts.adult_mri import iter_scans, read_cases
from fetal_lib.readers.volume import Volume
from fetal_phantoms.adult_brain.brain import make_adult_brain

SPACING = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def brain():
    return make_adult_brain(1, 60, "M", space="mni")


def checked(t1, affine):
    return " | ".join(quality_check(Volume(np.asarray(t1, np.float32), affine, SPACING)))


@pytest.mark.slow
def test_good_scans_pass_at_any_age_and_spacing():
    for seed, age, spacing_mm in ((2, 20, 2.0), (3, 55, 3.0), (4, 90, 2.0)):
        phantom = make_adult_brain(seed, age, spacing_mm=spacing_mm, space="mni")
        assert checked(phantom.t1, phantom.affine) == ""


def test_brightness_does_not_matter(brain):
    assert checked(brain.t1 * 0.001, brain.affine) == checked(brain.t1 * 50, brain.affine) == ""


def test_a_missing_piece_is_found_where_it_is(brain):
    cut = brain.t1.copy()
    cut[15:27, 40:55, 25:37] = 0  # 12 x 15 x 12 voxels in a temporal lobe: 17 mL
    text = checked(cut, brain.affine)
    assert "in one piece are empty where the template has brain" in text
    at = quality_measures(Volume(cut, brain.affine, SPACING)).missing_at_mm
    assert np.abs(np.array(at) - [-49, -32, -11]).max() < 10


def test_a_brain_cut_off_below_is_found(brain):
    cut = brain.t1.copy()
    cut[:, :, :20] = 0
    assert "are empty where the template has brain" in checked(cut, brain.affine)


def test_tissue_left_outside_is_found(brain):
    more = brain.t1.copy()
    more[35:56, 60:80, 0:16] = 0.8 * np.percentile(more[more > 0], 90)
    assert "mL of tissue in one piece lie outside the brain" in checked(more, brain.affine)


def test_a_skull_is_named_as_such():
    phantom = make_adult_brain(1, 60, "M", space="mni", with_skull=True)
    assert "the skull is not stripped" in checked(phantom.t1, phantom.affine)


def test_a_shifted_turned_or_unscaled_head_is_found(brain):
    shifted = brain.affine.copy()
    shifted[:3, 3] += [0, 15, 0]
    assert "mm from the template's (limit 8)" in checked(brain.t1, shifted)
    measured = quality_measures(Volume(brain.t1, shifted, SPACING)).shift_mm
    assert measured == pytest.approx(15, abs=2)
    turned = ndimage.rotate(brain.t1, 30, axes=(1, 2), reshape=False, order=1)
    assert checked(turned, brain.affine)
    small = brain.affine.copy()
    small[:3] *= 0.85
    assert "the brain takes" in checked(brain.t1, small)


def test_no_signal_is_a_reason(brain):
    assert checked(np.zeros_like(brain.t1), brain.affine) == "no signal"
    broken = brain.t1.copy()
    broken[40, 50, 40] = np.nan
    assert checked(broken, brain.affine) == "some voxels are not finite"


@pytest.mark.slow
def test_real_scans_that_are_bad_are_found_and_few_others():
    """Looked at: cerebellum absent (10250), cut below (10076), occipital gap (10212), neck left
    in (10326); the first six of the folder are sound."""
    folder = real_data("oasis1")
    table = read_cases(folder).rows
    bad = {f"sub-OAS{number}": word for number, word in (
        (10250, "empty"), (10076, "empty"), (10212, "empty"), (10326, "outside")
    )}  # fmt: skip
    chosen = table[table["subject"].isin(bad) | (table.index < 6)]
    for scan in iter_scans(chosen):
        text = " | ".join(quality_check(scan.volume))
        assert (bad[scan.subject] in text) if scan.subject in bad else text == ""
