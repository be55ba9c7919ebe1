"""The shipped start of chapter 02's Xception: what it measures, its training, its worth."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("keras")

from fetal_book.chapters.brain_anomalies import backbone, starts
from fetal_book.chapters.brain_anomalies.data import find_data
from fetal_book.parameters.brain_anomalies import BrainAnomaliesParameters
from fetal_lib.models.anomaly_cnns import build_xception
from fetal_lib.models.measuring_xception import (
    MEASURING,
    MIDDLE,
    N_OUTPUTS,
    SIDE,
    WIDTH,
    load_measuring,
)
from fetal_lib.models.weights import load_weights
from fetal_lib.training.keras_forward import forward
from fetal_phantoms.reserved import HEAD_FINDER, XCEPTION_MEASURES


def test_measures_are_shares_of_the_head_and_unknown_where_the_plane_does_not_show_them() -> None:
    found = backbone.measures_of({"ofd_mm": 100.0, "atrium_mm": 12.0, "other_atrium_mm": 9.0,
                                  "frontal_horn_mm": 3.0, "mass_mm": 20.0})  # fmt: skip
    named = dict(zip(backbone.OUTPUTS, found, strict=True))
    assert len(found) == N_OUTPUTS
    assert (named["atrium_mm"], named["mass_mm"], named["cyst_mm"]) == (0.12, 0.2, 0.0)
    assert np.isnan(named["tcd_mm"]) and np.isnan(named["cm_mm"])
    assert named["log of the head's length in mm"] == pytest.approx(np.log(100.0))
    assert named["log of the atrium in mm"] == pytest.approx(np.log(12.0))
    assert (named["atria shown"], named["cerebellum shown"]) == (1.0, 0.0)


@pytest.mark.slow
def test_shipped_weights_measure_phantoms_that_they_have_not_seen() -> None:
    network = build_xception(SIDE, N_OUTPUTS, WIDTH, MIDDLE)
    load_weights(network, MEASURING)
    views, measures = backbone.measured_views(64, seed=51)
    found = forward(network, views)
    for name in ("atrium_mm", "cm_mm", "cerebellum shown", "log of the head's length in mm"):
        k = backbone.OUTPUTS.index(name)
        known = np.isfinite(measures[:, k])
        assert known.sum() >= 20
        assert np.corrcoef(found[known, k], measures[known, k])[0, 1] > 0.85, name


@pytest.mark.slow
def test_shipped_weights_reach_a_network_of_their_width_and_no_other() -> None:
    network = build_xception(SIDE, 16, WIDTH, MIDDLE)
    top = network.layers[-1].get_weights()[0].copy()
    source = build_xception(SIDE, N_OUTPUTS, WIDTH, MIDDLE)
    load_weights(source, MEASURING)
    load_measuring(network)
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE), np.uint8)
    import keras

    features = [
        keras.Model(one.input, one.get_layer("features").output).predict(
            image[..., None] / np.float32(255), verbose=0
        )
        for one in (network, source)
    ]
    assert np.array_equal(*features)
    assert np.array_equal(network.layers[-1].get_weights()[0], top)
    with pytest.raises(ValueError, match="xception_weights=none"):
        load_measuring(build_xception(SIDE, 16, 0.1, 0))


@pytest.mark.slow
def test_training_writes_weights_and_a_card_with_its_scores(tmp_path) -> None:
    told = []
    explained = backbone.train_backbone(
        tmp_path / "new", 40, 1, lambda event, **row: told.append(row["loss"])
    )
    assert set(explained) == set(backbone.OUTPUTS) and len(told) == 1
    card = (tmp_path / "new" / "card.md").read_text(encoding="utf-8")
    assert str(XCEPTION_MEASURES) in card and "36 brain phantoms" in card
    spec = json.loads((tmp_path / "new" / "model.json").read_text(encoding="utf-8"))
    assert tuple(spec["outputs"]) == backbone.OUTPUTS
    load_weights(build_xception(SIDE, N_OUTPUTS, WIDTH, MIDDLE), tmp_path / "new" / "weights.npz")


class _Cases:
    def __init__(self, labels: np.ndarray) -> None:
        self.labels, self.groups = labels, np.arange(len(labels)).astype(str)

    def part(self, name: str) -> _Cases:
        assert name == "test"
        return self


@pytest.mark.parametrize("start", ["measures", "none"])
def test_the_start_is_compared_with_random_weights_unless_they_were_the_start(
    start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.tile(np.arange(16), 3)
    wrong = np.eye(16)[(labels + (np.arange(48) < 24)) % 16] * 0.9 + 0.1 / 16
    monkeypatch.setattr(starts, "_from_random", lambda run, cases, chosen: (wrong, [{"epoch": 1}]))
    added: list[dict] = []
    known = {"split": "test", "metric": "macro_f1", "value": 1.0, "n": 48, "ci95": (1.0, 1.0)}
    run = SimpleNamespace(
        parameters=SimpleNamespace(xception_weights=start, seed=0),
        add_result=lambda **row: added.append(row),
        rows=added,
    )
    probs, history = starts.train_random_start(run, _Cases(labels))
    added.append({"model": "xception"} | known)
    table = starts.starts_table(run)
    assert history == ([] if start == "none" else [{"epoch": 1}])
    assert table["macro_f1"][0] == 1.0 and table["start"][0] == start
    if start == "none":
        assert len(table) == 1 and len(added) == 1 and not probs
        return
    np.testing.assert_array_equal(probs["xception_random"], wrong)
    assert table["start"].tolist() == ["measures", "none"]
    assert table["macro_f1"][1] == pytest.approx(0.5, abs=0.05)
    assert {row["model"] for row in added[:-1]} == {"xception_random"}


@pytest.mark.parametrize("seed", [HEAD_FINDER, XCEPTION_MEASURES])
def test_a_run_on_the_phantoms_of_a_shipped_network_is_refused(seed: int) -> None:
    p = BrainAnomaliesParameters.check({"seed": seed})
    with pytest.raises(ValueError, match="use another one"):
        find_data(p)
