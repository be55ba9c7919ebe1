"""Tables, groups and explanation checks of chapter 04."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.spread import evenly_spaced
from fetal_lib.explain.occlusion import band, map_similarity, occlusion_map, share_on
from fetal_lib.geometry.ellipse import head_circumference_mm
from fetal_lib.geometry.fit import ellipse_from_probs
from fetal_lib.growth import hadlock, intergrowth
from fetal_lib.growth.gestation import trimester
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.models.unet import get_unet
from fetal_lib.predict.head_model import HeadModel

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.sets.head_images import HeadArrays

N_OCCLUDED = 3
"""Test images whose occlusion maps are made, evenly spaced over the part."""
DIGITS = {"dice": 3, "iou": 3, "precision": 3, "recall": 3}
PLAIN_NAMES = {
    "df_mm": "DF (mm)",
    "adf_mm": "ADF (mm)",
    "hd_mm": "HD (mm)",
    "dice": "Dice",
    "iou": "IoU",
}
TRIMESTERS = {1: "first (< 14 wk)", 2: "second (14-27 wk)", 3: "third (>= 28 wk)"}


def found_heads(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows where a head was found.

    Raises
    ------
    ValueError
        If there are fewer than three: nothing can be said of agreement.
    """
    kept = scores.dropna(subset=["hc_pred_mm"])
    if len(kept) < 3:
        raise ValueError(
            f"unet: a head was found in {len(kept)} of {len(scores)} test images; agreement needs "
            "three. Train longer (epochs) or on more images (n_phantoms)."
        )
    return kept


