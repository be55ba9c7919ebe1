"""Scores of reference runs follow from their published cases, without data and networks."""

import shutil

import pandas as pd
import pytest
from test_book import BOOK

from fetal_book.runs.recompute import TABLES, means, recompute

KEPT = sorted(
    path.parents[1]
    for chapter, (name, _) in TABLES.items()
    for path in (BOOK / "published" / chapter).glob(f"*/tables/{name}.csv")
)


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_what_a_run_prints_is_what_its_cases_give(folder):
    scores = recompute(folder.parent.name, folder)
    assert len(scores) >= 4 and all(one.same for one in scores), scores


def test_a_case_that_was_changed_is_found(tmp_path):
    folder = shutil.copytree(KEPT[0], tmp_path / "run")
    name, _ = TABLES[KEPT[0].parent.name]
    path = folder / "tables" / f"{name}.csv"
    cases = pd.read_csv(path)
    cases.loc[0, "pred_days"] += 1.0
    cases.to_csv(path, index=False)
    off = {one.metric for one in recompute(KEPT[0].parent.name, folder) if not one.same}
    assert {"mae_days", "rmse_days"} <= off


def test_heads_that_were_not_found_are_left_out_of_a_distance():
    rows = [("unet", 0.9, 2.0), ("unet", 0.0, None), ("mean", None, 40.0)]
    found = means("dice", "adf_mm", "hd_mm")(
        pd.DataFrame(rows, columns=["model", "dice", "adf_mm"])
    )
    assert found[("unet", "adf_mm")] == 2.0 and found[("unet", "dice")] == 0.45
    assert found[("mean", "adf_mm")] == 40.0
