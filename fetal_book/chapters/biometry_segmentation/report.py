"""Tables of chapter 03: scores by source and structure, lengths, the source's table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from fetal_book.chapters import tables
from fetal_book.chapters.biometry_segmentation.data import MEASURES, CaseArrays, pooled_name
from fetal_book.chapters.biometry_segmentation.scores import METRICS, score_structures
from fetal_book.chapters.case_scores import add_means, interval_of
from fetal_book.chapters.example_cases import typical_and_worst
from fetal_book.chapters.outlines import bright_ellipses, charted_mm
from fetal_book.chapters.tables import TITLES, plain
from fetal_book.runs.session import Run
from fetal_lib.metrics.intervals import conformal_quantile, with_interval
from fetal_lib.metrics.regression import bland_altman
from fetal_lib.models.segmentation_networks import get_spec
from fetal_lib.predict.segmenter import Segmenter, fuse_members

SOURCE_TABLE = {
    "med_seg_diff": (0.9852, 0.9726, 0.9864, 0.961, 70),
    "duck_net_17": (0.9682, 0.9395, 0.9699, 0.932, 175),
    "attention_unet": (0.9671, 0.9365, 0.9622, 0.920, 41),
    "unext": (0.9615, 0.9251, 0.9630, 0.918, 40),
    "trans_unet": (0.9556, 0.9128, 0.9579, 0.901, 33),
}
"""README of source 002, "Combined Dataset": Dice, IoU, recall, mAP, minutes of training."""
PUBLISHED_ON = "fetal_biometry_fp"
PUBLISHED = {
    "BPD": (3.0, 6.0),
    "OFD": (3.0, 6.0),
    "APAD": (8.0, math.nan),
    "TAD": (8.0, math.nan),
    "FL": (3.0, math.nan),
}
"""Normalised mean errors of BiometryNet's end points on the calliper set (Di Vece 2025), per cent:
learnt from the same hospitals, and from HC18 where that was tried."""
SHOWN = ("dice", "iou", "recall", "map", "precision", "hd95_mm", "assd_mm", "adf_mm")
"""Of the results tables; the first four are the source's."""
COVERAGE = 0.9
N_RESAMPLES = 2000


def score_all(
    segmenters: Mapping[str, Segmenter],
    table: pd.DataFrame,
    arrays: CaseArrays,
    references: Sequence[np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, pd.DataFrame], dict[str, np.ndarray]]:
    """Return probability maps, scores, and the ensembles of diffusion networks, by name."""
    probs, ensembles = {}, {}
    for name, segmenter in segmenters.items():
        if segmenter.is_diffusion:
            ensembles[name] = segmenter.members(arrays.images)
            probs[name] = fuse_members(ensembles[name], segmenter.spec.fusion)
        else:
            probs[name] = segmenter.probs(arrays.images)
    scores = {name: score_structures(table, references, found) for name, found in probs.items()}
    return probs, scores, ensembles


def interval_text(run: Run, name: str, val: pd.DataFrame, test: pd.DataFrame) -> str:
    """Say how wide a network's prediction interval is, and how often it holds."""
    kept, worst = test.dropna(subset=["pred_mm", "true_mm"]), _relative_errors(val)
    if kept.empty or worst.empty:
        return "Nothing was measured, so there is no prediction interval."
    half = conformal_quantile(worst.groupby(level=0).max().to_numpy(), COVERAGE)
    held = _relative_errors(test) <= half
    inside, whole = held.to_numpy(bool), held.groupby(level=0).all()
    known = {"model": name, "data": pooled_name(test), "split": "test", "metric": "coverage"}
    ci95 = interval_of(inside, kept["subject"].to_numpy(), run.parameters.seed)
    run.add_result(**known, value=inside.mean(), n=len(kept), ci95=ci95)
    width, note = "infinite: too few subjects", ""
    if np.isfinite(half):
        width = f"± {half:.1%} of the length"
        note = " The validation part also chose the network, which can make this too narrow."
    return (
        f"Prediction interval of **{name}** (split-conformal, from the largest error of each of "
        f"{worst.index.nunique()} validation subjects, so that it holds all lengths of "
        f"{COVERAGE:.0%} of new subjects): {width}. Of {len(kept)} test lengths, "
        f"**{inside.mean():.0%}** lie inside; of {len(whole)} test subjects, {whole.mean():.0%} "
        f"have all of theirs inside.{note} Structures that were not found have no interval."
    )


