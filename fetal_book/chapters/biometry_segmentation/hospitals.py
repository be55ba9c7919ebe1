"""Learn at one hospital, be asked at another: heads of two sources, one network, equal steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import CaseArrays
from fetal_book.chapters.biometry_segmentation.fit import fit_one, fit_settings
from fetal_book.chapters.biometry_segmentation.scores import score_structures
from fetal_book.chapters.case_scores import add_means, interval_of
from fetal_lib.metrics.intervals import with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fetal_book.runs.session import Run

NETWORK, BOTH = "unet", "both"
COLUMNS = ("learnt from", "asked at", "n", "subjects", "Dice")
MEASURES = ("bpd_mm", "ofd_mm", "hc_mm")


def four_ways(
    run: Run, table: pd.DataFrame, arrays: CaseArrays, test_references: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Train one network on the heads of each source and of both, and test it on each.

    Every training has as many steps as `epochs` of both sources give. The table has ``part``;
    `test_references` are the masks of its test part. Returns a row a training and a test source
    with Dice, the bias of BPD, OFD and HC, and the absolute difference of HC in mm and per cent;
    no rows where the heads are of one source.
    """
    heads = (table["structure"] == "head").to_numpy()
    sources = list(table.loc[heads, "source"].unique())
    if len(sources) != 2:
        return pd.DataFrame(columns=COLUMNS)
    masks = pd.Series(test_references, index=np.flatnonzero(table["part"] == "test"))
    rows = []
    for learnt in (*sources, BOTH):
        segmenter = _learn(run, table, arrays, heads, learnt)
        for asked in sources:
            at = np.flatnonzero(heads & (table["part"] == "test") & (table["source"] == asked))
            probs = segmenter.probs(arrays.select(at).images)
            scores = score_structures(table.iloc[at], masks[at], probs)
            labels = {"model": f"{NETWORK}_heads_of_{learnt}", "data": asked, "split": "protocol"}
            add_means(run, scores, ("dice", "df_mm", "adf_mm"), "subject", **labels)
            rows.append({"learnt from": learnt, "asked at": asked} | _row(scores, run))
    return pd.DataFrame(rows)


def _learn(run: Run, table: pd.DataFrame, arrays: CaseArrays, heads: np.ndarray, learnt: str):
    """Return the network that learnt from the heads of a source, or of both."""
    part, p = table["part"].to_numpy(), run.parameters
    own = heads & ((table["source"] == learnt).to_numpy() | (learnt == BOTH))
    steps = p.epochs * (heads & (part == "train")).sum()
    epochs = max(1, round(steps / max((own & (part == "train")).sum(), 1)))
    train, val = (arrays.select(own & (part == name)) for name in ("train", "val"))
    settings = fit_settings(p, arrays, epochs)
    return fit_one(run, NETWORK, train, val, settings, split=f"heads of {learnt}")[0]


def _row(scores: pd.DataFrame, run: Run) -> dict[str, object]:
    row: dict[str, object] = {"n": len(scores), "subjects": scores["subject"].nunique()}
    row["Dice"] = scores["dice"].mean()
    for name in MEASURES:
        bias = (scores[f"{name}_pred"] - scores[f"{name}_true"]).mean()
        row[f"{name.removesuffix('_mm').upper()}, bias (mm)"] = bias
    kept = scores.dropna(subset=["adf_mm"])
    off, subjects = kept["adf_mm"].to_numpy(float), kept["subject"].to_numpy()
    ci95 = interval_of(off, subjects, run.parameters.seed) if len(kept) else None
    row["HC, ADF (mm)"] = with_interval(off.mean(), ci95, 2) if len(kept) else ""
    return row | {"HC, ADF (%)": 100 * (off / kept["true_mm"]).mean()}


def convention_text(found: pd.DataFrame, edges: pd.DataFrame) -> str:
    """Set what a network is off at the other hospital beside what a convention would make of it.

    `edges` is the table of `convention_table`.
    """
    told = []
    for row in found.to_dict("records"):
        if row["learnt from"] in (BOTH, row["asked at"]):
            continue
        own = found[
            (found["learnt from"] == row["asked at"]) & (found["asked at"] == row["asked at"])
        ]
        edge = edges[edges["source"] == row["asked at"]].iloc[0]
        gaps = ", ".join(
            f"{name} {row[f'{name}, bias (mm)'] - own[f'{name}, bias (mm)'].iloc[0]:+.1f} mm"
            for name in ("BPD", "OFD", "HC")
        )
        told.append(
            f"What learnt from `{row['learnt from']}` measures the heads of `{row['asked at']}` "
            f"otherwise than what learnt there: {gaps}. A far calliper at the other edge of the "
            f"skull would be {abs(edge['BPD (mm)']):.1f} mm of the BPD and "
            f"{abs(edge['HC (mm)']):.1f} mm of the HC, and nothing of the OFD."
        )
    return "\n\n".join(told) or "The heads of this run are of one source: nothing to compare."
