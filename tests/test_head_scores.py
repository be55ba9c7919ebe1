"""Scores of measured heads: closed forms, heads that were not found, one examination alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_up_folders import biometry

from fetal_book.chapters.head_circumference.external import read_heads, score_external
from fetal_book.chapters.head_circumference.scores import (
    add_scores,
    outline_distance,
    score_ellipses,
    size_scores,
)
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_lib.geometry.ellipse import Ellipse

HEAD = Ellipse(60, 50, 40, 30, 0.0)
TABLE = pd.DataFrame({"image": ["a", "b"], "examination": ["1", "2"], "pixel_size_mm": [0.1, 0.2]})
TABLE["hc_mm"] = [HEAD.perimeter * size for size in TABLE["pixel_size_mm"]]


def means_of(scores: pd.DataFrame) -> dict[str, dict]:
    rows: list[dict] = []
    run = SimpleNamespace(data_name="d", parameters=SimpleNamespace(seed=0))
    run.add_result = lambda **row: rows.append(row)
    add_scores(run, "m", scores)
    return {row["metric"]: row for row in rows}


def arrays() -> HeadArrays:
    small = np.zeros((2, 32, 32), np.uint8)
    return HeadArrays(small, small, small, np.array([[100, 120]] * 2), (HEAD, HEAD))


def test_a_head_moved_by_three_pixels_is_that_many_millimetres_off():
    scores = score_ellipses(TABLE, arrays(), [HEAD.moved(3, 0)] * 2)
    assert scores["hd_mm"].tolist() == pytest.approx([0.3, 0.6], rel=1e-4)
    assert scores["df_mm"].tolist() == pytest.approx([0, 0], abs=1e-9)
    assert (scores["dice"] < 1).all() and (scores["precision"] == scores["recall"]).all()


@pytest.mark.parametrize("pixels", [0.2, 1.0, 3.0])
def test_the_distance_of_outlines_is_exact_however_near_they_are(pixels):
    assert outline_distance(HEAD.moved(pixels, 0), HEAD) == pytest.approx(pixels, rel=1e-3)
    circle = Ellipse(60, 50, 40, 40, 0.0)
    wider = Ellipse(60, 50, 40 + pixels, 40 + pixels, 0.0)
    assert outline_distance(circle, wider) == pytest.approx(pixels, rel=1e-3)


def test_the_distance_of_outlines_agrees_with_scipy():
    from scipy.spatial.distance import directed_hausdorff

    rng = np.random.default_rng(0)
    for _ in range(3):
        other = Ellipse(*np.array([60, 50, 40, 30, 0.1]) + rng.normal(0, [2, 2, 1, 1, 0.02]))
        a, b = HEAD.boundary(20_000), other.boundary(20_000)
        theirs = max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0])
        assert outline_distance(HEAD, other) == pytest.approx(theirs, rel=1e-3)


def test_a_head_that_was_not_found_scores_no_overlap_and_has_no_distance():
    scores = score_ellipses(TABLE, arrays(), [HEAD, None])
    assert scores["dice"].tolist() == [1, 0]
    rows = means_of(scores)
    assert rows["dice"]["n"] == 2 and rows["hd_mm"]["n"] == rows["adf_mm"]["n"] == 1
    assert rows["dice"]["ci95"] == (0, 1)
    assert rows["hd_mm"]["ci95"] is rows["adf_mm"]["ci95"] is None  # of one examination


def test_sizes_alone_are_scored_by_their_differences():
    scores = size_scores(TABLE, TABLE["hc_mm"].to_numpy() + [2.0, -4.0])
    assert scores["df_mm"].tolist() == pytest.approx([2, -4])
    rows = {metric: row["value"] for metric, row in means_of(scores).items()}
    assert rows == {"df_mm": pytest.approx(-1), "adf_mm": pytest.approx(3)}


def test_a_model_is_scored_on_heads_with_callipers_as_on_rings(tmp_path):
    folder, rows = biometry(tmp_path, scale=20), []
    table, heads = read_heads(folder, (96, 96))
    assert len(table) == len(heads) == 2 and set(table["structure"]) == {"head"}
    model = SimpleNamespace(shape=(96, 96), spec=SimpleNamespace(relative_half_width=0.1))
    model.probs = lambda images: heads.masks / 255
    run = SimpleNamespace(add_result=lambda **row: rows.append(row))
    run.parameters = SimpleNamespace(external_data=str(folder), seed=0)
    shown = score_external(run, run.parameters, model)
    found = {row["metric"]: row["value"] for row in rows}
    assert len(shown) == 2 and found["dice"] > 0.99
    assert found["adf_mm"] < 0.1 and found["coverage"] == 1
    assert {row["split"] for row in rows} == {"external"}
