"""Chapter 03's networks against plain twins of the same layers: same numbers, and no slower."""

from functools import partial

import pytest

torch = pytest.importorskip("torch")

from bench import fastest_in_turns, tell  # noqa: E402
from plain_networks import plain_duck_net_of, plain_network  # noqa: E402

from fetal_lib.models.segmentation_networks import build_network, count_parameters, example_inputs  # noqa: E402

SIDE, N, ROUNDS, TRIES = 64, 8, 9, 5
SLOWER = 1.1
"""What the fastest of many timings of one network differ by at most on a busy machine."""
WIDTHS = {
    "unet": 0.125,
    "attention_unet": 0.125,
    "duck_net_17": 0.25,
    "unext": 1.0,
    "trans_unet": 0.125,
    "med_seg_diff": 0.125,
}
every_network = pytest.mark.parametrize("name", WIDTHS)


def layers_as_called(network, given):
    """Return the layers with weights in the order of their calls."""
    called = []
    leaves = [m for m in network.modules() if not list(m.children()) and list(m.parameters())]
    hooks = [m.register_forward_hook(lambda m, i, o: called.append(m)) for m in leaves]
    with torch.no_grad():
        network(*given)
    for hook in hooks:
        hook.remove()
    return called


def twins(name):
    """Return our network and its plain twin with the same weights, and inputs of both."""
    torch.manual_seed(0)
    given = example_inputs(name, N, side=SIDE)
    ours = build_network(name, width=WIDTHS[name], image_size=SIDE).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    if name == "duck_net_17":  # whose branches side by side are other layers than one after another
        return ours, plain_duck_net_of(ours, WIDTHS[name]).eval(), given
    plain = plain_network(name, WIDTHS[name], SIDE).eval()
    pairs = zip(layers_as_called(ours, given), layers_as_called(plain, given), strict=True)
    for a, b in pairs:
        b.load_state_dict(a.state_dict())
    return ours, plain, given


def outputs(result):
    return (result,) if isinstance(result, torch.Tensor) else tuple(result)


@every_network
def test_a_plain_twin_gives_the_same_numbers(name):
    ours, plain, given = twins(name)
    assert count_parameters(ours, True) == count_parameters(plain, True)
    with torch.no_grad():
        for a, b in zip(outputs(ours(*given)), outputs(plain(*given)), strict=True):
            scale = float(a.abs().max())
            assert scale > 0
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.slow
@every_network
def test_bench_forward_and_training_step_of(name):
    ours, plain, given = twins(name)

    def forward(network):
        with torch.inference_mode():
            network(*given)

    def step(network):
        network.zero_grad(set_to_none=True)
        sum(o.square().mean() for o in outputs(network(*given))).backward()

    ratios = []
    for what, act in (("forward", forward), ("training step", step)):
        for network in (ours, plain):
            network.train(what != "forward")
            act(network)
        acts = partial(act, ours), partial(act, plain)
        seconds = fastest_in_turns(*acts, lambda a, b: a <= SLOWER * b, TRIES, ROUNDS)
        ratios.append(seconds[0] / seconds[1])
        tell(f"{name}, {what}, plain layers = 1", ratios[-1], "", f"at most {SLOWER:g}")
        print(
            f"\n{name}, {what}: {1000 * seconds[0]:.1f} ms, plain {1000 * seconds[1]:.1f} ms, "
            f"ratio {ratios[-1]:.2f}"
        )
    assert max(ratios) <= SLOWER