def _relative_errors(scores: pd.DataFrame) -> pd.Series:
    """Return |measured - annotated| / measured by subject; structures not found are left out."""
    kept = scores.dropna(subset=["pred_mm", "true_mm"]).set_index("subject")
    return (kept["pred_mm"] - kept["true_mm"]).abs() / kept["pred_mm"]


def add_scores(run: Run, scores: Mapping[str, pd.DataFrame], split: str = "test") -> None:
    """Add result rows: pooled and, of the test part, of each source and structure."""
    for name, frame in scores.items():
        pooled = pooled_name(frame)
        parts = _parts(frame, pooled) if split == "test" else {}
        for data, part in {pooled: frame, **parts}.items():
            add_means(run, part, METRICS, "subject", model=name, data=data, split=split)


def _parts(frame: pd.DataFrame, pooled: str) -> dict[str, pd.DataFrame]:
    """Return the rows of each source, and of each structure, where there are several."""
    parts = {}
    if frame["source"].nunique() > 1:
        parts |= dict(tuple(frame.groupby("source", sort=False)))
    if frame["structure"].nunique() > 1:
        by = frame.groupby("structure", sort=False)
        parts |= {f"{pooled}, {structure}": part for structure, part in by}
    return parts


def choose_best(scores: Mapping[str, pd.DataFrame]) -> str:
    """Return the network with the highest mean Dice on the validation part; the first of equals."""
    return max(scores, key=lambda name: float(scores[name]["dice"].mean()))


def choice_text(scores: Mapping[str, pd.DataFrame], best: str, seed: int) -> str:
    """Say which network was chosen, and how often other subjects would have chosen it."""
    names = list(scores)
    first = scores[best]
    subjects, labels = np.unique(first["subject"].to_numpy(str), return_inverse=True)
    dices = np.stack([scores[name]["dice"].to_numpy(float) for name in names])
    sums = np.stack([np.bincount(labels, row) for row in dices])
    draws = np.random.default_rng(seed).integers(len(subjects), size=(N_RESAMPLES, len(subjects)))
    means = sums[:, draws].sum(-1) / np.bincount(labels)[draws].sum(-1)
    shares = np.bincount(means.argmax(0), minlength=len(names)) / N_RESAMPLES
    others = {n: s for n, s in zip(names, shares, strict=True) if n != best and s > 0}
    told = [f"{others[n]:.0%} `{n}`" for n in sorted(others, key=others.get, reverse=True)]
    again = f"{shares[names.index(best)]:.0%} choose it again"
    return (
        f"Chosen on {len(first)} validation images of {len(subjects)} subjects: **{best}**. Of "
        f"{N_RESAMPLES:,} resamples of these subjects, {', '.join([again, *told])}."
    )


def results_table(
    rows: Sequence[dict], split: str = "test", metrics: Sequence[str] = SHOWN
) -> pd.DataFrame:
    """Return the rows of one split as a wide table: all images pooled first, then their parts."""
    table = plain(tables.results_table(rows, metrics, split, by=("model", "data")))
    order = {name: k for k, name in enumerate(table["data"].unique())}
    return table.sort_values(
        "data", key=lambda data: data.map(order), kind="stable", ignore_index=True
    )


def by_measure(scores: Mapping[str, pd.DataFrame], seed: int = 0) -> pd.DataFrame:
    """Return bias, limits of agreement and errors of HC, BPD, OFD, AC, TAD, APAD, FL by model.

    All sources come first, then each where there are several. A measure of which no image has a
    reference has no row. The interval is of the ADF, over subjects; ``ADF (%)`` is the mean of
    the absolute difference over the annotated size, the normalised mean error of a measure.
    """
    rows = []
    for measure, (model, whole) in product(MEASURES, scores.items()):
        for data, frame in _by_source(whole).items():
            true, found = f"{measure}_true", f"{measure}_pred"
            if true in frame and frame[true].notna().any():
                row = {"model": model, "data": data, "measure": measure[:-3].upper()}
                rows.append(row | _errors(frame[frame[true].notna()], true, found, seed))
    return pd.DataFrame(rows)


