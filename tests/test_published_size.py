"""The sources' networks at their published size: counted, cut and gone on with, planned, kept."""

import json
from pathlib import Path

import pytest
from made_up_fits import cut_after

pytest.importorskip("torch")
keras = pytest.importorskip("keras")

import numpy as np  # noqa: E402

from fetal_book.parameters.chapters import get_chapter  # noqa: E402
from fetal_book.parameters.resolve import load_profiles  # noqa: E402
from fetal_book.published_size.networks import NETWORKS, NetworkError, get_network  # noqa: E402
from fetal_book.published_size.piece import PieceRun  # noqa: E402
from fetal_book.published_size.plan import AROUND, Plan, plan_epochs, step_seconds  # noqa: E402
from fetal_book.published_size.record import FOLDER, SizeRecord, read_size  # noqa: E402
from fetal_book.published_size.rings import best_threshold, miswired_unet  # noqa: E402
from fetal_book.published_size.settings import parameters_of  # noqa: E402
from fetal_book.published_size.steps import read_steps  # noqa: E402
from fetal_book.published_size.train import train_piece  # noqa: E402
from fetal_lib.models.anomaly_cnns import build_anomaly_cnn  # noqa: E402
from fetal_lib.models.res_next_3d import get_res_next_3d  # noqa: E402
from fetal_lib.models.res_unet_3d import get_res_unet_3d  # noqa: E402
from fetal_lib.models.segmentation_networks import build_network, get_spec  # noqa: E402
from fetal_lib.models.unet import get_unet  # noqa: E402
from fetal_lib.models.vgg16_attention import get_age_network  # noqa: E402
from fetal_lib.training.diverged import DivergedFit  # noqa: E402
from fetal_lib.training.history import HISTORY, read_history  # noqa: E402
from fetal_lib.training.keras_classification import (  # noqa: E402
    Classification,
    ClassifierSettings,
)
from fetal_lib.training.keras_fit import fit_keras  # noqa: E402
from fetal_lib.training.keras_regression import Regression, RegressionSettings  # noqa: E402
from fetal_lib.training.keras_segmentation import Segmentation as KerasSegmentation  # noqa: E402
from fetal_lib.training.keras_segmentation import (  # noqa: E402
    SegmentationSettings as KerasSegmentationSettings,
)
from fetal_lib.training.torch_arrays import Arrays, of_output  # noqa: E402
from fetal_lib.training.torch_fit import fit_torch  # noqa: E402
from fetal_lib.training.torch_task import TorchSettings  # noqa: E402

PROJECT = Path(__file__).resolve().parents[1]
TWELVE = [name for name, network in NETWORKS.items() if not network.variant_of]
LISTED = {name: dict(NETWORKS[name].parameters).get("networks") for name in NETWORKS}


def test_the_twelve_networks_of_the_sources_are_there_and_an_unknown_one_is_guessed():
    assert len(TWELVE) == 12
    with pytest.raises(NetworkError, match="did you mean 'unext'"):
        get_network("unex")


@pytest.mark.parametrize("name", [name for name in NETWORKS if LISTED[name]])
def test_counts_of_segmentation_networks_are_those_of_the_registry(name):
    assert NETWORKS[name].counted == get_spec(LISTED[name]).published_count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("vgg16_gate", get_age_network),
        ("cnn", lambda: build_anomaly_cnn("cnn")),
        ("separable_cnn", lambda: build_anomaly_cnn("separable_cnn")),
        ("xception", lambda: build_anomaly_cnn("xception")),
        ("unet", get_unet),
        ("unet_miswired_ring", miswired_unet),
    ],
)
def test_counts_of_keras_networks_are_those_of_the_built_ones(name, build):
    assert NETWORKS[name].counted == build().count_params()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_its_published_width_in_the_profile(name):
    values = parameters_of(name, {"data": "phantom"}).model_dump()
    widths = {k: v for k, v in values.items() if k.endswith("width") or k in ("width", "size")}
    assert values["profile"] == "long"
    whole = {"published", 1.0, 32, 128}  # of channels: all, or their published number
    assert all(value in whole for key, value in widths.items()), widths


