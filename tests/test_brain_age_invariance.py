"""The shipped brain-age model: whatever the file's numbers look like, the age is the same."""

import numpy as np
import pytest
from made_up_scans import real_data
from scipy import ndimage

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("SimpleITK")

from fetal_lib.predict.age_model import load_age_model  # noqa: E402
from fetal_lib.predict.brain_age import read_age  # noqa: E402
from fetal_lib.predict.model_folder import PRETRAINED  # noqa: E402
from fetal_lib.predict.self_test import read_sample, self_test  # noqa: E402
from fetal_phantoms.adult_brain.brain import make_adult_brain  # noqa: E402

HOME = PRETRAINED / "brain_age"
SUBJECTS = ("sub-OAS10005", "sub-OAS10074", "sub-OAS10338", "sub-OAS10381")


def bright(values):
    """The brightest per mille."""
    return values >= np.percentile(values[values > 0], 99.9)


def halo(values, level):
    """Tiny positive values around the brain, as splines leave them."""
    near = ndimage.gaussian_filter((values > 0).astype(np.float32), 1.5)
    return np.where(values > 0, values, level * values.max() * near)


def noise(values):
    return np.random.default_rng(0).random(values.shape, np.float32) * values.max() / 200


VARIANTS = {  # name: what becomes of the values (of 0 to 255), header's slope, years it may cost
    "linear": (lambda v: 0.0123 * v, None, 0.3),
    "offset": (lambda v: 3.7 * v + 40, None, 0.3),
    "8 bits": (lambda v: np.rint(v).astype(np.uint8), None, 0.3),
    "16 bits": (lambda v: np.rint(100 * v).astype(np.int16), None, 0.3),
    "slope": (lambda v: np.rint(v).astype(np.int16), 0.05, 0.3),
    "clipped": (lambda v: np.minimum(v, np.percentile(v[v > 0], 99.8)), None, 0.3),
    "bright tail": (lambda v: np.where(bright(v), 2.5 * v, v), None, 0.3),
    "halo": (lambda v: halo(v, 0.02), None, 0.3),
    "noise around": (lambda v: np.where(v > 0, v, noise(v)), None, 0.3),
    "gamma 0.8": (lambda v: (v / 255) ** 0.8, None, 2.0),
    "gamma 1.25": (lambda v: (v / 255) ** 1.25, None, 2.5),
}


@pytest.fixture(scope="module")
def model():
    return load_age_model()


@pytest.fixture(scope="module", params=["phantom", *SUBJECTS])
def scan(request, model, tmp_path_factory):
    """Return values of 0 to 255, affine, and the age that is told from them as float32."""
    if request.param == "phantom":
        brain = make_adult_brain(5, age_years=60, spacing_mm=3.0, space="mni")
        values, affine = 255 * brain.t1 / brain.t1.max(), brain.affine
    else:
        folder = real_data("oasis1") / request.param / "anat"
        image = nibabel.load(folder / f"{request.param}_T1w.nii.gz")
        values, affine = np.asarray(image.dataobj), image.affine
    values = np.asarray(values, np.float32)
    return values, affine, tell(values, affine, model, tmp_path_factory.mktemp("scan"))


def tell(values, affine, model, folder, slope=None):
    image = nibabel.Nifti1Image(values, affine)
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nibabel.save(image, folder / "one_T1w.nii.gz")
    reading = read_age(folder / "one_T1w.nii.gz", model)
    assert reading.reason == ""
    return reading.age_years


@pytest.mark.parametrize("name", VARIANTS)
def test_the_age_does_not_depend_on_how_the_numbers_were_stored(
    scan, model, name, tmp_path, request
):
    if name == "bright tail" and "phantom" in request.node.name:
        pytest.skip("its voxels are spread over several each when 3 mm become 2 mm")
    values, affine, age = scan
    change, slope, most = VARIANTS[name]
    told = tell(change(values), affine, model, tmp_path, slope)
    assert told == pytest.approx(age, abs=most)


def test_the_model_is_small_and_passes_its_own_test(model):
    assert sum(path.stat().st_size for path in HOME.rglob("*") if path.is_file()) <= 3_000_000
    assert "passed" in self_test(HOME, lambda path: read_age(path, model).age_years)
    assert "phantom" in read_sample(HOME)[1].source


@pytest.mark.slow
def test_a_turned_shifted_scan_of_other_voxels_is_registered_and_told_alike(scan, model, tmp_path):
    values, affine, age = scan
    turn = np.eye(4)
    turn[:3, :3] = np.array([[0.98, -0.17, 0.05], [0.17, 0.98, -0.1], [-0.03, 0.11, 0.99]])
    turn[:3, 3] = (12, -18, 9)
    finer = ndimage.zoom(values, 1.25, order=1)
    spacing = np.diag([*(np.array(values.shape) - 1) / (np.array(finer.shape) - 1), 1.0])
    image = nibabel.Nifti1Image(finer, turn @ affine @ spacing)
    nibabel.save(image, tmp_path / "one_T1w.nii.gz")
    reading = read_age(tmp_path / "one_T1w.nii.gz", model)
    assert reading.reason == "" and reading.registered
    assert reading.age_years == pytest.approx(age, abs=8)


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["sub-OAS10001", "sub-OAS10013", "sub-OAS10317"])
def test_a_shrunken_brain_that_was_turned_is_registered_and_told(subject, model, tmp_path):
    image = nibabel.load(real_data("oasis1") / subject / "anat" / f"{subject}_T1w.nii.gz")
    values, affine = np.asarray(image.dataobj, np.float32), image.affine
    age = tell(values, affine, model, tmp_path)
    turn = np.eye(4)
    turn[:3, :3] = np.array([[0.98, -0.17, 0.05], [0.17, 0.98, -0.1], [-0.03, 0.11, 0.99]])
    nibabel.save(nibabel.Nifti1Image(values, turn @ affine), tmp_path / "turned_T1w.nii.gz")
    reading = read_age(tmp_path / "turned_T1w.nii.gz", model)
    assert reading.reason == "" and reading.registered
    assert reading.age_years == pytest.approx(age, abs=8)
