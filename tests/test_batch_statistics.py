"""Statistics of batch normalisation behind dropout: those of use are not those of training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from fetal_lib.training.batch_statistics import (  # noqa: E402
    drops_before_normalising,
    recount_statistics,
)


def chain(dropout: float) -> nn.Sequential:
    """Return three stages of convolution, dropout and normalisation, as a condition network has."""
    torch.manual_seed(0)
    stages = []
    for n_in, n_out in ((1, 8), (8, 8), (8, 8)):
        stages += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.Dropout2d(dropout)]
        stages += [nn.BatchNorm2d(n_out), nn.LeakyReLU(0.01)]
    return nn.Sequential(*stages)


def images(n: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 16, 16), dtype=np.uint8)


def test_counted_anew_they_are_those_without_dropout_and_no_weight_changes():
    network, x = chain(0.5), torch.from_numpy(images()).float()[:, None] / 255
    network.train()
    for _ in range(60):
        network(x)
    weights = {name: value.clone() for name, value in network.named_parameters()}
    shown = network.eval()(x)
    recount_statistics(network, images(), batch_size=24)
    first, last = network[2], network[10]
    with torch.no_grad():
        seen = network[0](x)
        spread = network(x).var((0, 2, 3))
    torch.testing.assert_close(first.running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(first.running_var, seen.var((0, 2, 3)))
    assert all(torch.equal(value, weights[name]) for name, value in network.named_parameters())
    assert not network.training and first.momentum == last.momentum == 0.1
    # what left the last normalisation too flat has the spread that it was trained for
    assert shown.var((0, 2, 3)).mean() < 0.75 * spread.mean()


def test_batches_are_scaled_and_one_image_is_left_out():
    network, sizes = chain(0.5), []

    def look(_: nn.Module, given: tuple[torch.Tensor]) -> None:
        (batch,) = given
        sizes.append(len(batch))
        assert batch.shape[1:] == (1, 16, 16) and 0 <= batch.min() and batch.max() <= 1

    network.register_forward_pre_hook(look)
    recount_statistics(network, images(9), batch_size=4)
    assert sizes == [4, 4]
    assert drops_before_normalising(network) and not drops_before_normalising(chain(0.0))


def test_the_released_network_of_a_source_has_both_and_its_narrow_twin_has_not():
    from fetal_lib.models.condition_unet import ConditionUNet

    assert drops_before_normalising(ConditionUNet(1, 1, 0.25, 0.5))
    assert not drops_before_normalising(ConditionUNet(1, 1, 0.25, 0.0))
