"""A column that knows the answer: OFD by the side of a crop that was cut around it, no picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.case_scores import interval_of
from fetal_book.chapters.flaws import add_difference
from fetal_lib.baselines.head_size import fit_pixel_size_regression
from fetal_lib.data.layouts import fetal_biometry
from fetal_lib.metrics.intervals import with_interval

if TYPE_CHECKING:
    from fetal_book.runs.session import Run

FLAWED, HONEST = "ofd_by_crop_scale", "ofd_by_pixel_size"
WAYS = {
    FLAWED: "the crop's scale",
    HONEST: "the pixel size, a quadratic",
    "ofd_by_mean": "the mean",
}


def ofd_without_pictures(run: Run, table: pd.DataFrame, folders: list[Path]) -> pd.DataFrame:
    """Predict the OFD of test heads by columns alone, each fitted on the training part.

    ``OFD = c × scale × pixel size`` with ``c`` the median of the training part; a quadratic in
    the pixel size; the mean. The table has ``part``; it is empty where no set has such a column.
    """
    heads = _heads(table, folders)
    train, test = (heads[heads["part"] == part] for part in ("train", "test"))
    if test.empty or train["pixel_size_mm"].nunique() < 3:
        return pd.DataFrame(columns=["OFD by", "n", "subjects", "ADF (mm)", "ADF (%)"])
    factor = float((train["ofd_mm"] / (train["scale"] * train["pixel_size_mm"])).median())
    size, true = test["pixel_size_mm"].to_numpy(float), test["ofd_mm"].to_numpy(float)
    by_size = fit_pixel_size_regression(train["pixel_size_mm"], train["ofd_mm"]).predict(size)
    guesses = (factor * test["scale"] * size, by_size, np.full(len(test), train["ofd_mm"].mean()))
    off = {name: np.abs(g - true) for name, g in zip(WAYS, map(np.asarray, guesses), strict=True)}
    subjects, rows = test["subject"].to_numpy(), []
    for name, gap in off.items():
        ci95 = interval_of(gap, subjects, run.parameters.seed)
        known = {"model": name, "data": test["source"].iloc[0], "split": "protocol"}
        run.add_result(**known, metric="adf_mm", value=float(gap.mean()), n=len(gap), ci95=ci95)
        row = {"OFD by": WAYS[name], "n": len(gap), "subjects": len(np.unique(subjects))}
        row |= {"ADF (mm)": with_interval(gap.mean(), ci95, 2)}
        rows.append(row | {"ADF (%)": 100 * float((gap / true).mean())})
    pair = (off[FLAWED], off[HONEST])
    both = (subjects, subjects)
    add_difference(run, (FLAWED, HONEST), "adf_mm", pair, groups=both, trainings=0)
    return pd.DataFrame(rows)


def _heads(table: pd.DataFrame, folders: list[Path]) -> pd.DataFrame:
    """Return the heads of a table whose set describes a crop, with its ``scale``."""
    parts = []
    for source, folder in zip(table["source"].unique(), folders, strict=True):
        scales = fetal_biometry.read_crop_scales(folder)
        own = table[(table["source"] == source) & (table["structure"] == "head")]
        parts.append(own.assign(scale=[scales.get(path.stem) for path in own["image_path"]]))
    heads = pd.concat(parts).astype({"scale": float})
    return heads.dropna(subset=["scale", "ofd_mm"])
