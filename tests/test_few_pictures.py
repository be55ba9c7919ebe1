"""Few pictures: folds keep cases apart, a class of one case is never named, and tables say so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fetal_book.chapters.brain_anomalies.data import LABELS
from fetal_book.chapters.brain_anomalies.few import CHOSEN, Candidate, Pictures, try_candidates
from fetal_book.chapters.brain_anomalies.few_layers import GROUP_OF, GROUPS, LAYERS

KINDS = (0, 1, 4, 6, 15)
"""The last rests on one case."""


def some_pictures(told: float = 3.0) -> Pictures:
    """Return pictures of 25 cases whose class stands in the features as clearly as told."""
    rng = np.random.default_rng(0)
    labels = np.repeat([k for k in KINDS[:-1] for _ in range(6)] + [KINDS[-1]], 3)
    cases = np.repeat([f"c{i}" for i in range(25)], 3)
    names = np.eye(len(LABELS), dtype=bool)[labels]
    clear = rng.normal(size=(len(labels), 20))
    clear[np.arange(len(labels)), np.searchsorted(KINDS, labels)] += told
    blind = rng.normal(size=(len(labels), 20))
    seen = {"clear": clear, "blind": blind}
    return Pictures(seen, seen, labels, names, cases)


CANDIDATES = (Candidate("clear", ("clear",)), Candidate("blind", ("blind",)))


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_layer_names_what_its_features_tell_and_returns_shares(layer):
    pictures = some_pictures(6.0)
    x, held = pictures.trained["clear"][::2], pictures.asked["clear"][1::2]
    labels, names = pictures.labels[::2], pictures.names[::2]
    probs = LAYERS[layer](x, labels, names, np.ones(len(x)), 0.3, held)
    np.testing.assert_allclose(probs.sum(1), 1)
    assert probs.min() >= 0 and set(np.flatnonzero(probs.any(0))) == set(KINDS)
    assert (probs.argmax(1) == pictures.labels[1::2]).mean() > 0.9


def test_the_tree_has_every_class_once():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(LABELS)
    assert len(GROUP_OF) == len(LABELS) and (GROUP_OF == 0).sum() == 1


def test_inner_folds_choose_what_knows_and_a_class_of_one_case_is_never_named():
    from fetal_book.chapters.brain_anomalies import few_tables

    pictures = some_pictures()
    trial = try_candidates(pictures, 2, candidates=CANDIDATES)
    assert set(trial.chosen) == {"clear"} and len(trial.chosen) == 10
    alone = pictures.labels == KINDS[-1]
    assert (trial.probs[CHOSEN][:, alone].argmax(2) != KINDS[-1]).all()
    rows = []
    run = SimpleNamespace(add_result=lambda **row: rows.append(row))
    table = few_tables.candidates_table(run, pictures, trial).set_index("candidate")
    assert table.loc["clear", "macro-F1"] == table.loc[CHOSEN, "macro-F1"]
    scores = {(row["model"], row["metric"]): row for row in rows}
    several = scores["few_pictures_several_cases", "macro_f1"]
    assert several["n"] == (~alone).sum() and several["value"] > 0.8
    for row in rows:
        assert row["ci95"][0] <= row["value"] <= row["ci95"][1]
    within = few_tables.within_source_table(pictures, trial)
    assert isinstance(within, pd.DataFrame) and len(within) == len(KINDS) - 1
    assert (within["cases"] == 6).all()


def test_no_case_stands_on_both_sides_of_a_fold(monkeypatch):
    from fetal_book.chapters.brain_anomalies import few

    pictures, asked = some_pictures(), []

    def answer(one, given, train, test, strength):
        assert not set(given.cases[train]) & set(given.cases[test])
        asked.append(len(test))
        return np.full((len(test), len(LABELS)), 1 / len(LABELS))

    monkeypatch.setattr(few, "answer", answer)
    few.try_candidates(pictures, 1, candidates=CANDIDATES[:1])
    assert sum(asked) > len(pictures.labels)


def test_one_picture_under_two_names_is_shown_with_both_files(tmp_path):
    from made_up_scans import save, scan

    from fetal_book.chapters.brain_anomalies.clashes import clash_words, name_clashes

    rows = []
    for name, seed, label, picture in (
        ("a", 0, "porencephaly", "p"), ("b", 0, "arachnoid_cyst", "p"),
        ("c", 1, "porencephaly", "p"), ("d", 2, "normal", "q"),
    ):  # fmt: skip
        path = save(tmp_path / f"{name}.png", scan(seed, (48, 64))) or tmp_path / f"{name}.png"
        rows.append({"image": f"{name}.png", "image_path": path, "label": label})
        rows[-1] |= {"picture": picture, "part": "train"}
    cases = SimpleNamespace(table=pd.DataFrame(rows), __len__=lambda: 4)
    pairs, images = name_clashes(cases)
    (pair,) = pairs.to_dict("records")
    assert (pair["image_a"], pair["image_b"], pair["exact"], pair["bits"]) == (
        "b.png", "a.png", True, 0,
    )  # fmt: skip
    assert set(images) == {"a.png", "b.png"}
    none, _ = name_clashes(SimpleNamespace(table=cases.table.drop(columns="picture")))
    assert clash_words(cases, none).startswith("No picture")
