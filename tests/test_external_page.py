"""External validation: the numbers beside the models, what was declined, whose interval held."""

import numpy as np
import pandas as pd
import pytest
import yaml
from test_book import BOOK, PROJECT, write_run
from test_claims import millimetres

from fetal_book.chapters.shipped_elsewhere import COLUMNS, NAME, SCORERS, row_of
from fetal_book.site.external_page import shipped, write_external
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

CHAPTER = "04_head_circumference"
CARD = {
    "name": "heads",
    "title": "Heads",
    "chapter": CHAPTER,
    "shipped": "heads",
    "scored_as": "unet",
    "command": "predict hc",
    "intended": "Teaching.",
    "not_seen": "Others.",
    "limits": ["One hospital."],
    "fails": ["Dark scans."],
}


def cases(n=40):
    """Return heads of twenty fetuses, 4 mm too large, every second inside; four declined."""
    true = np.linspace(100, 300, n)
    half = np.where(np.arange(n) % 2, 5.0, 3.0)
    pred = np.where(np.arange(n) < 4, np.nan, true + 4)
    columns = {"group": np.arange(n) // 2, "true": true, "pred": pred}
    return pd.DataFrame(columns | {"low": pred - half, "high": pred + half})


def test_errors_and_coverage_are_of_the_answered_and_the_declined_are_counted():
    row = row_of(cases(), "a_set", "heads", "adf_mm", 0.9)
    assert (row["n"], row["groups"], row["declined"]) == (40, 20, 4)
    assert row["value"] == pytest.approx(4.0) and row["coverage"] == 0.5
    assert tuple(sorted(row)) == tuple(sorted(COLUMNS))
    with pytest.raises(UserError, match="0 of 4 cases were answered"):
        row_of(cases()[:4], "a_set", "heads", "adf_mm", 0.9)


def test_a_score_counts_itself_and_has_neither_coverage_nor_promise():
    scores = pd.DataFrame({"group": np.arange(6) // 2, "score": [0.9, 0.8, np.nan, 0.7, 0.9, 0.8]})
    row = row_of(scores, "a_set", "heads", "dice", None)
    assert (row["n"], row["declined"], row["promised"]) == (6, 1, None)
    assert row["value"] == pytest.approx(0.82) and "coverage" not in row


def test_the_page_sets_shipped_models_and_runs_on_other_sets_side_by_side(tmp_path):
    row = row_of(cases(), "a_set", "heads of two cities", "adf_mm", 0.9)
    for name in ("heads", "untested"):
        folder = tmp_path / "fetal_lib" / "pretrained" / name
        write_json(folder / "model.json", {"trained_on": "HC18"})
    heads = tmp_path / "fetal_lib" / "pretrained" / "heads" / NAME
    heads.write_text(pd.DataFrame([row], columns=list(COLUMNS)).to_csv(index=False))
    (tmp_path / "book").mkdir()
    cards = [CARD, CARD | {"name": "other", "title": "Untested", "shipped": "untested"}]
    cards[1]["elsewhere"] = "all sets are learnt from"
    text = yaml.safe_dump({"models": cards, "phantoms": []})
    (tmp_path / "book" / "cards.yml").write_text(text, encoding="utf-8")
    kept = tmp_path / "book" / "published" / CHAPTER / "from-phantoms"
    rows = millimetres("unet", "test", 1.1), millimetres("unet", "external", 7.7, data="hc18")
    write_run(kept, *rows, data="phantom")
    asked = [
        millimetres(f"unet_heads_of_{taught}", "protocol", value, data="a_set")
        for taught, value in (("hc18", 9.5), ("both", 7.7))
    ]
    joined = tmp_path / "book" / "published" / "03_biometry_segmentation" / "joined"
    write_run(joined, *asked, data="hc18", chapter="03_biometry_segmentation")
    write_external(tmp_path, [])
    page = (tmp_path / "book" / "generated" / "external.md").read_text("utf-8")
    assert "| HC18 → **a_set**: heads of two cities | 40 (10.0%) | `adf_mm` 4.00 mm" in page
    assert "promised 0.9 |" in page and "| phantoms → **hc18** | 9 (–) | `adf_mm` 7.70 mm" in page
    assert "- Untested: all sets are learnt from.\n" in page and "- Heads: " not in page
    assert "| **hc18, shipped** | 4.00 mm" in page  # learnt on HC18, asked on the other set
    assert "| **phantoms, network of chapter 04** |" in page  # another model, a row of its own
    assert "| **both, U-Net of chapter 03** | 7.70 mm, n 9 |" in page  # one hospital's, or both's
    assert (tmp_path / "book" / "generated" / "external.png").is_file()


def test_what_is_shipped_names_a_set_that_the_model_did_not_learn_from():
    for (model, data), (_, _, _, promised) in SCORERS.items():
        found = pd.read_csv(PROJECT / "fetal_lib" / "pretrained" / model / NAME)
        assert data in set(found["data"]) and set(found["promised"].dropna()) == {promised} - {None}
    found, missing = shipped(BOOK.parent)
    assert all(len(why.split()) > 5 for why in missing.values())
    assert all(f"**{one.learnt_from.lower()}**" not in one.data.lower() for one in found)
