"""The diffusion process against closed forms, its samplers, and the parts of MedSegDiff-V2."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fetal_lib.models.diffusion import Diffusion, linear_betas, spaced_steps  # noqa: E402
from fetal_lib.models.med_seg_diff import (  # noqa: E402
    GaussianSmoothing,
    UncertainSpatialAttention,
    add_detached,
    get_med_seg_diff,
)
from fetal_lib.models.ss_former import SpectralAttention, fourier_matrices  # noqa: E402


def mask(n=3, side=16):
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    disc = ((x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 3) ** 2).float()
    return (2 * disc - 1).expand(n, 1, side, side).clone()


def perfect(process, true, share=0.0):
    """Return a network that knows the mask, and says so in the process's own terms."""

    def denoise(noisy, t):
        first = true
        if process.predicts == "noise":
            kept = torch.from_numpy(process.kept).float()[t][:, None, None, None]
            first = (noisy - kept.sqrt() * true) / (1 - kept).sqrt()
        return torch.cat([first, torch.full_like(first, share)], dim=1)

    return denoise


@pytest.mark.parametrize("t", [0, 100, 500, 999])
def test_the_noisy_mask_has_the_moments_of_the_closed_form(t):
    process = Diffusion()
    torch.manual_seed(0)
    x = torch.full((1, 1, 400, 400), 0.8)
    noisy = process.add_noise(x, torch.tensor([t]), torch.randn_like(x))
    kept = float(np.prod(1 - linear_betas()[: t + 1]))
    assert noisy.mean().item() == pytest.approx(0.8 * kept**0.5, abs=0.01)
    assert noisy.std().item() == pytest.approx((1 - kept) ** 0.5, abs=0.01)


def test_steps_taken_one_by_one_end_where_the_closed_form_does():
    betas, value, variance = linear_betas(), 1.0, 0.0
    for beta in betas[:300]:
        value, variance = value * (1 - beta) ** 0.5, variance * (1 - beta) + beta
    process = Diffusion()
    assert value**2 == pytest.approx(process.kept[299])
    assert variance == pytest.approx(1 - process.kept[299])


@pytest.mark.parametrize("t", [1, 250, 999])
def test_the_posterior_is_bayes_rule_for_normal_distributions(t):
    process = Diffusion()
    before, beta = process.kept_before[t], process.betas[t]
    precision = (1 - beta) / beta + 1 / (1 - before)
    x0, xt = torch.tensor(0.3), torch.tensor(-0.9)
    shape = (1, 1, 1, 1)
    mean, log_variance = process.posterior(x0.view(shape), xt.view(shape), torch.tensor([t]))
    wanted = ((1 - beta) ** 0.5 * -0.9 / beta + before**0.5 * 0.3 / (1 - before)) / precision
    assert mean.item() == pytest.approx(wanted, rel=1e-3)
    assert log_variance.exp().item() == pytest.approx(1 / precision, rel=1e-4)


@pytest.mark.parametrize("predicts", ["noise", "mask"])
def test_a_network_that_knows_the_mask_is_followed_by_both_samplers(predicts):
    process, true = Diffusion(100, predicts), mask()
    torch.manual_seed(1)
    start = torch.randn_like(true)
    for sample in (process.sample_ddim, process.sample_ancestral):
        found = sample(perfect(process, true), start, n_steps=20)
        torch.testing.assert_close(found, true, atol=0.05, rtol=0)


def test_ddim_asks_the_network_as_often_as_told_and_draws_nothing():
    process, calls = Diffusion(1000), []
    known = perfect(process, mask())

    def denoise(noisy, t):
        calls.append(int(t[0]))
        return 0.9 * known(noisy, t)

    start = torch.randn(3, 1, 16, 16)
    first = process.sample_ddim(denoise, start, n_steps=25)
    assert len(calls) == 25 and calls[0] == 999 and calls[-1] == 0
    assert torch.equal(first, process.sample_ddim(denoise, start, n_steps=25))


