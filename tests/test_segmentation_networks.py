"""The contract that every segmentation network keeps, and each network's own promises."""

import io

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fetal_lib.models.segmentation_networks import (  # noqa: E402
    NETWORKS,
    build_network,
    count_parameters,
    example_inputs,
    get_spec,
    published_parameters,
)

SIDE = 64
NARROWER = {"unet": 0.0625, "attention_unet": 0.0625, "unext": 0.5}
NARROW = {name: NARROWER.get(name, spec.narrow) for name, spec in NETWORKS.items()}
PUBLISHED = {
    "unet": 34_527_041,
    "attention_unet": 34_878_573,
    "duck_net_17": 38_921_088,
    "duck_net_34": 155_410_341,
    "unext": 1_471_921,
    "unext_s": 253_561,
    "trans_unet": 105_322_146,
    "med_seg_diff_released": 129_400_450,
}
HEAVY = {"duck_net_17", "duck_net_34", "med_seg_diff", "med_seg_diff_released"}
all_networks = pytest.mark.parametrize("name", NETWORKS)
heavy_ones_are_slow = pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in NETWORKS],
)


def narrow(name, in_channels=1, n_classes=1, **arguments):
    """Build a narrow network whose weights are all moved off their starting zeros."""
    torch.manual_seed(0)
    if name == "trans_unet":
        arguments.setdefault("n_blocks", 2)
    network = build_network(name, in_channels, n_classes, NARROW[name], SIDE, **arguments)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return network


def inputs(name, *args, **kwargs):
    torch.manual_seed(1)
    return example_inputs(name, *args, **kwargs)


def outputs(result):
    return (result,) if isinstance(result, torch.Tensor) else tuple(result)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_setting_has_the_published_count(name):
    assert published_parameters(name) == PUBLISHED[name] == NETWORKS[name].published_count


def test_every_network_but_the_unreleased_one_has_a_published_count():
    assert set(NETWORKS) - set(PUBLISHED) == {"med_seg_diff"}
    assert get_spec("med_seg_diff").published_count is None


def test_counts_at_other_published_settings():
    with torch.device("meta"):
        counts = [
            count_parameters(build_network("trans_unet", 3, 9, image_size=224)),
            count_parameters(build_network("duck_net_17", 1), statistics=True),
            count_parameters(build_network("duck_net_17", 3)),
            count_parameters(build_network("duck_net_34", 3)),
            count_parameters(build_network("med_seg_diff_released", 1)),
        ]
    assert counts == [105_277_081, 38_918_972, 38_867_668, 155_303_507, 129_397_570]


@all_networks
@pytest.mark.parametrize(("in_channels", "n_classes"), [(1, 1), (3, 2)])
def test_outputs_have_the_image_s_size_and_a_channel_a_class(name, in_channels, n_classes):
    network = narrow(name, in_channels, n_classes).eval()
    with torch.no_grad():
        result = outputs(network(*inputs(name, 2, in_channels, n_classes)))
    assert result[-1].shape == (2, n_classes, SIDE, SIDE)
    if NETWORKS[name].is_diffusion:  # a value and a variance for each class
        assert result[0].shape == (2, 2 * n_classes, SIDE, SIDE)


@all_networks
def test_an_oblong_image_is_taken_unless_positions_were_learnt(name):
    network = narrow(name).eval()
    oblong = tuple(x if x.ndim < 4 else torch.cat([x, x], -1) for x in inputs(name))
    if NETWORKS[name].fixed_size:
        with pytest.raises(ValueError, match="width=128.*64, the nearest legal"):
            network(*oblong)
    else:
        with torch.no_grad():
            assert outputs(network(*oblong))[-1].shape == (2, 1, SIDE, 2 * SIDE)


@all_networks
def test_an_illegal_size_is_refused_with_the_nearest_legal_one(name):
    step = NETWORKS[name].multiple
    with pytest.raises(ValueError, match=rf"image_size=250: .*nearest is {256 // step * step}"):
        build_network(name, image_size=250)
    network = narrow(name)
    wrong = tuple(x if x.ndim < 4 else x[..., :58] for x in inputs(name))
    with pytest.raises(ValueError, match="width=58: .*(nearest is 64|64, the nearest legal one)"):
        network(*wrong)


