"""The volumes' networks: published counts, shapes, gradients everywhere, and one batch learnt."""

import pytest

torch = pytest.importorskip("torch")

from fetal_lib.models.res_next_3d import get_res_next_3d  # noqa: E402
from fetal_lib.models.res_unet_3d import check_volume_size, get_res_unet_3d  # noqa: E402
from fetal_lib.models.sfcn_3d import get_sfcn_3d  # noqa: E402


def count(network):
    return sum(p.numel() for p in network.parameters())


def volume(side=16, n=2):
    torch.manual_seed(1)
    return torch.randn(n, 1, side, side, side)


NARROW = {
    "res_unet, as coded": lambda: get_res_unet_3d(width=4),
    "res_unet, as described": lambda: get_res_unet_3d(width=4, pooling=(2, 2, 2)),
    "res_next": lambda: get_res_next_3d(8, 4, (1, 1, 1, 1)),
    "sfcn": lambda: get_sfcn_3d(4, 3, dropout=0.0),
}


def test_the_published_counts():
    assert count(get_res_unet_3d()) == 24_322_148
    assert count(get_res_next_3d()) == 25_870_465


def test_the_count_of_sfcn_by_its_layers():
    widths = [1, 32, 64, 128, 256, 256]
    blocks = sum(27 * a * b + b + 2 * b for a, b in zip(widths, widths[1:], strict=False))
    assert count(get_sfcn_3d()) == blocks + (256 * 64 + 64 + 2 * 64) + (64 + 1)


@pytest.mark.parametrize("pooling", [(1, 2, 2), (2, 2, 2)])
def test_the_segmenter_keeps_the_grid(pooling):
    network = get_res_unet_3d(width=2, pooling=pooling).eval()
    depth = 5 if pooling[0] == 1 else 16
    assert network(torch.zeros(1, 1, depth, 16, 32)).shape == (1, 4, depth, 16, 32)


def test_the_projection_is_added_after_the_last_relu():
    """So features below zero come out of a block, which a ReLU after the sum would forbid."""
    block = get_res_unet_3d(width=2).down[0].eval()
    assert block(volume()).min() < 0


@pytest.mark.slow
def test_the_stages_of_the_published_res_next_on_64_voxels():
    network = get_res_next_3d(16, 8).eval()  # an eighth of the width, the same strides
    with torch.no_grad():
        x = network.stem(torch.zeros(1, 1, 64, 64, 64))
        shapes = [tuple(x.shape[1:])]
        for stage in network.stages:
            x = stage(x)
            if tuple(x.shape[1:]) != shapes[-1]:
                shapes.append(tuple(x.shape[1:]))
    spaces = [(64, 32, 32), (64, 32, 32), (32, 16, 16), (16, 8, 8), (8, 4, 4)]
    assert shapes == [(c, *s) for c, s in zip((16, 32, 64, 128, 256), spaces, strict=True)]


@pytest.mark.parametrize("name", NARROW)
def test_a_gradient_reaches_every_parameter(name):
    network = NARROW[name]()
    network(volume()).square().sum().backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # Behind batch normalisation a convolution's bias has no effect, and so no gradient.
    assert all(n.endswith("bias") for n in dead), dead


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_one_batch_is_learnt(name):
    torch.manual_seed(0)
    network, x = NARROW[name](), volume()
    if "unet" in name:
        target = (x[:, 0] > 0).long() + 2 * (x[:, 0] > 1).long()
        loss = lambda out: torch.nn.functional.cross_entropy(out, target)  # noqa: E731
    else:
        target = torch.tensor([[0.0], [1.0]])
        loss = lambda out: torch.nn.functional.mse_loss(out, target)  # noqa: E731
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    first = None
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(network(x))
        first = first if first is not None else value.item()
        value.backward()
        optimizer.step()
    assert value.item() < 0.2 * first


def test_a_volume_that_cannot_be_pooled_is_refused_with_the_nearest_size():
    with pytest.raises(ValueError, match="W=60.*nearest is 64"):
        get_res_unet_3d(width=2)(torch.zeros(1, 1, 4, 16, 60))
    with pytest.raises(ValueError, match="D=47.*nearest is 48"):
        check_volume_size((47, 64, 64), (2, 2, 2))
    with pytest.raises(ValueError, match="16 voxels or more"):
        get_sfcn_3d(2, 4)(torch.zeros(1, 1, 8, 8, 8))


def test_settings_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="multiple of cardinality"):
        get_res_next_3d(20, 32)
    with pytest.raises(ValueError, match="pooling"):
        get_res_unet_3d(pooling=(2, 1, 2))
    with pytest.raises(ValueError, match="n_blocks"):
        get_sfcn_3d(n_blocks=7)
