"""Real heads: an external set scored in this run, and the published reference runs."""

from __future__ import annotations

import pandas as pd

from fetal_book.chapters.head_circumference.scores import add_scores, measure_heads, score_ellipses
from fetal_book.parameters.head_circumference import HeadCircumferenceParameters
from fetal_book.runs.folder import data_name
from fetal_book.runs.published import published_runs, score_text
from fetal_book.runs.session import Run
from fetal_lib.data.layouts.heads import load_arrays, read_cases
from fetal_lib.predict.head_model import HeadModel

CHAPTER = "04_head_circumference"
SHOWN = ("dice", "hd_mm", "df_mm", "adf_mm")


def score_external(
    run: Run, parameters: HeadCircumferenceParameters, model: HeadModel
) -> pd.DataFrame:
    """Score a model on a set that had no part in its training; add the rows to the run."""
    p = parameters
    table = read_cases(p.external_data)
    arrays = load_arrays(table, model.shape)
    _, measured = measure_heads(model, table, arrays)
    scores = score_ellipses(table, arrays, [m.ellipse for m in measured])
    add_scores(run, "unet", scores, "external", data_name(p.external_data))
    return scores


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