def test_ancestral_sampling_takes_all_steps_and_draws():
    process, calls = Diffusion(50), []
    known = perfect(process, mask())

    def denoise(noisy, t):
        calls.append(int(t[0]))
        return 0.9 * known(noisy, t)

    start = torch.randn(3, 1, 16, 16)
    samples = []
    for seed in (0, 0, 1):
        generator = torch.Generator().manual_seed(seed)
        samples.append(process.sample_ancestral(denoise, start, generator=generator))
    assert calls[:50] == list(range(49, -1, -1))
    assert torch.equal(samples[0], samples[1]) and not torch.equal(samples[0], samples[2])


def test_a_respaced_process_has_the_noise_of_the_whole_one_at_its_steps():
    whole = Diffusion()
    few = whole.respaced(25)
    np.testing.assert_allclose(few.kept, whole.kept[few.steps], rtol=1e-12)
    np.testing.assert_array_equal(few.steps, spaced_steps(1000, 25))


def test_the_learnt_variance_lies_between_its_bounds():
    process = Diffusion()
    t, noisy = torch.tensor([400]), torch.zeros(1, 1, 2, 2)
    bounds = []
    for share in (-1.0, 1.0):
        values = torch.cat([torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), share)], 1)
        bounds.append(process.predicted_posterior(values, noisy, t)[1].exp().max().item())
    assert bounds == pytest.approx([process.variance[400], process.betas[400]], rel=1e-4)


def test_the_bound_is_zero_for_the_true_posterior_and_grows_with_the_error():
    process, true = Diffusion(), mask()
    t = torch.tensor([1, 400, 999])
    noisy = process.add_noise(true, t, torch.randn_like(true))
    exact = process.variational_bound(perfect(process, true, -1.0)(noisy, t), true, noisy, t)
    worse = process.variational_bound(perfect(process, true, 0.5)(noisy, t), true, noisy, t)
    torch.testing.assert_close(exact, torch.zeros(3), atol=1e-4, rtol=0)
    assert (worse[:2] > exact[:2].abs()).all() and worse[0] > 0.01


def test_the_bound_teaches_the_variance_only():
    process, true = Diffusion(), mask()
    t = torch.tensor([0, 400, 999])
    values = torch.zeros(3, 2, 16, 16, requires_grad=True)
    process.variational_bound(values, true, torch.randn_like(true), t).sum().backward()
    assert not values.grad[:, 0].any() and values.grad[1:, 1].any()


def test_settings_that_make_no_process_are_refused():
    with pytest.raises(ValueError, match="n_steps=5: .*sample_ddim"):
        Diffusion(5)
    with pytest.raises(ValueError, match="predicts='velocity'"):
        Diffusion(predicts="velocity")
    with pytest.raises(ValueError, match="n_steps=2000: sample in 1 to 1000"):
        Diffusion().respaced(2000)


@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
def test_the_fourier_matrices_are_the_fourier_transform(size):
    cosine, sine = fourier_matrices(*size)
    x = torch.randn(*size)
    wanted = torch.fft.fft2(x, norm="ortho").flatten()
    torch.testing.assert_close(cosine @ x.flatten(), wanted.real, atol=1e-5, rtol=0)
    torch.testing.assert_close(-(sine @ x.flatten()), wanted.imag, atol=1e-5, rtol=0)


class AllPass(torch.nn.Module):
    def forward(self, spectrum, time):
        return torch.ones_like(spectrum[:, :1])


def test_a_filter_that_lets_all_pass_leaves_ordinary_attention():
    torch.manual_seed(0)
    attention = SpectralAttention(8, 4)
    attention.filter = AllPass()
    q, k = torch.randn(2, 15, 8), torch.randn(2, 15, 8)
    found = attention.affinity(q, k, (3, 5), torch.zeros(2, 4))
    torch.testing.assert_close(found, q @ k.transpose(1, 2) / 8**0.5, atol=1e-5, rtol=0)


def test_the_filter_hears_the_time_step():
    torch.manual_seed(0)
    attention = SpectralAttention(8, 4)
    q, k = torch.randn(1, 15, 8), torch.randn(1, 15, 8)
    a, b = (attention.affinity(q, k, (3, 5), time) for time in torch.randn(2, 1, 4))
    assert (a - b).abs().max() > 1e-3


