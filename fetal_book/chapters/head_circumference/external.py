"""Real heads: an external set scored in this run, and the published reference runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.chapters.case_scores import interval_of
from fetal_book.chapters.head_circumference.report import tiles
from fetal_book.chapters.head_circumference.scores import add_scores, measure_heads, score_ellipses
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.case_gallery import Tile
from fetal_book.runs.folder import data_name
from fetal_book.runs.published import published_folder, published_runs, score_text
from fetal_book.runs.session import Run
from fetal_lib.data.bad_files import stream
from fetal_lib.data.images import squash
from fetal_lib.data.kinds import PHANTOM
from fetal_lib.data.layouts import fetal_biometry
from fetal_lib.data.layouts.heads import HeadArrays, coverage_mask, load_arrays, read_cases
from fetal_lib.geometry.callipers import ellipse_from_diameters
from fetal_lib.predict.head_model import HeadModel

CHAPTER = "04_head_circumference"
SHOWN = ("dice", "hd_mm", "df_mm", "adf_mm", "coverage")


def score_external(
    run: Run, parameters: HeadCircumferenceParameters, model: HeadModel
) -> list[Tile]:
    """Score a model on a set that had no part in its training; add the rows to the run.

    Returns right and wrong heads of it, for a gallery.
    """
    p = parameters
    table, arrays = read_heads(Path(p.external_data), model.shape)
    _, measured = measure_heads(model, table, arrays)
    scores = score_ellipses(table, arrays, [m.ellipse for m in measured])
    name = data_name(p.external_data)
    add_scores(run, "unet", scores, "external", name)
    kept = scores.dropna(subset=["hc_pred_mm"])
    half = model.spec.relative_half_width * kept["hc_pred_mm"]
    inside = (kept["df_mm"].abs() <= half).to_numpy()
    ci95 = interval_of(inside, kept["examination"], p.seed)
    label = {"model": "unet", "data": name, "split": "external", "metric": "coverage"}
    run.add_result(**label, value=inside.mean(), n=len(inside), ci95=ci95)
    shown = scores.assign(image_path=table["image_path"].to_numpy())
    found = [m.ellipse for m in measured]
    return tiles(shown, arrays.ellipses, found)


def read_heads(folder: Path, shape: tuple[int, int]) -> tuple[pd.DataFrame, HeadArrays]:
    """Return the heads of a folder in HC18's layout, or of one with callipers.

    Callipers have no ring: the ellipse is that of the two diameters, and ``outlines`` is empty.
    """
    if not fetal_biometry.LAYOUT.detect(folder):
        table = read_cases(folder)
        return table, load_arrays(table, shape)
    table = fetal_biometry.read_cases(folder).rename(columns={"subject": "examination"})
    table = table[table["structure"] == "head"].reset_index(drop=True)
    ellipses = tuple(ellipse_from_diameters(*lines) for lines in table["lines"])
    images, masks, sizes = [], [], []
    scans = (scan for scan, _ in stream(table.itertuples(index=False), fetal_biometry.read))
    for scan, ellipse in zip(scans, ellipses, strict=True):
        images.append(squash(scan, shape))
        masks.append(coverage_mask(ellipse, scan.shape, shape))
        sizes.append(scan.shape)
    outlines = np.zeros((len(table), *shape), np.uint8)
    return table, HeadArrays(np.array(images), np.array(masks), outlines, np.array(sizes), ellipses)


def published_table() -> pd.DataFrame:
    """Return the reference runs on real heads: a row a run, text with intervals."""
    lines = []
    for published in published_runs(CHAPTER):
        trained = data_name(str(published.parameters["data"]))
        for split in ("test", "external"):
            rows = [r for r in published.rows if r["model"] == "unet" and r["split"] == split]
            real = [r for r in rows if r["data"] != "phantom" and r["metric"] in SHOWN]
            if not real:
                continue
            line = {"trained on": trained, "tested on": f"{real[0]['data']} ({split})"}
            line["n"] = max(r["n"] for r in real)
            scores = {r["metric"]: score_text(r) for r in real}
            line |= {name: scores[name] for name in SHOWN if name in scores}
            lines.append(line | {"profile": published.profile, "hardware": published.hardware})
    return pd.DataFrame(lines)


def published_trimesters() -> pd.DataFrame:
    """Return the errors by trimester of the reference runs that learnt from real heads."""
    parts = []
    for published in published_runs(CHAPTER):
        path = published_folder(CHAPTER) / published.name / "tables" / "by_trimester.csv"
        if path.is_file() and published.parameters["data"] != PHANTOM:
            parts.append(pd.read_csv(path).assign(run=published.name).set_index("run"))
    return pd.concat(parts).reset_index() if parts else pd.DataFrame()
