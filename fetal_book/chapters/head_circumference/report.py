"""Tables, groups and explanation checks of chapter 04."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from fetal_book.chapters import tables
from fetal_book.chapters.case_scores import interval_of
from fetal_book.chapters.outlines import circumference_mm
from fetal_book.chapters.tables import TITLES
from fetal_book.chapters.verdicts import place_check, verdict, weights_check
from fetal_book.runs.case_gallery import Tile
from fetal_lib.data.layouts.heads import HeadArrays
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.occlusion import band, map_similarity, occlusion_map, share_on
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.growth import hadlock, intergrowth_age
from fetal_lib.growth.gestation import trimester
from fetal_lib.metrics.intervals import with_interval
from fetal_lib.models.unet import get_unet
from fetal_lib.plots.tiles import outlined_tile
from fetal_lib.predict.head_measure import or_nan
from fetal_lib.predict.head_model import HeadModel
from fetal_lib.readers.image import read_gray

N_OCCLUDED = 3
"""Test images whose occlusion maps are made, evenly spaced over the part."""
TRIMESTERS = {
    1: "first (< 14 wk)",
    2: "second (14-27 wk)",
    3: "third (>= 28 wk)",
    0: "outside Hadlock's range",
}
REPEAT = 0.03
"""A sonographer repeats a head circumference within this, 95 % limits (Sarris 2012)."""
RIGHT, WRONG = f"within {100 * REPEAT:.0f} %", f"more than {100 * REPEAT:.0f} % off"
DAYS = {
    "days, INTERGROWTH-21st": intergrowth_age.ga_days_from_hc,
    "days, Hadlock": lambda hc_mm: 7 * hadlock.ga_weeks("HC", hc_mm),
}
"""Gestational age from HC by two standards."""


def found_heads(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows where a head was found; refuse fewer than three, which show no agreement."""
    kept = scores.dropna(subset=["hc_pred_mm"])
    if len(kept) < 3:
        raise ValueError(
            f"unet: a head was found in {len(kept)} of {len(scores)} test images; agreement needs "
            "three. Train longer (epochs) or on more images (n_phantoms)."
        )
    return kept


def results_table(rows: Sequence[dict], split: str = "test") -> pd.DataFrame:
    """Return result rows of one split as a wide table: a row a model, text with intervals.

    ``n`` counts the images, ``measured`` those where a head was found: overlaps are means over the
    first, distances over the second.
    """
    kept = [row for row in rows if row["split"] == split]
    table = tables.results_table(kept, list(dict.fromkeys(r["metric"] for r in kept)), split)
    measured = {row["model"]: str(row["n"]) for row in kept if row["metric"] == "adf_mm"}
    table.insert(2, "measured", table["model"].map(measured).fillna(""))
    return table


