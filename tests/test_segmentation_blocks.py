"""What single blocks of the segmentation networks must do, against other libraries and by hand."""

import pytest

torch = pytest.importorskip("torch")

from plain_networks import plain_duck_of  # noqa: E402

from fetal_lib.models.attention_unet import AttentionGate, get_attention_unet  # noqa: E402
from fetal_lib.models.duck_net import DuckBlock, conv  # noqa: E402
from fetal_lib.models.image_batch import nearest_legal_side, scaled  # noqa: E402
from fetal_lib.models.res_net_v2 import ResNetV2, StandardConv2d  # noqa: E402
from fetal_lib.models.segmentation_networks import count_parameters  # noqa: E402
from fetal_lib.models.unext import ShiftedMlp, shift  # noqa: E402
from fetal_lib.models.vision_transformer import SelfAttention  # noqa: E402


def count(module):
    return count_parameters(module, statistics=True)


def test_the_gate_gives_what_monai_s_gives_with_the_same_weights():
    attentionunet = pytest.importorskip("monai.networks.nets.attentionunet")
    torch.manual_seed(0)
    ours = AttentionGate(n_signal=12, n_skip=12, n_inner=6).eval()
    theirs = attentionunet.AttentionBlock(spatial_dims=2, f_int=6, f_g=12, f_l=12).eval()
    state = list(ours.state_dict().values())
    assert [v.shape for v in state] == [v.shape for v in theirs.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), state, strict=True)))
    signal, skip = torch.randn(2, 12, 9, 7), torch.randn(2, 12, 9, 7)
    torch.testing.assert_close(ours(signal, skip)[0], theirs(signal, skip))


def test_gates_come_back_finest_first_and_lie_between_0_and_1():
    network = get_attention_unet(1, 1, 0.0625).eval()
    image = torch.rand(2, 1, 32, 48)
    logits, gates = network.forward_with_gates(image)
    assert torch.equal(logits, network(image))
    assert [tuple(g.shape) for g in gates] == [(2, 1, 32 >> k, 48 >> k) for k in range(4)]
    assert all(0 < g.min() and g.max() < 1 for g in gates)


def test_the_plain_twin_has_no_gates():
    network = get_attention_unet(1, 1, 0.0625, gated=False)
    assert network.forward_with_gates(torch.rand(2, 1, 32, 32))[1] == []


@pytest.mark.parametrize(("n_in", "n_out", "n"), [(3, 17, 38_772), (34, 34, 202_198)])
def test_a_duck_block_has_the_published_count(n_in, n_out, n):
    assert count(DuckBlock(n_in, n_out)) == n


@pytest.mark.parametrize("training", [True, False])
def test_a_duck_block_gives_what_its_branches_give_one_after_another(training):
    torch.manual_seed(0)
    block = DuckBlock(4, 6).double()
    for layer in block.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for value in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                torch.nn.init.uniform_(value, 0.5, 1.5)
    plain, before = plain_duck_of(block), plain_duck_of(block).state_dict()
    x = torch.randn(2, 4, 10, 12, dtype=torch.float64)
    block.train(training)
    plain.train(training)
    torch.testing.assert_close(block(x), plain(x))
    after = plain_duck_of(block).state_dict()  # with the statistics of the step
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(after[name], value)
    assert (after["out.running_mean"] - before["out.running_mean"]).any() == training


def test_an_even_kernel_is_padded_more_at_the_end_as_in_keras():
    layer = conv(1, 1, (1, 6))[:2]
    with torch.no_grad():
        layer[1].weight.fill_(1.0)
    line = torch.zeros(1, 1, 1, 12)
    line[..., 6] = 1.0
    assert layer(line).flatten().nonzero().flatten().tolist() == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(("n", "wanted"), [(160, 53_440), (256, 134_656), (128, 34_560)])
def test_a_shifted_mlp_has_the_published_count(n, wanted):
    assert count(ShiftedMlp(n)) == wanted


def test_shifted_groups_are_cut_as_published():
    """128 channels: four groups of 26 and one of 24; only the middle one stays."""
    x = torch.rand(1, 128, 8, 8)
    y = shift(x, 2)
    assert torch.equal(y[:, 52:78], x[:, 52:78])
    assert torch.equal(y[:, :26, :-2], x[:, :26, 2:]) and not y[:, :26, -2:].any()
    assert torch.equal(y[:, 104:, 2:], x[:, 104:, :-2])


def test_the_resnet_has_the_published_count_and_fills_the_quarter_skip():
    with torch.device("meta"):
        assert count(ResNetV2(64)) == 11_894_848
    deepest, skips = ResNetV2(8).eval()(torch.rand(1, 3, 64, 64))
    assert [s.shape[-1] for s in skips] == [32, 16, 8] and deepest.shape == (1, 128, 4, 4)
    assert not skips[1][..., -1].any() and not skips[1][..., -1, :].any()
    assert skips[1][..., :-1, :-1].any()


def test_standardised_kernels_do_not_see_scale_and_offset():
    layer = StandardConv2d(4, 6, 3)
    x = torch.rand(1, 4, 8, 8)
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(7).add_(3)
    torch.testing.assert_close(before, layer(x), atol=1e-2, rtol=1e-2)


def test_attention_gives_what_pytorch_s_own_module_gives():
    torch.manual_seed(0)
    ours, theirs = SelfAttention(24, 12, 0.0), torch.nn.MultiheadAttention(24, 12, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in parts]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in parts]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    x = torch.randn(2, 5, 24)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_legal_sides_and_widths():
    assert [nearest_legal_side(n, 16) for n in (1, 24, 25, 250)] == [16, 32, 32, 256]
    assert [scaled(768, w, 12) for w in (1, 0.125, 0.001)] == [768, 96, 12]
