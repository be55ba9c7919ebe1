"""The network that finds heads for chapter 02: the shipped one, and its training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from fetal_book.chapters.brain_anomalies import head_finder
from fetal_lib.data.images import squash
from fetal_lib.predict.brain_view import FINDER, find_head, load_head_finder
from fetal_lib.predict.head_model import load_head_model
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.anomalies.labels import LABELS
from fetal_phantoms.anomalies.phantom import make_anomaly
from fetal_phantoms.head import write_head_set
from fetal_phantoms.reserved import HEAD_FINDER

pytestmark = pytest.mark.slow


def test_shipped_network_finds_the_heads_of_all_classes() -> None:
    finder = load_head_finder()
    overlaps = []
    for k, label in enumerate(LABELS * 2):
        phantom = make_anomaly(60_000 + k, label, image_size=(240, 324))
        probs = finder.probs(squash(phantom.image, finder.shape)[None])[0]
        found = find_head(probs, phantom.image.shape)
        if found is None:
            overlaps.append(0.0)
            continue
        mask = found.mask(phantom.image.shape)
        overlaps.append((mask & phantom.head).sum() / (mask | phantom.head).sum())
    assert np.mean(np.array(overlaps) > 0.8) >= 0.9
    assert np.median(overlaps) > 0.92


def test_shipped_network_leaves_most_abdomens_alone() -> None:
    finder = load_head_finder()
    images = [squash(make_abdomen(61_000 + k).image, finder.shape) for k in range(16)]
    found = [find_head(probs, probs.shape) for probs in finder.probs(np.stack(images))]
    assert sum(one is None for one in found) >= 12


def test_card_of_the_shipped_network_says_how_it_was_made() -> None:
    card = (FINDER / "card.md").read_text(encoding="utf-8")
    assert "head_finder" in card and "HC18" in card and str(HEAD_FINDER) in card


def test_training_writes_a_model_that_loads_and_a_card_with_its_scores(tmp_path: Path) -> None:
    hc18 = write_head_set(tmp_path / "heads", 16, 0)
    rows = []
    model = head_finder.train_head_finder(
        hc18, tmp_path / "finder", n_patients=16, n_abdomens=8, epochs=2,
        progress=lambda event, **row: rows.append(row),
    )  # fmt: skip
    assert [row["epoch"] for row in rows] == [1, 2]
    spec = json.loads((tmp_path / "finder" / "model.json").read_text())
    assert (spec["height"], spec["n_filters"]) == (head_finder.SIDE, head_finder.N_FILTERS)
    card = (tmp_path / "finder" / "card.md").read_text(encoding="utf-8")
    assert "brain phantoms held out" in card and "Abdomens held out" in card
    image = np.random.default_rng(0).integers(0, 256, (1, *model.shape), np.uint8)
    again = load_head_model(tmp_path / "finder")
    assert np.allclose(model.probs(image), again.probs(image), atol=1e-3)


def test_held_out_examinations_share_nothing_with_the_rest(tmp_path: Path) -> None:
    hc18 = write_head_set(tmp_path / "heads", 16, 0)
    images, masks, held = head_finder.real_heads(hc18)
    assert images.shape == masks.shape and 0 < held.sum() < len(held) / 2
    from fetal_lib.data.layouts.heads import read_cases

    names = read_cases(hc18)["examination"].to_numpy(str)
    assert not set(names[held]) & set(names[~held])