def test_the_profile_long_fits_a_day_of_two_cores_by_the_measured_steps():
    steps, hours = read_steps(PROJECT / FOLDER), {}
    for name in TWELVE:
        network, record = NETWORKS[name], read_size(PROJECT / FOLDER, name)
        values = parameters_of(name, {"data": "phantom"})
        side = getattr(values, network.side_field)
        step = step_seconds(steps, name, side, record.precision)
        if step is not None:
            fits = values.n_folds if name in ("vgg16_gate", "resnext") else 1
            epochs = getattr(values, network.epochs_field)
            seconds = step[1] * AROUND * record.n_train * epochs * fits
            hours[network.chapter] = hours.get(network.chapter, 0) + seconds / 3600
    assert len(hours) == 5 and 1 < max(hours.values()) < 48


def fit_of(name):
    """Return how to fit a network of that kind, very narrow, for three epochs: a fresh task."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 32, 32), dtype=np.uint8)
    masks = np.uint8(255) * (images > 128)
    few = {"epochs": 3, "batch_size": 2, "learning_rate": 1e-3}
    if name in ("cnn", "separable_cnn", "xception"):
        labels = np.arange(6) % 3
        task = Classification(images, labels, 3, ClassifierSettings(**few))
        more = {"n_middle": 1} if name == "xception" else {}
        make = {"side": 32, "n_classes": 3, "width": 0.1, **more}
        return fit_keras, lambda: build_anomaly_cnn(name, **make), task
    if name == "vgg16_gate":
        planes, days = np.stack([images] * 3, -1), np.linspace(150, 250, 6)
        settings = RegressionSettings(**few, centre=200, scale=30)
        task = Regression(planes, days, settings, (planes[:2], days[:2]))
        how = {"width": 0.125, "hidden": 8}
        return fit_keras, lambda: get_age_network(32, **how), task
    if name == "unet":
        settings = KerasSegmentationSettings(**few, ema=0.9)
        return (
            fit_keras,
            lambda: get_unet(32, 32, 2, 0.3),
            KerasSegmentation(images, masks, settings),
        )
    return torch_fit_of(name, images, masks, TorchSettings(**few, accelerator="cpu"))


def torch_fit_of(name, images, masks, settings):
    import dataclasses

    from torch.nn.functional import cross_entropy, mse_loss

    from fetal_book.chapters.biometry_segmentation.fit import loss_of, segmenter_spec
    from fetal_lib.training.torch_segmentation import Segmentation, SegmentationSettings

    volumes = np.random.default_rng(1).random((4, 1, 16, 16, 16), np.float32)
    if name == "res_unet":
        task = Arrays(
            volumes, (volumes[:, 0] > 0.5).astype(int), settings, of_output(cross_entropy)
        )
        return fit_torch, lambda: get_res_unet_3d(width=2), task
    if name == "resnext":
        ages = np.float32([[0], [1], [2], [3]])
        task = Arrays(volumes, ages, settings, of_output(mse_loss))
        return fit_torch, lambda: get_res_next_3d(8, 4, (1, 1, 1, 1)), task
    listed = LISTED[name]
    given = dataclasses.asdict(settings)
    spec = segmenter_spec(parameters_of(name, {"image_size": 32, "data": "phantom"}), listed)
    task = Segmentation(images, masks, SegmentationSettings(**given), loss_of(spec, 5))
    return fit_torch, lambda: build_network(listed, width=0.0625, image_size=32), task


@pytest.mark.slow
@pytest.mark.parametrize("name", TWELVE)
@pytest.mark.usefixtures("eagerly")
def test_a_fit_that_was_cut_twice_has_the_weights_of_one_that_was_not(name, tmp_path):
    import torch

    fit, build, task = fit_of(name)

    def new():
        keras.utils.set_random_seed(0)
        torch.manual_seed(0)
        return build()

    fit(tmp_path / "whole", new(), task)
    for number in (1, 2):
        with cut_after(number) as cut:
            fit(tmp_path / "cut", new(), task, cut)
    fit(tmp_path / "cut", new(), task)
    whole, cut = (np.load(tmp_path / part / "weights.npz") for part in ("whole", "cut"))
    assert len(read_history(tmp_path / "cut")) == 3
    start = new()
    moved = [np.abs(np.float32(whole[n])).sum() for n in whole.files]
    assert sum(moved) > 0 and start is not None
    for n in whole.files:
        np.testing.assert_allclose(whole[n], cut[n], rtol=2e-3, atol=2e-3)


@pytest.mark.slow
def test_a_training_in_sittings_ends_like_one_of_one_sitting_and_is_scored_once(
    tmp_path, monkeypatch
):
    values = {"image_size": 32, "epochs": 2, "n_phantoms": 12, "precision": "float32"}
    records = {}
    for name, seconds in (("pieces", 1e-3), ("whole", 600)):
        monkeypatch.setenv("FETAL_RUNS", str(tmp_path / name))
        monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
        folder = tmp_path / name / "records"
        folder.mkdir(parents=True)
        one = train_piece("unext", folder, 0, 12, "phantom", values)
        assert (one.state, one.epochs, one.curve, one.sittings) == ("training", 2, [], [])
        one = train_piece("unext", folder, seconds, 12, "phantom")
        if name == "pieces":
            assert (one.done, one.state, one.scores) == (1, "training", [])
            one = train_piece("unext", folder, seconds, 12, "phantom")
        assert (one.done, one.state) == (2, "scored")
        again = train_piece("unext", folder, seconds, 12, "phantom")
        assert again.scores == one.scores and len(again.sittings) == len(one.sittings)
        records[name] = json.loads((folder / "unext.json").read_text("utf-8"))
    pieces, whole = (records[name] for name in ("pieces", "whole"))
    assert pieces["scores"] == whole["scores"]
    assert [row["loss"] for row in pieces["curve"]] == [row["loss"] for row in whole["curve"]]
    assert str(tmp_path) not in json.dumps(records)


def test_a_budget_sets_the_epochs_and_the_record_says_why():
    row = {"network": "unext", "side": "64", "precision": "bfloat16", "seconds_per_image": "0.5"}
    steps = [row | {"cores": "2"}]
    plan = plan_epochs(steps, "unext", 128, "bfloat16", 100, hours=3)
    assert plan.epochs == 20  # 0.5 s * 4 (pixels) * 2 cores * 100 images * 1.3 = 520 s an epoch
    assert (
        "128 of 256 px, 20 of 50 epochs, because a step takes 4 processor seconds" in plan.because
    )
    assert plan_epochs(steps, "unext", 128, "bfloat16", 100, hours=300).epochs == 50
    assert plan_epochs([], "unext", 256, "bfloat16", 100, hours=1).epochs == 50


def test_a_curve_follows_the_history_and_drops_what_the_fit_has_lost():
    record = SizeRecord("unext", "03_biometry_segmentation", "hc18", n_train=10)
    rows = [{"epoch": k, "loss": 1 / k, "val_score": 0.5, "seconds": 2.0} for k in (1, 2, 3)]
    record.follow(rows[:1], "val_score", 5.0)
    record.follow(rows, "val_score", 4.0)
    assert [row["processor_s"] for row in record.curve] == [5.0, 7.0, 11.0]
    assert record.curve[-1]["images"] == 30
    record.follow(rows[:1], "val_score", 4.0)
    assert record.done == 1


def test_a_training_whose_loss_is_no_number_ends_with_a_sentence_and_a_true_record(tmp_path):
    record = SizeRecord("unext", "03_biometry_segmentation", "hc18", n_train=10)
    run = PieceRun(record, parameters_of("unext", {}), tmp_path, tmp_path / "records", 600)
    run.fitting = tmp_path
    rows = [{"epoch": 1, "loss": 0.5, "val_score": 0.5, "seconds": 2.0}]
    rows.append({"epoch": 2, "loss": float("nan"), "val_score": 0.0, "seconds": 2.0})
    (tmp_path / HISTORY).write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    with pytest.raises(DivergedFit, match="loss of epoch 2 is nan; try -p precision=float32"):
        run.progress("epoch", epochs=3, **rows[1])
    record.follow(rows, "val_score", 2.0)
    assert record.done == 1


def test_dilated_convolutions_keep_their_channels_where_they_are_in_16_bits():
    import torch

    from fetal_lib.training.memory_format import channels_last

    def last(network):
        kernels = [one.weight for one in network.modules() if isinstance(one, torch.nn.Conv2d)]
        return any(
            one.is_contiguous(memory_format=torch.channels_last)
            for one in kernels
            if one.shape[2] > 1 and one.shape[1] > 1
        )

    for name, in_16_bits in (("unext", True), ("duck_net_17", False)):
        network = build_network(name, width=0.0625, image_size=32)
        assert last(channels_last(network, "bf16-mixed")) == in_16_bits
        assert last(channels_last(network))


def test_a_ring_that_nowhere_reaches_one_half_is_found_above_a_lower_threshold():
    rng = np.random.default_rng(0)
    ring = np.zeros((2, 32, 32), bool)
    ring[:, 8, 4:28] = ring[:, 24, 4:28] = True
    probs = np.where(ring, 0.28, 0.04) + rng.uniform(-0.02, 0.02, ring.shape)
    assert best_threshold(ring, probs) == 0.25
    assert best_threshold(ring, np.where(ring, 0.9, 0.0)) == 0.5
    assert best_threshold(ring, np.zeros(ring.shape)) == 0.5  # none is better: the usual one


SMALL = {
    "vgg16_gate": {"width": 0.125, "n_pools": 3, "batch_norm": True},
    "separable_cnn": {"separable_epochs": 1},
    "unext_planes": {"members": 1},
    "unet": {},
    "unet_miswired": {},
    "unet_miswired_ring": {},
    "res_unet": {"segmentation_epochs": 1},
    "resnext": {"resnext_width": 16, "resnext_cardinality": 8, "resnext_blocks": "1111"},
}
"""A network of each course, with what makes it narrow."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_course_plans_trains_and_scores(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FETAL_RUNS", str(tmp_path / "runs"))
    network = get_network(name)
    smoke = load_profiles(get_chapter(network.chapter))["smoke"]
    values = smoke | {network.epochs_field: 1} | SMALL[name]
    record = train_piece(name, tmp_path / "records", 600, 12, "phantom", values)
    assert (record.state, record.done) == ("scored", 1)
    assert any(row["metric"] == network.metric and row["ci95"] for row in record.scores)
    assert record.counted > 0 and record.inference_ms > 0 and record.sittings[0]["epochs"] == 1
    from_masks = {row["model"] for row in record.scores if row["metric"] == "rmse_mm"}
    assert from_masks == ({"vgg16_mask", "vgg16_mask_pixel_size"} if name == "unet" else set())
    above = [row["model"] for row in record.scores if row["model"].startswith(f"{name}_above_")]
    assert len(above) == (name == "unet_miswired_ring")
    if name == "unext_planes":  # phantoms have heads and abdomens
        of = {row["data"].partition(", ")[2] for row in record.scores if row["metric"] == "dice"}
        assert of == {"", "head", "abdomen"}


