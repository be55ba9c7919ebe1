"""The page's tabs for MRI: an age with interval and picture, or the reason why there is none."""

import re

import numpy as np
import pytest

keras = pytest.importorskip("keras")
nibabel = pytest.importorskip("nibabel")

from fetal_lib.app import brain_age, gestational_age  # noqa: E402
from fetal_lib.app.shelf import Choice, Loaded  # noqa: E402
from fetal_lib.app.uploads import Upload, UploadError  # noqa: E402
from fetal_lib.models.vgg16_attention import PLANES  # noqa: E402
from fetal_lib.phantoms.adult_brain import make_adult_brain  # noqa: E402
from fetal_lib.phantoms.fetal_brain import make_fetal_brain  # noqa: E402
from fetal_lib.predict.age_model import AgeModel, AgeModelSpec  # noqa: E402
from fetal_lib.predict.gestational_age_model import (  # noqa: E402
    GaModel,
    GaModelSpec,
    reference_pictures,
)
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan  # noqa: E402
from fetal_lib.readers.volume_grid import Volume  # noqa: E402
from fetal_lib.sets.fetal_mri import FetalScan  # noqa: E402

pytestmark = pytest.mark.slow
SIDE = 32


class OneModel:
    """A shelf with one model."""

    def __init__(self, model, folder):
        choice = Choice("runs/mine", folder, "phantom", "phantoms", "quick", card="# Card")
        self.loaded = Loaded(model, choice)

    def get(self, task, label=None):
        return self.loaded


@pytest.fixture(scope="module")
def fetus():
    return make_fetal_brain(40, ga_days=200, spacing_mm=3.0)


@pytest.fixture(scope="module")
def fetal_model(fetus):
    """A network that answers 205 days to all that looks like one fetus."""
    volume = Volume(fetus.t2, fetus.affine, (3.0,) * 3)
    scan = FetalScan("s", 200.0, "volume", volume, fetus.labels, fetus.labels > 0, {})
    cut = cut_scan(scan, 2, SIDE, True)
    pictures = reference_pictures(as_pictures(cut), np.array(["s", "s"]), np.full(2, 200.0))
    shape = {"image_size": SIDE, "n_slices": 2, "size_normalised": True, "planes": PLANES}
    shape |= {"backbone": "vgg16", "width": 0.0625, "batch_norm": True, "n_pools": 3}
    limits = {"half_width_days": 9.0, "interval_coverage": 0.9, "ga_range_days": (140.0, 266.0)}
    limits |= {"brain_ml_range": (0.8 * cut.brain_ml, 1.2 * cut.brain_ml), "min_likeness": 0.2}
    spec = GaModelSpec(**shape, **limits, hidden=8, dropout=0.0, centres=(205.0,), scales=(40.0,))
    network = spec.build()
    kernel, bias = network.get_layer("age").get_weights()
    network.get_layer("age").set_weights([0 * kernel, 0 * bias])
    return GaModel([network], spec, pictures)


def upload(folder, name, data, affine):
    """Write a volume under a name that says nothing, as an upload."""
    place = folder / f"{name}.nii"
    nibabel.save(nibabel.Nifti1Image(np.asarray(data, np.float32), affine), place)
    return Upload(place.rename(folder / f"upload-{name}"), f"{name}.nii")


def test_a_fetal_brain_gets_weeks_days_interval_and_what_was_looked_at(
    tmp_path, fetus, fetal_model
):
    file = upload(tmp_path, "fetus", fetus.t2, fetus.affine)
    html = gestational_age.tell_files([file], OneModel(fetal_model, tmp_path))
    assert "29+2 weeks" in html and "196.0 to 214.0 days, 90% interval" in html
    assert 'data-picture="overlay"' in html and "runs/mine" in html
    assert file.path.is_file()  # it goes with the request, not before


def test_a_mask_belongs_to_the_volume_that_it_is_named_after(tmp_path, fetus, fetal_model):
    rng = np.random.default_rng(0)
    unmasked = fetus.t2 + np.where(fetus.labels > 0, 0, 20 + rng.random(fetus.t2.shape))
    volume = upload(tmp_path, "fetus", unmasked, fetus.affine)
    mask = upload(tmp_path, "fetus_mask", fetus.labels > 0, fetus.affine)
    alone = gestational_age.tell_files([volume], OneModel(fetal_model, tmp_path))
    both = gestational_age.tell_files([volume, mask], OneModel(fetal_model, tmp_path))
    assert "I don’t know" in alone and "29+2 weeks" in both


def test_what_is_no_fetal_brain_is_not_told_and_no_path_is_shown(tmp_path, fetus, fetal_model):
    shelf = OneModel(fetal_model, tmp_path)
    noise = np.where(fetus.labels > 0, np.random.default_rng(0).random(fetus.t2.shape), 0)
    html = gestational_age.tell_files([upload(tmp_path, "noise", noise, fetus.affine)], shelf)
    assert "I don’t know" in html and "does not look like a fetal brain" in html
    (tmp_path / "letter").write_bytes(b"no gzip")
    broken = gestational_age.tell_files([Upload(tmp_path / "letter", "a.nii.gz")], shelf)
    assert "I don’t know" in broken and "a.nii.gz" in broken and "/tmp" not in broken
    with pytest.raises(UploadError, match="no .nii or .nii.gz file") as error:
        gestational_age.tell_files([Upload(tmp_path / "letter", "letter.txt")], shelf)
    assert "/tmp" not in str(error.value)
    with pytest.raises(UploadError, match="two files have this name"):
        gestational_age.tell_files([Upload(tmp_path / "letter", "a.nii")] * 2, shelf)


def adult_model():
    """Tell 30 years plus 100 times the share of CSF, averaged with 50."""
    norm = (0.1, 0.002, 0.0, 0.02)
    spec = AgeModelSpec(
        1.0, 0.5, 50.0, 7.0, 0.9, (18.0, 95.0), dict.fromkeys(("csf", "gray", "white"), norm)
    )
    powers = np.array([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]])
    weights = np.array([-100.0, -100.0])
    return AgeModel(
        spec, np.zeros((3, 45, 54, 45)), np.zeros(5), np.ones(5), powers, weights, 130.0
    )


def test_an_adult_brain_gets_years_volumes_and_centiles_for_a_known_age(tmp_path):
    brain = make_adult_brain(5, age_years=60, space="mni")
    file, shelf = upload(tmp_path, "t1", brain.t1, brain.affine), OneModel(adult_model(), tmp_path)
    html = brain_age.tell_files([file], "60", shelf)
    years = float(re.search(r'fl-value">([\d.]+) years', html)[1])
    assert f"{years - 7:.1f} to {years + 7:.1f} years, 90% interval" in html
    assert html.count("centile") == 3 and 'data-picture="overlay"' in html
    assert "centile" not in brain_age.tell_files([file], "", shelf)


def test_a_head_with_its_skull_is_told_what_to_do(tmp_path):
    brain = make_adult_brain(6, age_years=50, with_skull=True)
    file, shelf = upload(tmp_path, "t1", brain.t1, brain.affine), OneModel(adult_model(), tmp_path)
    html = brain_age.tell_files([file], "", shelf)
    assert "I don’t know" in html and "strip the skull" in html
