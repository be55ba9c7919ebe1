"""What a command adds to its network: reading, measuring and writing beside a bare run of it."""

import time

import numpy as np
import pytest
from bench import fastest_in_turns, tell

SHARE = 0.8
"""Of the bare network's speed that a command must keep."""
N, TRIES = 48, 6


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
    alone, asking = fastest_in_turns(bare, whole, lambda a, b: a >= SHARE * b, TRIES)
    share = alone / asking
    print(f"\npredict {asked}: {share:.2f} of its networks' speed")
    tell(f"predict {asked}, speed of its bare networks = 1", share, "", f"at least {SHARE:g}")
    assert share >= SHARE


def anomaly(folder):
    """Return scans, what answers them, and the scans a second that it must keep."""
    from fetal_lib.predict.anomaly import write_answers
    from fetal_lib.predict.anomaly_model import load_anomaly_model
    from fetal_lib.predict.head_gate import load_head_gate
    from fetal_lib.predict.scans import list_images
    from fetal_phantoms.head import write_head_set

    write_head_set(folder, n_examinations=24, seed=5)
    paths = list_images([folder / "training_set"])
    how = {"model": load_anomaly_model(), "gate": load_head_gate()}
    return paths, lambda some, out: write_answers(some, out=out, **how), 10


def gestational_age(folder):
    """The same for volumes of fetal brains."""
    from fetal_lib.predict.gestational_age import write_ages
    from fetal_lib.predict.gestational_age_cases import list_cases
    from fetal_lib.predict.gestational_age_model import load_ga_model
    from fetal_phantoms.fetal_brain.write import write_fetal_brain_set

    write_fetal_brain_set(folder, n_subjects=4, seed=5)
    model = load_ga_model(None)
    return list_cases([folder]), lambda some, out: write_ages(some, model, out), 0.2


def brain_age(folder):
    """The same for volumes of adult brains."""
    from fetal_lib.predict.age_model import load_age_model
    from fetal_lib.predict.brain_age import list_scans, write_ages
    from fetal_phantoms.adult_brain.write import write_adult_brain_set

    write_adult_brain_set(folder, n_subjects=4, seed=5, space="mni")
    model = load_age_model()
    return list_scans([folder]), lambda some, out: write_ages(some, model, out), 0.2


@pytest.mark.slow
@pytest.mark.parametrize("command", [anomaly, gestational_age, brain_age])
def test_bench_scans_a_second_of(command, tmp_path):
    paths, write, least = command(tmp_path / "set")
    write(paths[:1], tmp_path / "warm.csv")
    start = time.perf_counter()
    write(paths, tmp_path / "out.csv")
    rate = len(paths) / (time.perf_counter() - start)
    name = command.__name__.replace("_", " ")
    print(f"\npredict, {name}: {rate:.2f} scans a second")
    tell(f"predict, {name}", rate, "scans/s", f"at least {least:g}")
    assert rate >= least
