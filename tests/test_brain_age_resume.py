"""Long trainings of the published networks of chapter 05 go on exactly where they were cut."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from made_up_fits import cut_after  # noqa: E402

from fetal_book.chapters.brain_age.networks import fit_settings, new_network  # noqa: E402
from fetal_book.chapters.brain_age.segmenter import N_CLASSES, new_segmenter  # noqa: E402
from fetal_book.parameters.chapters import get_chapter  # noqa: E402
from fetal_book.parameters.resolve import resolve_parameters  # noqa: E402
from fetal_lib.training.history import read_history  # noqa: E402
from fetal_lib.training.torch_arrays import Arrays, of_output  # noqa: E402
from fetal_lib.training.torch_fit import fit_torch  # noqa: E402
from fetal_lib.training.volume_augment import shift_augment  # noqa: E402

NARROW = {"resnext_width": 8, "resnext_cardinality": 4, "sfcn_width": 2, "segmentation_width": 2}


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quick", "full"])
@pytest.mark.parametrize("name", ["resnext", "sfcn", "segmenter"])
def test_a_cut_training_of_a_published_network_ends_with_the_very_same_weights(
    profile, name, tmp_path
):
    p = published(profile)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 1, 32, 32, 32)).astype(np.float32)
    if name == "segmenter":
        y, loss = rng.integers(0, N_CLASSES, x.shape[:1] + x.shape[2:]), "cross_entropy"
        settings, augment = fit_settings("sfcn", p), None
    else:
        y, loss = rng.normal(size=(6, 1)).astype(np.float32), "mse_loss"
        settings, augment = fit_settings(name, p), shift_augment()
    task = Arrays(x, y, settings, of_output(getattr(torch.nn.functional, loss)), augment=augment)

    def network():
        return new_segmenter(p) if name == "segmenter" else new_network(name, p)

    whole, torn = network(), network()
    fit_torch(tmp_path / "whole", whole, task)
    with cut_after(1) as stop:
        fit_torch(tmp_path / "torn", network(), task, stop)
    assert len(read_history(tmp_path / "torn")) == 1
    fit_torch(tmp_path / "torn", torn, task)
    for one, other in zip(whole.state_dict().values(), torn.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def published(profile):
    """Return a profile's parameters of three epochs, its networks as deep but narrow."""
    given = NARROW | {"resnext_epochs": 3, "sfcn_epochs": 3, "age_side": 32, "age_batch": 2}
    return resolve_parameters(get_chapter("05"), profile, given).parameters