def _by_source(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    pooled = pooled_name(frame)
    return {pooled: frame} | dict(tuple(frame.groupby("source", sort=False)))


def _errors(part: pd.DataFrame, true: str, found: str, seed: int) -> dict[str, float]:
    kept = part[part[found].notna()]
    row = {"n": len(part), "not found": len(part) - len(kept)}
    if len(kept) > 2:
        agreement = bland_altman(kept[true].to_numpy(), kept[found].to_numpy())
        off = (kept[found] - kept[true]).abs()
        interval = interval_of(off.to_numpy(), kept["subject"].to_numpy(), seed)
        row |= {"DF (mm)": agreement.bias, "ADF (mm)": off.mean()}
        row |= dict(zip(("ADF, low", "ADF, high"), interval or (), strict=False))
        row |= {"ADF (%)": 100 * (off / kept[true]).mean()}
        row |= {"lower limit (mm)": agreement.lower, "upper limit (mm)": agreement.upper}
    return row


def beside_published(measures: pd.DataFrame, best: str) -> pd.DataFrame:
    """Return the published errors of end points beside one network's errors of measures, per cent.

    Of the rows of the calliper set alone; none where a run has no such rows.
    """
    if measures.empty:
        return measures
    own = measures[(measures["model"] == best) & (measures["data"] == PUBLISHED_ON)]
    rows = []
    for row in own[own["measure"].isin(PUBLISHED)].to_dict("records"):
        within, across = PUBLISHED[row["measure"]]
        line = {"measure": row["measure"], "n": row["n"], f"{best}, ADF (%)": row.get("ADF (%)")}
        line |= {"BiometryNet, end points, same hospitals (%)": within}
        rows.append(line | {"BiometryNet, learnt from HC18 (%)": across})
    return pd.DataFrame(rows)


def right_and_wrong(scores: pd.DataFrame, n: int = 8) -> tuple[np.ndarray, list[str]]:
    """Return positions of test images to show, typical and worst of each structure, with titles."""
    kinds = scores["structure"].unique()
    half, picked = max(1, n // len(kinds) // 2), []
    for kind in kinds:
        at = np.flatnonzero(scores["structure"] == kind)
        picked += list(at[typical_and_worst(scores["dice"].to_numpy()[at], half)])
    rows = scores.iloc[picked]
    told = [
        f"{gap:+.1f} mm" if np.isfinite(gap) else "not measured"
        for gap in rows["df_mm"].astype(float)
    ]
    return np.array(picked), [
        f"{kind}: {dice:.3f}, {gap}"
        for kind, dice, gap in zip(rows["structure"], rows["dice"], told, strict=True)
    ]


def shown_tests(tests: pd.DataFrame) -> pd.DataFrame:
    """Return paired tests with the difference and its interval in one cell, for display."""
    rows = []
    for row in tests.to_dict("records"):
        numbers = (row["difference"], (row["low"], row["high"]))
        digits = 2 if row["metric"].endswith("_mm") else 3
        text = with_interval(*numbers, digits) if np.isfinite(row["difference"]) else ""
        known = {"measure": TITLES.get(row["metric"], row["metric"])}
        known |= {"first": row["first"], "second": row["second"]}
        rows.append(known | {"difference": text, "p": row["p"], "p_holm": row["p_holm"]})
    return pd.DataFrame(rows)


def source_comparison(
    scores: Mapping[str, pd.DataFrame], train_s: Mapping[str, float]
) -> pd.DataFrame:
    """Return the source's table beside ours, row by row."""
    rows = []
    for name, values in SOURCE_TABLE.items():
        if name not in scores:
            continue
        frame = scores[name]
        row: dict[str, object] = {"model": get_spec(name).title}
        for metric, quoted in zip(SHOWN[:4], values, strict=False):
            title = TITLES.get(metric, metric)
            row |= {f"{title}, source": quoted, f"{title}, here": frame[metric].mean()}
        row |= {"minutes, source": values[-1], "minutes, here": train_s[name] / 60}
        rows.append(row)
    return pd.DataFrame(rows)


def ellipse_baseline(arrays: CaseArrays, seed: int) -> np.ndarray:
    """Return masks of bright ellipses found without learning, float32 (N, S, S); empty if none."""
    masks = np.zeros(arrays.images.shape, np.float32)
    for mask, ellipse in zip(masks, bright_ellipses(arrays.images, seed), strict=True):
        if ellipse is not None:
            mask[:] = ellipse.mask(mask.shape)
    return masks


def reference_circumference_gap(
    table: pd.DataFrame, references: Sequence[np.ndarray]
) -> np.ndarray:
    """Return HC, AC or FL of the reference masks minus the table's, mm: the floor of errors."""
    columns = (table[name] for name in ("structure", "pixel_size_mm", "true_mm"))
    cases = zip(references, *columns, strict=True)
    return np.array(
        [charted_mm(one, m / 255, m.shape, size) - true for m, one, size, true in cases]
    )
