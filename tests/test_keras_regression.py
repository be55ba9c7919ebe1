"""Fitting a number: it learns, stops, resumes, and the validation part picks the epoch."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_fits import cut_after

from fetal_lib.models.vgg16_attention import get_age_network
from fetal_lib.training.history import read_history
from fetal_lib.training.keras_fit import fit_keras
from fetal_lib.training.keras_regression import (
    Regression,
    RegressionSettings,
    augment_planes,
    predict_values,
    standing_of,
)


def made_up(n=24):
    rng = np.random.default_rng(0)
    ga_days = rng.uniform(140, 270, n)
    images = rng.integers(0, 40, (n, 32, 32, 3)) + (ga_days[:, None, None, None] - 120).astype(int)
    return images.astype(np.uint8), ga_days


def settings(epochs, **more):
    known = {"batch_size": 4, "learning_rate": 2e-3, "centre": 205.0, "scale": 40.0, "seed": 1}
    return RegressionSettings(epochs=epochs, **(known | more))


def network():
    return get_age_network(32, width=0.0625, batch_norm=True, hidden=16, dropout=0.2, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("published", [False, True])
@pytest.mark.usefixtures("eagerly")
def test_a_killed_fit_goes_on_as_if_it_was_not(published, tmp_path):
    """In the narrow form of `quick`, and in the published one: as deep, its rate on a plateau."""
    images, days = made_up()
    held = (images[16:], days[16:])
    chosen = settings(4, schedule="plateau", rate_patience=1) if published else settings(4)
    task = Regression(images[:16], days[:16], replace(chosen, augment=not published), held)

    def network():
        return get_age_network(
            32, width=0.0625, batch_norm=not published, n_pools=5, hidden=16, dropout=0.5, seed=3
        )

    whole, torn = network(), network()
    fit_keras(tmp_path / "whole", whole, task)

    with cut_after(2) as stop:
        fit_keras(tmp_path / "torn", torn, task, stop)
    fit_keras(tmp_path / "torn", network(), task)
    rows = [[r["val_mae"] for r in read_history(tmp_path / n)] for n in ("whole", "torn")]
    assert len(rows[0]) == 4
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4)


@pytest.mark.slow
def test_a_number_that_shows_in_the_picture_is_learned(tmp_path):
    from fetal_lib.models.weights import load_weights

    images, days = made_up(40)
    model = network()
    chosen = settings(15, learning_rate=5e-3)
    task = Regression(images[:30], days[:30], chosen, (images[30:], days[30:]))
    fit_keras(tmp_path, model, task)
    load_weights(model, tmp_path / "weights.npz")
    error = np.abs(predict_values(model, images[30:], 205.0, 40.0) - days[30:]).mean()
    history = read_history(tmp_path)
    assert error < 0.5 * np.abs(days[30:] - days[:30].mean()).mean()
    # rounding to 16 bits moves it a little
    assert abs(error - min(row["val_mae"] for row in history)) < 0.5


def test_rate_and_stopping_follow_keras_callbacks():
    """Three stalled epochs halve the rate and start to count anew; six stop the fit."""
    plan = settings(50, rate_patience=3, stop_patience=6)
    errors = [9.0, 8.0, 8.1, 8.2, 8.3]
    assert standing_of(errors, plan).learning_rate == pytest.approx(1e-3)
    assert standing_of(errors[:4], plan).learning_rate == pytest.approx(2e-3)
    assert not standing_of([*errors, 8.3, 8.3], plan).over
    stopped = standing_of([*errors, 8.3, 8.3, 8.3], plan)
    assert stopped.over and stopped.best == 1
    assert stopped.learning_rate == pytest.approx(5e-4)


def test_the_cosine_ends_low():
    plan = settings(10, schedule="cosine")
    rates = [standing_of([1.0] * k, plan).learning_rate for k in range(10)]
    assert rates[0] == pytest.approx(2e-3) and rates[-1] < 2e-4
    assert rates == sorted(rates, reverse=True)


def test_a_cosine_is_gone_through_to_its_end():
    errors = [5.0] + [9.0] * 11  # none better for eleven epochs
    assert standing_of(errors, settings(20)).over
    assert not standing_of(errors, settings(20, schedule="cosine")).over
    assert standing_of(errors, settings(12, schedule="cosine")).over


def test_mirroring_swaps_only_the_planes_it_may():
    image = np.zeros((32, 32, 3), np.uint8)
    image[8:24, 4:12] = 200  # on the left
    seen = [augment_planes(image, np.random.default_rng(s)) for s in range(12)]
    left = np.array([[a[:, :16, k].sum() > a[:, 16:, k].sum() for k in range(3)] for a in seen])
    assert left[:, 2].all() and not left[:, 0].all() and left[:, 0].any()
    assert (left[:, 0] == left[:, 1]).all()
    assert all(a.dtype == np.float32 and 0 <= a.min() and a.max() <= 1 for a in seen)


def test_parts_that_do_not_fit_are_refused():
    images, days = made_up(8)
    with pytest.raises(ValueError, match="validation"):
        Regression(images, days, settings(1), (images[:0], days[:0]))
    with pytest.raises(ValueError, match="training"):
        Regression(images, days[:3], settings(1), (images, days))
