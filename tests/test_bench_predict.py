"""What a command adds to its network: reading, measuring and writing beside a bare run of it."""

import time

import numpy as np
import pytest
from bench import tell

SHARE = 0.8
"""Of the bare network's speed that a command must keep."""
N = 48


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    from fetal_lib.predict.scans import list_images
    from fetal_phantoms.head import write_head_set

    folder = write_head_set(tmp_path_factory.mktemp("heads"), n_examinations=40, seed=5)
    found = list_images([folder / "training_set"])
    return (found * (N // len(found) + 1))[:N]


def heads():
    """Return the model of `predict hc` and what asks it."""
    from fetal_lib.predict.head_circumference import write_predictions
    from fetal_lib.predict.head_model import load_head_model

    return load_head_model(), write_predictions, {}


def biometry():
    """Return the model of `predict biometry` and what asks it, planes and all."""
    from fetal_lib.predict.biometry import write_biometry
    from fetal_lib.predict.biometry_model import BiometryModel
    from fetal_lib.predict.plane import PlaneRecogniser

    return BiometryModel.load(), write_biometry, {"planes": PlaneRecogniser.load()}


def seconds_of(act, tries=2):
    """Return the seconds of the fastest of some tries: other jobs only ever add time."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("command", [heads, biometry])
def test_bench_a_command_keeps_most_of_the_speed_of_its_network(command, scans, tmp_path):
    from fetal_lib.predict.pixel_sizes import PixelSizes

    model, write, more = command()
    sizes, asked = PixelSizes(0.12), command.__name__
    rng = np.random.default_rng(0)

    def noise(shape):
        return rng.integers(0, 255, (N, *shape)).astype(np.uint8)

    batch = noise(model.network.shape)
    fitted = {name: noise(one.network.shape) for name, one in more.items()}

    def whole():
        write(scans, model=model, sizes=sizes, out=tmp_path / f"{asked}.csv", **more)

    def bare():
        model.network.forward(batch)
        for name, recogniser in more.items():
            recogniser.logits(fitted[name])

    whole(), bare()
    share = seconds_of(bare) / seconds_of(whole)
    print(f"\npredict {asked}: {share:.2f} of its networks' speed")
    tell(f"predict {asked}, speed of its bare networks = 1", share, "", f"at least {SHARE:g}")
    assert share >= SHARE