@all_networks
def test_other_channels_than_built_for_are_refused(name):
    *others, image = inputs(name)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 64, 64\), but this .* takes \(B, 1, H, W"):
        narrow(name)(*others, image.repeat(1, 3, 1, 1))


@heavy_ones_are_slow
def test_a_gradient_reaches_every_parameter(name):
    network = narrow(name)
    result = outputs(network(*inputs(name)))
    torch.manual_seed(2)
    sum((torch.randn_like(r) * r).sum() for r in result).backward()
    dead = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias that normalisation takes out again has no effect, and so no gradient but rounding.
    assert all(n.endswith("bias") for n in dead), dead


@all_networks
def test_evaluation_mode_is_deterministic_and_does_not_mix_images(name):
    network = narrow(name).eval()
    given = inputs(name)
    beside_another = [torch.cat([x[:1], x[1:].flip(-1)]) for x in given]
    with torch.no_grad():
        first, again = outputs(network(*given)), outputs(network(*given))
        other = outputs(network(*beside_another))
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a[:1], c[:1]) and not torch.equal(a[1:], c[1:])


def blobs(side, n=4):
    """Return images of noisy discs, and their masks (n, 1, S, S)."""
    torch.manual_seed(3)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    centre, radius = torch.linspace(0.4, 0.6, n) * side, torch.linspace(0.15, 0.3, n) * side
    square = (x - centre[:, None, None]) ** 2 + (y - side / 2) ** 2
    mask = (square < radius[:, None, None] ** 2).float()[:, None]
    return 0.3 * mask + 0.2 * torch.rand(n, 1, side, side), mask


@pytest.mark.slow
@all_networks
def test_one_batch_is_learnt(name):
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    image, mask = blobs(side=32)
    torch.manual_seed(4)
    is_diffusion = NETWORKS[name].is_diffusion
    still = {"dropout": 0.0} if is_diffusion or name == "trans_unet" else {}
    network = build_network(name, 1, 1, NARROW[name], 32, **still)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3 if is_diffusion else 1e-2)
    noise, t = torch.randn_like(mask), torch.tensor([50, 200, 400, 600])
    noisy = 0.7 * (2 * mask - 1) + 0.7 * noise

    def loss():
        if not is_diffusion:
            return bce(network(image), mask)
        values, anchor = network(noisy, t, image)
        return torch.nn.functional.mse_loss(values[:, :1], noise) + bce(anchor, mask)

    values = []
    for _ in range(80):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        values.append(value.item())
        if learnt := values[-1] < 0.3 * values[0]:
            break
    assert learnt, values[::10]


@pytest.mark.slow
@all_networks
@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecation, and values it fixes
def test_the_export_to_onnx_gives_the_same_numbers(name):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    network = narrow(name).eval()
    given = inputs(name)
    names = ["noisy", "t", "image"][-len(given) :]
    file = io.BytesIO()
    torch.onnx.export(network, given, file, input_names=names, opset_version=17, dynamo=False)
    session = runtime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    feed = {n: x.numpy() for n, x in zip(names, given, strict=True)}
    with torch.no_grad():
        wanted = outputs(network(*given))
    for a, b in zip(session.run(None, feed), wanted, strict=True):
        # Untrained statistics let DUCK-Net's values grow large: compare on their scale.
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-3, atol=1e-5 * float(1 + b.abs().max()))


@heavy_ones_are_slow
def test_it_runs_under_mixed_precision(name):
    network = narrow(name).eval()
    given = inputs(name)
    with torch.no_grad():
        plain = outputs(network(*given))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = outputs(network(*given))
    for a, b in zip(plain, mixed, strict=True):
        assert b.dtype == torch.bfloat16 and b.isfinite().all()
        scale = a.std() + 0.1
        assert 0 < (a - b.float()).abs().mean() < 0.1 * scale


@heavy_ones_are_slow
def test_a_training_step_under_mixed_precision_is_finite(name):
    network = narrow(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = sum(r.square().mean() for r in outputs(network(*inputs(name))))
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@heavy_ones_are_slow
def test_width_scales_the_network(name):
    with torch.device("meta"):
        half = count_parameters(build_network(name, width=0.5, image_size=64))
        full = count_parameters(build_network(name, image_size=64))
    assert 0.2 < half / full < 0.35


def test_unknown_names_and_widths_are_refused():
    with pytest.raises(ValueError, match="name='vnet': no such network; use one of unet"):
        build_network("vnet")
    with pytest.raises(ValueError, match="width=0"):
        build_network("unet", width=0)


def test_the_list_loads_no_framework():
    import subprocess
    import sys

    code = "import sys, fetal_lib.models.segmentation_networks; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"False\n"
