"""Maps of PyTorch networks: right on networks whose answer is known, empty when nothing counts."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fetal_lib.explain.grad_cam_torch import grad_cam, occlusion_volume  # noqa: E402


class Corner(torch.nn.Module):
    """Its answer is the mean brightness; features are the image and its negative."""

    def __init__(self, weight=(1.0, 0.0), dim=3):
        super().__init__()
        conv = (torch.nn.Conv2d, torch.nn.Conv3d)[dim - 2]
        self.features = conv(1, 2, 1, bias=False)
        self.pool = (torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d)[dim - 2](1)
        self.head = torch.nn.Linear(2, 1)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, *[1] * dim))
            self.head.weight.copy_(torch.tensor([weight]))

    def forward(self, x):
        return self.head(self.pool(self.features(x)).flatten(1))


def blob(dim=3):
    image = np.zeros((1, *[8] * dim), np.float32)
    image[(0, *[slice(2, 4)] * dim)] = 3.0
    return image


@pytest.mark.parametrize("dim", [2, 3])
def test_the_map_of_a_mean_is_the_image_divided_by_its_size(dim):
    network = Corner(dim=dim)
    image = blob(dim)
    found = grad_cam(network, network.features, image)
    np.testing.assert_allclose(found, image[0] / 8**dim, atol=1e-7)


def test_what_lowers_the_answer_is_cut_off_unless_signs_are_asked_for():
    network = Corner(weight=(-1.0, 0.0))
    assert not grad_cam(network, network.features, blob()).any()
    assert grad_cam(network, network.features, blob(), signed=True).min() < 0


def test_a_layer_that_the_next_one_writes_over_is_shown_as_it_was():
    found = []
    for inplace in (False, True):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3, padding=1),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(inplace=inplace),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 1),
        )
        found.append(grad_cam(network, network[1], blob(2), signed=True))
    np.testing.assert_array_equal(*found)
    assert found[0].any()


def test_a_network_that_looks_at_nothing_has_an_empty_map():
    network = Corner(weight=(0.0, 0.0))
    assert not grad_cam(network, network.features, blob()).any()


def test_the_mode_is_put_back_and_no_hook_or_gradient_stays():
    network = Corner().train()
    grad_cam(network, network.features, blob())
    assert network.training and not network.features._forward_hooks
    assert all(p.grad is None for p in network.parameters())


def test_a_layer_without_space_or_out_of_use_is_refused_with_the_fix():
    network = Corner()
    with pytest.raises(ValueError, match="last convolution"):
        grad_cam(network, network.head, blob())
    with pytest.raises(ValueError, match="nothing"):
        grad_cam(network, torch.nn.Linear(1, 1), blob())


def test_occlusion_finds_the_place_that_counts_and_keeps_signs_when_asked():
    image = blob()
    measure = lambda x: x[:, 0, 2:4, 2:4, 2:4].sum(axis=(1, 2, 3))  # noqa: E731
    found = occlusion_volume(image, measure, patch=2, stride=2)
    assert found[2, 2, 2] == 24 and found[6:].max() == 0
    assert occlusion_volume(image, measure, 2, 2, absolute=False).min() == -24


def test_occlusion_asks_only_where_it_may():
    asked = []

    def measure(x):
        asked.append(len(x))
        return x.sum(axis=(1, 2, 3, 4))

    where = np.zeros((8, 8, 8), bool)
    where[:2, :2, :2] = True
    occlusion_volume(blob(), measure, patch=2, stride=2, where=where)
    assert asked == [1, 1]