def coverage_interval(
    scores: pd.DataFrame, low: np.ndarray, high: np.ndarray, seed: int
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the share of heads inside their interval.

    Parameters
    ----------
    scores : DataFrame
        ``examination, hc_mm``, length N.
    low, high : ndarray, shape (N,), mm
    seed : int
    """
    true = scores["hc_mm"].to_numpy()
    inside = ((true >= low) & (true <= high)).astype(float)
    return bootstrap_ci(inside, groups=scores["examination"].to_numpy(), seed=seed)


def results_table(rows: Sequence[dict], split: str = "test") -> pd.DataFrame:
    """Return result rows of one split as a wide table: a row a model, text with intervals.

    ``n`` counts the images, ``measured`` those where a head was found: overlaps are means over the
    first, distances over the second.
    """
    import pandas as pd

    kept = [row for row in rows if row["split"] == split]
    table: dict[str, dict[str, str]] = {}
    for row in kept:
        line = table.setdefault(row["model"], {"n": "0", "measured": ""})
        line["n"] = str(max(int(line["n"]), row["n"] or 0))
        if row["metric"] == "adf_mm":
            line["measured"] = str(row["n"])
        digits = DIGITS.get(row["metric"], 2)
        line[row["metric"]] = with_interval(row["value"], row["ci95"], digits)
    return pd.DataFrame(table).T.rename_axis("model").reset_index().fillna("")


def pretty(table: pd.DataFrame) -> pd.DataFrame:
    """Turn the table of results for display: one row per metric, the last model first."""
    turned = table.iloc[::-1].set_index("model").T  # so that a narrow screen shows the network
    return turned.rename(index=PLAIN_NAMES).rename_axis(None, axis="columns")


def ranking(rows: Sequence[dict], metric: str) -> pd.DataFrame:
    """Return ``model, value, low, high`` of one metric on the test part, the best first.

    Only what has an interval can be drawn: one fetus or examination alone has none.
    """
    import pandas as pd

    at = {"metric": metric, "split": "test"}
    kept = [r for r in rows if r["ci95"] and all(r[k] == v for k, v in at.items())]
    table = pd.DataFrame(
        {
            "model": [r["model"] for r in kept],
            "value": [r["value"] for r in kept],
            "low": [r["ci95"][0] for r in kept],
            "high": [r["ci95"][1] for r in kept],
        }
    )
    return table.sort_values("value", ignore_index=True)


def _trimesters(hc_mm: np.ndarray) -> np.ndarray:
    """Return the trimester of each reference head by Hadlock 1984, 0 outside its range."""
    ages = np.array([_value(lambda hc: 7 * hadlock.ga_weeks("HC", hc), hc) for hc in hc_mm])
    return np.array([trimester(age) if np.isfinite(age) else 0 for age in ages])


def _value(formula, size: float) -> float:
    try:
        return float(formula(size))
    except ValueError:
        return float("nan")


def errors_by_trimester(scores: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the signed differences (mm) of each trimester, by Hadlock's age of the reference."""
    which = _trimesters(scores["hc_mm"].to_numpy())
    names = TRIMESTERS | {0: "outside Hadlock's range"}
    return {names[k]: scores["df_mm"].to_numpy()[which == k] for k in (1, 2, 3, 0)}


def by_trimester(scores: pd.DataFrame) -> pd.DataFrame:
    """Return errors in mm and in days for each trimester.

    Parameters
    ----------
    scores : DataFrame
        ``hc_mm, hc_pred_mm, df_mm`` without NaN.

    Returns
    -------
    DataFrame
        ``trimester, n``, mean and SD of the difference, ADF, and the mean absolute
        difference of age by two standards, NaN where a standard is not defined.
    """
    import pandas as pd

    frame = scores[["hc_mm", "hc_pred_mm", "df_mm"]].copy()
    frame["trimester"] = _trimesters(frame["hc_mm"].to_numpy())
    formulas = {
        "intergrowth": intergrowth.ga_days_from_hc,
        "hadlock": lambda hc: 7 * hadlock.ga_weeks("HC", hc),
    }
    for name, formula in formulas.items():
        days = [
            abs(_value(formula, measured) - _value(formula, true))
            for measured, true in zip(frame["hc_pred_mm"], frame["hc_mm"], strict=True)
        ]
        frame[f"{name}_days"] = days
    rows = []
    for key, group in frame.groupby("trimester"):
        row = {"trimester": TRIMESTERS.get(key, "outside Hadlock's range"), "n": len(group)}
        row |= {"mean DF (mm)": group["df_mm"].mean(), "SD (mm)": group["df_mm"].std()}
        row["ADF (mm)"] = group["df_mm"].abs().mean()
        row["days, INTERGROWTH-21st"] = group["intergrowth_days"].mean()
        row["days, Hadlock"] = group["hadlock_days"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def occlusion_checks(
    model: HeadModel, table: pd.DataFrame, arrays: HeadArrays
) -> tuple[list[np.ndarray], pd.DataFrame]:
    """Make occlusion maps of a few test images, and check what they mean.

    Parameters
    ----------
    model : HeadModel
    table, arrays
        The test part.

    Returns
    -------
    maps : list of ndarray, shape (H, W)
        Change of HC in mm.
    checks : DataFrame
        Per image: share of the map within the skull band, share of the image that
        the band covers, and rank correlation with the map of random weights.
    """
    import pandas as pd

    spec = replace(model.spec, flips=("none",))
    plain = HeadModel(model.network, spec)
    random = HeadModel(get_unet(spec.height, spec.width, spec.n_filters, spec.dropout), spec)
    maps, rows = [], []
    for i in evenly_spaced(N_OCCLUDED, len(arrays.images)):
        image, size = arrays.images[i], float(table["pixel_size_mm"].iloc[i])
        scan = tuple(arrays.sizes_hw[i])
        patch = max(4, spec.height // 8)
        answers = [
            occlusion_map(image, _measure(m, scan, size), patch, patch // 2)
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
        lengths = []
        for probs in model.probs(images):
            try:
                ellipse = ellipse_from_probs(probs).resized(probs.shape, size_hw)
                lengths.append(head_circumference_mm(ellipse, (pixel_size_mm, pixel_size_mm)))
            except ValueError:
                lengths.append(0.0)
        return np.array(lengths)

    return measure
