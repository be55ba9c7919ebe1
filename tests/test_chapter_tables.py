"""The tables and the model card that all chapters share."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from fetal_book.chapters.model_card import model_card
from fetal_book.chapters.tables import plain, pretty, ranking, results_table

BASE = {"data": "made up", "split": "test", "metric": "mae_years", "unit": "years", "n": 30}
ROWS = [
    BASE | {"model": "mean", "value": 16.0, "ci95": (15, 17)},
    BASE | {"model": "sfcn", "value": 6.0, "ci95": (5, 7)},
    BASE | {"model": "sfcn", "metric": "r2", "value": 0.75, "ci95": None, "n": 31},
    BASE | {"model": "sfcn", "split": "val", "value": 1.0, "ci95": (0, 2)},
]


def test_results_have_a_row_a_model_with_the_digits_of_their_unit():
    table = plain(results_table(ROWS, ("mae_years", "r2", "ccc")))
    assert list(table.columns) == ["model", "n", "MAE (y)", "R²"]
    assert table.values.tolist() == [
        ["mean", "30", "16.00 (15.00 to 17.00)", ""],
        ["sfcn", "31", "6.00 (5.00 to 7.00)", "0.750"],
    ]
    assert list(results_table([], ("mae_years",)).columns) == ["model", "n"]
    assert results_table(ROWS, ("r2",), by=("model", "data"))["data"].tolist() == ["made up"]


def test_the_best_model_comes_first_whichever_way_the_metric_points():
    assert ranking(ROWS, "mae_years")["model"].tolist() == ["sfcn", "mean"]
    shares = [r | {"metric": "dice", "ci95": (r["value"], r["value"])} for r in ROWS]
    assert ranking(shares, "dice")["model"].tolist()[0] == "mean"


def test_shown_tables_keep_their_signs_and_say_when_they_are_empty():
    row = {"flag": "SGA (< 10th)", "p": 2.5e-7, "n": 12345, "x": np.nan}
    html = pretty(pd.DataFrame([row])).to_html()
    assert all(text in html for text in ("SGA (&lt; 10th)", "2.5e-07", "12,345", "–"))
    assert "nothing in this run has what it needs" in pretty(pd.DataFrame()).to_html()


def test_shown_ends_of_an_interval_without_width_are_left_out():
    rows = [{"f1": 1.0, "f1_low": 1.0, "f1_high": 1.0}, {"f1": 0.8, "f1_low": 0.6, "f1_high": 0.9}]
    text = pretty(pd.DataFrame(rows)).to_html()
    assert text.count("1.000") == 1 and text.count("–") == 2 and "0.600" in text


def test_a_model_card_lists_the_test_rows_and_the_intended_use():
    run = SimpleNamespace(rows=ROWS, parameters=SimpleNamespace(profile="quick", seed=3))
    card = model_card(run, "sfcn", "Age", "`made up`", "; ages 20 to 90.", ["A note."], "A limit.")
    assert "profile `quick`, seed 3; ages 20 to 90." in card
    assert "| mae_years | 6 | years | 30 |\n| r2 | 0.75 | years | 31 |\n\nA note.\n" in card
    assert card.endswith("Not for clinical decisions. A limit.\n")