@pytest.mark.slow
def test_a_training_takes_the_epochs_that_were_planned_for_it(tmp_path, monkeypatch):
    from fetal_book.published_size import train

    monkeypatch.setenv("FETAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(train, "plan_epochs", lambda *_: Plan(2, "two"))
    values = {"image_size": 32, "n_phantoms": 12, "precision": "float32"}
    record = train_piece("unext", tmp_path / "records", 600, 12, "phantom", values)
    assert (record.epochs, record.done, record.state) == (2, 2, "scored")


@pytest.mark.slow
def test_an_archive_trains_and_scores_without_data_or_checkout(tmp_path, monkeypatch):
    import os
    import subprocess
    import sys
    import tarfile

    from fetal_book.published_size.pack import PackError, pack

    monkeypatch.setenv("FETAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FETAL_CACHE", str(tmp_path / "cache"))
    values = {"image_size": 32, "epochs": 1, "n_phantoms": 12, "precision": "float32"}
    out = pack(tmp_path / "small.tar.gz", PROJECT, ["unext", "trans_unet"], 1, "phantom", values)
    assert out.stat().st_size < 16 * 2**20
    with pytest.raises(PackError, match="of 2 chapters"):
        pack(out, PROJECT, ["unext", "cnn"])
    with tarfile.open(out) as archive:
        archive.extractall(tmp_path / "away", filter="data")
    script = tmp_path / "away" / "published_size" / "start.sh"
    only = script.read_text("utf-8").replace("in unext trans_unet;", "in unext;")
    script.write_text("\n".join(line for line in only.splitlines() if " size steps " not in line))
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("FETAL", "PYTHONPATH"))}
    alone |= {"PYTHON": sys.executable}
    subprocess.run(["sh", str(script), "1"], check=True, env=alone, cwd=tmp_path)
    record = json.loads((script.parent / "records" / "unext.json").read_text("utf-8"))
    assert (record["state"], len(record["curve"])) == ("scored", 1)
    assert (script.parent / "records.tar.gz").is_file()