def test_smoothing_starts_as_a_centred_kernel_of_sum_one_and_can_move():
    smooth = GaussianSmoothing()
    kernel = smooth.kernel()
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(kernel, kernel.flip(0, 1))
    with torch.no_grad():
        smooth.centre[1] = 2.0
    assert np.unravel_index(int(smooth.kernel().argmax()), kernel.shape) == (3, 5)


def test_the_gate_takes_the_larger_of_smoothed_and_original():
    attention = UncertainSpatialAttention(1)
    with torch.no_grad():
        attention.reduce.weight.fill_(1.0)
        attention.reduce.bias.zero_()
    spike = torch.zeros(1, 1, 9, 9)
    spike[0, 0, 4, 4] = 3.0
    gate = attention.gate(spike)
    assert gate[0, 0, 4, 4].item() == pytest.approx(torch.sigmoid(torch.tensor(3.0)).item())
    assert gate[0, 0, 4, 5] > gate[0, 0, 4, 8] and gate[0, 0, 4, 5] > 0.5


@pytest.mark.slow
def test_the_released_version_lets_no_noise_gradient_reach_the_condition_network():
    for version, reached in (("repository", False), ("paper", True)):
        torch.manual_seed(0)
        network = get_med_seg_diff(version, 1, 1, 0.125)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        x = torch.randn(2, 1, 32, 32)
        network(x, torch.tensor([1, 500]), x).values.square().sum().backward()
        gradients = [p.grad is not None and p.grad.any() for p in network.condition.parameters()]
        assert any(gradients) == reached


def test_detached_features_stand_in_the_published_order():
    x = torch.zeros(1, 8, 4, 4)
    decoded = [None, torch.full((1, 2, 2, 2), 1.0), torch.full((1, 4, 1, 1), 2.0)]
    assert add_detached(x, decoded)[0, :, 0, 0].tolist() == [1.0] * 4 + [2.0] * 4


def test_looking_once_gives_what_a_whole_pass_gives():
    network = get_med_seg_diff("paper", 1, 1, 0.125).eval()
    image, noisy, t = torch.rand(2, 1, 32, 32), torch.randn(2, 1, 32, 32), torch.tensor([3, 700])
    with torch.no_grad():
        seen = network.look(image)
        assert torch.equal(network.denoise(noisy, t, image, seen), network(noisy, t, image).values)


def test_a_narrow_network_keeps_a_quarter_of_the_condition_network_and_no_dropout():
    narrow = get_med_seg_diff("paper", 1, 1, 0.125).condition
    rates = {m.p for m in narrow.modules() if isinstance(m, torch.nn.Dropout2d)}
    assert narrow.head.in_channels == 8 and rates == {0.0}
    assert get_med_seg_diff("repository", 1, 1, 0.125).condition.head.in_channels == 4
    with torch.device("meta"):
        whole = get_med_seg_diff("paper").condition
    assert {m.p for m in whole.encoder.modules() if isinstance(m, torch.nn.Dropout2d)} == {0.5}


def test_unknown_versions_are_refused():
    with pytest.raises(ValueError, match="version='v3'"):
        get_med_seg_diff("v3")


def test_a_shifted_schedule_has_the_shifted_ratio_at_every_step_and_none_by_default():
    plain, shifted = Diffusion(), Diffusion(signal=0.2)
    assert np.allclose(Diffusion(signal=1.0).kept, plain.kept)
    ratio = np.sqrt(shifted.kept / (1 - shifted.kept)) / np.sqrt(plain.kept / (1 - plain.kept))
    np.testing.assert_allclose(ratio, 0.2, rtol=1e-6)
    assert (0 < shifted.betas).all() and (shifted.betas < 1).all()
    np.testing.assert_allclose(shifted.respaced(10).kept, shifted.kept[shifted.respaced(10).steps])
    with pytest.raises(ValueError, match="signal=0"):
        Diffusion(signal=0)