def pretty(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the table of results for display: one row per metric, the last model first."""
    turned = table.iloc[::-1].set_index("model").T  # so that a narrow screen shows the network
    return turned.rename(index=TITLES).rename_axis(None, axis="columns")


def _trimesters(hc_mm: np.ndarray) -> np.ndarray:
    """Return the trimester of each reference head by Hadlock 1984, 0 outside its range."""
    ages = np.array([7 * or_nan(hadlock.ga_weeks, "HC", hc) for hc in hc_mm])
    return np.array([trimester(age) if np.isfinite(age) else 0 for age in ages])


def errors_by_trimester(scores: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the signed differences (mm) of each trimester, by Hadlock's age of the reference."""
    which = _trimesters(scores["hc_mm"].to_numpy())
    return {name: scores["df_mm"].to_numpy()[which == k] for k, name in TRIMESTERS.items()}


def by_trimester(scores: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return errors of found heads by trimester: mm, and days by two standards where defined.

    The ADF has its 95 % interval over examinations; a trimester of one examination has none.
    """
    frame = scores.assign(trimester=_trimesters(scores["hc_mm"].to_numpy()))
    for title, days in DAYS.items():
        pairs = zip(frame["hc_pred_mm"], frame["hc_mm"], strict=True)
        frame[title] = [abs(or_nan(days, found) - or_nan(days, true)) for found, true in pairs]
    columns = {"n": ("df_mm", "size"), "mean DF (mm)": ("df_mm", "mean")}
    columns |= {"SD (mm)": ("df_mm", "std"), "ADF (mm)": ("adf_mm", "mean")}
    columns |= {title: (title, "mean") for title in DAYS}
    groups = frame.groupby("trimester")
    table = groups.agg(**columns)
    ends = [_adf_interval(part, seed) for _, part in groups]
    at = table.columns.get_loc("ADF (mm)") + 1
    table.insert(at, "ADF low", [low for low, _ in ends])
    table.insert(at + 1, "ADF high", [high for _, high in ends])
    return table.rename(index=TRIMESTERS).reset_index()


def _adf_interval(part: pd.DataFrame, seed: int) -> tuple[float, float]:
    ci95 = interval_of(part["adf_mm"].to_numpy(), part["examination"].to_numpy(), seed)
    return ci95 or (math.nan, math.nan)


def third_trimester_text(table: pd.DataFrame) -> str:
    """Say how far sizes are off from 28 weeks on, beside all heads; ``by_trimester``'s table."""
    late = table[table["trimester"] == TRIMESTERS[3]]
    if late.empty:
        return "No head of the test part is of the third trimester."
    row = late.iloc[0]
    whole = np.average(table["ADF (mm)"], weights=table["n"])
    error = with_interval(row["ADF (mm)"], (row["ADF low"], row["ADF high"]), 2)
    images = "1 image" if row["n"] == 1 else f"{row['n']} images"
    return (
        f"**In the third trimester** the ADF is {error} mm on {images}, where it is "
        f"{whole:.2f} mm on all {table['n'].sum()} that were measured."
    )


def flow(table: pd.DataFrame, scores: pd.DataFrame, n_declined: int) -> pd.DataFrame:
    """Return who was in: images and examinations at each step from the folder to the numbers.

    ``table`` is the path table with its ``part``, ``scores`` those of the test part.
    """
    found = scores.dropna(subset=["hc_pred_mm"])
    steps = {"in the folder, with an outline": table}
    uses = {"train": "fitted on", "val": "calibrating the interval", "test": "tested on"}
    steps |= {words: table[table["part"] == part] for part, words in uses.items()}
    steps |= {"tested on, head found": found}
    rows = [
        {"step": words, "images": len(part), "examinations": part["examination"].nunique()}
        for words, part in steps.items()
    ]
    declined = {"step": "tested on, to be declined by predict hc", "images": n_declined}
    return pd.DataFrame([*rows, declined]).astype({"examinations": "Int64"})


def tiles(
    table: pd.DataFrame, truths: Sequence[Ellipse], found: Sequence[Ellipse | None], n: int = 12
) -> list[Tile]:
    """Return the ``n`` worst heads of scored images, worst first, and as many over all others.

    Right is within ``REPEAT`` of the reference. ``table`` has ``score_ellipses``'s columns and
    ``image_path``.
    """
    off = (table["df_mm"] / table["hc_mm"]).abs().fillna(np.inf).to_numpy()
    order = np.argsort(-off, kind="stable")
    rest = order[n:]
    chosen = [*order[:n], *rest[evenly_spaced(min(n, len(rest)), len(rest))]]
    shown = []
    for i in chosen:
        row = table.iloc[i]
        kind = RIGHT if off[i] <= REPEAT else WRONG if np.isfinite(off[i]) else "no head found"
        values = {"size of the error (%)": (100 * off[i], f"{100 * off[i]:.1f} %")}
        values |= {"error (mm)": (row["df_mm"], f"{row['df_mm']:+.1f} mm")}
        values |= {"Dice": (row["dice"], f"{row['dice']:.3f}")}
        values |= {"HC (mm)": (row["hc_mm"], f"{row['hc_mm']:.0f} mm")}
        if not np.isfinite(off[i]):
            values |= {name: (math.nan, "–") for name in ("size of the error (%)", "error (mm)")}
        picture = outlined_tile(read_gray(row["image_path"]), truths[i], found[i])
        shown.append(Tile(picture, str(row["image"]), kind, values))
    return shown


def coverage_text(promised: float, half: float, n_val: int, covered: float, n_test: int) -> str:
    """Say how wide the prediction interval is and why, and how often it held.

    It was calibrated on one image of each of ``n_val`` examinations. The coverage of new cases by
    the k-th smallest of n independent errors is itself random: it follows the beta distribution
    with parameters k and n + 1 - k.
    """
    told = (
        f"Promised: {promised:.0%}. Measured on {n_test} test images: **{covered:.1%}**. The "
        f"interval was calibrated on one image of each of {n_val} examinations"
    )
    if not np.isfinite(half):
        return f"{told}: too few for that promise, or too many without a head. It is infinite."
    from scipy.stats import beta

    rank = int(np.ceil((n_val + 1) * promised - 1e-9))
    low, high = beta.ppf([0.025, 0.975], rank, n_val + 1 - rank)
    which = "the largest" if rank == n_val else f"number {rank}, from the smallest up,"
    return (
        f"{told}: it is as wide as {which} of their errors. Drawn anew, {n_val} examinations would "
        f"give intervals that cover {low:.0%} to {high:.0%} of new ones, in 95 % of draws."
    )


def occlusion_checks(
    model: HeadModel, table: pd.DataFrame, arrays: HeadArrays
) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Make occlusion maps (change of HC in mm) of a few test images, and check what they mean."""
    spec = replace(model.spec, flips=("none",))
    plain = HeadModel(model.network, spec)
    random = HeadModel(get_unet(spec.height, spec.width, spec.n_filters, spec.dropout), spec)
    maps, rows = [], []
    for i in evenly_spaced(N_OCCLUDED, len(arrays.images)):
        image, size = arrays.images[i], float(table["pixel_size_mm"].iloc[i])
        scan = tuple(arrays.sizes_hw[i])
        patch = max(4, spec.height // 8)
        answers = [
            occlusion_map(image, _measure(m, scan, size), patch, 3 * patch // 4)
            for m in (plain, random)
        ]
        skull = band(arrays.masks[i] >= 128, patch // 2)
        row = {"test image": i + 1, "largest change (mm)": answers[0].max()}
        row["share of map on skull"] = share_on(answers[0], skull)
        row["share of image that is skull band"] = skull.mean()
        row["rank correlation with random weights"] = map_similarity(*answers)
        maps.append(answers[0])
        rows.append(row)
    return maps, pd.DataFrame(rows)


def _measure(model: HeadModel, size_hw: tuple[int, int], pixel_size_mm: float):
    """Return a function from squashed images to HC in mm, 0 where there is no head."""

    def measure(images: np.ndarray) -> np.ndarray:
        found = [circumference_mm(probs, size_hw, pixel_size_mm) for probs in model.probs(images)]
        return np.nan_to_num(found)

    return measure


def occlusion_verdict(checks: pd.DataFrame) -> str:
    """Say which checks the occlusion maps pass and which they fail; every image must pass."""
    share, area, r = (
        checks[[name]].to_numpy(float)
        for name in (
            "share of map on skull",
            "share of image that is skull band",
            "rank correlation with random weights",
        )
    )
    found = (place_check(share, area, "the band's area"), weights_check("random weights", r))
    return f"Checks: {verdict(found, 'the maps')}"
