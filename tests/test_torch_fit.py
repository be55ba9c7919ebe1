"""A PyTorch fit that was cut goes on where it was, and ends as one that was not."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from made_up_fits import cut_after, damage  # noqa: E402

from fetal_lib.models.torch_weights import load_torch_weights  # noqa: E402
from fetal_lib.training.diverged import DivergedFit  # noqa: E402
from fetal_lib.training.history import HISTORY, DamagedFit, read_history  # noqa: E402
from fetal_lib.training.torch_arrays import Arrays, epoch_batches, of_output  # noqa: E402
from fetal_lib.training.torch_fit import fit_torch  # noqa: E402
from fetal_lib.training.torch_forward import predict_network, seed_torch  # noqa: E402
from fetal_lib.training.torch_task import TorchSettings  # noqa: E402


def line(n=33):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return x, (x @ np.array([[1.0], [-2.0], [0.5]], np.float32) + 3)


def tiny():
    seed_torch(7)
    layers = (torch.nn.Linear(3, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU())
    return torch.nn.Sequential(*layers, torch.nn.Dropout(0.1), torch.nn.Linear(16, 1))


def jitter(x, y, rng):
    return x + rng.normal(0, 0.01, x.shape).astype(np.float32), y


SETTINGS = TorchSettings(epochs=6, batch_size=8, learning_rate=1e-2, ema=0.9, seed=3)
MSE = of_output(torch.nn.functional.mse_loss)


def test_a_cut_fit_resumes_and_ends_like_an_uncut_one(tmp_path):
    x, y = line()
    whole = tiny()
    task = Arrays(x, y, SETTINGS, MSE, (x, y), jitter)
    fit_torch(tmp_path / "whole", whole, task)

    with cut_after(3) as cut:
        fit_torch(tmp_path / "cut", tiny(), task, cut)
    assert len(read_history(tmp_path / "cut")) == 3
    again, seen = tiny(), []

    def watch(event, **fields):
        seen.append(fields["epoch"])

    fit_torch(tmp_path / "cut", again, task, watch)
    assert seen == [4, 5, 6]
    for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    rows = [read_history(tmp_path / name) for name in ("whole", "cut")]
    assert [r["loss"] for r in rows[0]] == [r["loss"] for r in rows[1]]
    assert not list((tmp_path / "cut").glob("*.ckpt"))


@pytest.mark.parametrize("name", ["last.ckpt", HISTORY])
@pytest.mark.parametrize("way", ["empty", "half", "turned"])
def test_a_damaged_fit_is_not_gone_on_with(tmp_path, name, way):
    x, y = line()
    task = Arrays(x, y, SETTINGS, MSE)
    with cut_after(3) as cut:
        fit_torch(tmp_path, tiny(), task, cut)
    damage(tmp_path / name, way)
    with pytest.raises(DamagedFit, match=name):
        fit_torch(tmp_path, tiny(), task)


def test_a_finished_fit_is_loaded_and_not_trained_again(tmp_path):
    x, y = line()
    first, second = tiny(), tiny()
    fit_torch(tmp_path, first, Arrays(x, y, SETTINGS, MSE))
    fit_torch(tmp_path, second, Arrays(x, y, SETTINGS, MSE), progress=None)
    np.testing.assert_array_equal(predict_network(first, x), predict_network(second, x))


def test_it_learns_a_line(tmp_path):
    x, y = line(256)
    settings = TorchSettings(epochs=60, batch_size=16, learning_rate=5e-2)
    network = torch.nn.Linear(3, 1)
    fit_torch(tmp_path, network, Arrays(x, y, settings, MSE))
    np.testing.assert_allclose(network.weight.detach().numpy(), [[1, -2, 0.5]], atol=0.02)


def test_watching_in_training_mode_changes_the_statistics_and_evaluation_does_not(tmp_path):
    x, y = line()
    x, y = x[:32], y[:32]
    far = (x + 5).astype(np.float32)
    kept = {}
    for name, wrong in (("right", False), ("wrong", True), ("alone", None)):
        settings = TorchSettings(
            epochs=2, batch_size=8, validate_in_training_mode=bool(wrong), seed=3
        )
        network = tiny()
        watched = None if wrong is None else (far, y)
        fit_torch(tmp_path / name, network, Arrays(x, y, settings, MSE, watched))
        kept[name] = network.state_dict()["1.running_mean"]
    torch.testing.assert_close(kept["right"], kept["alone"])
    assert (kept["wrong"] - kept["alone"]).abs().max() > 0.1


def test_the_validation_part_is_watched_every_few_epochs_and_after_the_last(tmp_path):
    x, y = line()
    networks = {}
    for every in (1, 4):
        settings = dataclasses.replace(SETTINGS, watch_every=every)
        assert settings.as_spec() == SETTINGS.as_spec()
        networks[every] = tiny()
        task = Arrays(x, y, settings, MSE, (x, y), jitter)
        fit_torch(tmp_path / str(every), networks[every], task)
    rows = {every: read_history(tmp_path / str(every)) for every in networks}
    assert [row["epoch"] for row in rows[4] if "val_loss" in row] == [2, 6]
    assert rows[4][1]["val_loss"] == rows[1][1]["val_loss"] != rows[4][5]["val_loss"]
    for a, b in zip(*(one.parameters() for one in networks.values()), strict=True):
        assert torch.equal(a, b)
    both = dataclasses.replace(SETTINGS, ema=0.0, patience=2, watch_every=4)
    with pytest.raises(ValueError, match="set watch_every to 1"):
        fit_torch(tmp_path / "both", tiny(), Arrays(x, y, both, MSE, (x, y)))


def test_a_loss_that_is_no_number_ends_the_fit_at_the_epoch_before(tmp_path):
    x, y = line()
    n_batches = len(epoch_batches(len(x), SETTINGS, 0))
    calls = []

    def loss(network, some, target):
        calls.append(1)
        return MSE(network, some, target) * (float("nan") if len(calls) > 2 * n_batches else 1.0)

    with pytest.raises(DivergedFit, match="the loss of epoch 3 is nan; try"):
        fit_torch(tmp_path, tiny(), Arrays(x, y, SETTINGS, loss))
    assert len(read_history(tmp_path)) == 2
    network = tiny()
    fit_torch(tmp_path, network, Arrays(x, y, SETTINGS, MSE))
    assert all(torch.isfinite(value).all() for value in network.parameters())


def test_batches_are_whole_and_from_seed_and_epoch_alone():
    first, again = (epoch_batches(33, SETTINGS, 2) for _ in range(2))
    assert [len(b) for b in first] == [8, 8, 8, 8]
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, epoch_batches(33, SETTINGS, 3))
    assert [len(b) for b in epoch_batches(3, SETTINGS, 0)] == [3]


def test_weights_of_another_network_are_refused(tmp_path):
    x, y = line()
    fit_torch(tmp_path, tiny(), Arrays(x, y, SETTINGS, MSE))
    with pytest.raises(ValueError, match="build the network with the arguments"):
        load_torch_weights(torch.nn.Linear(3, 1), tmp_path / "weights.npz")
    with pytest.raises(ValueError, match="no file"):
        load_torch_weights(torch.nn.Linear(3, 1), tmp_path / "other.npz")
