"""Ages from raw stacks of thick slices, without a reconstruction, on phantoms that move.

The shipped model is meant for volumes that were cut free of the mother. Here it is shown stacks as
they are acquired: with the true mask, with poor slices replaced by what their neighbours show, with
a mask that is too wide, and with the mask that the finder of stacks gives among skull and womb. The
norm that dates a volume is asked for the phantoms' true volumes, too: what it is off by there no
mask can help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.runs.session import Run
from fetal_lib.baselines.brain_volume import volume_days
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.gestational_age_any import AnyContrastModel
from fetal_lib.predict.gestational_age_model import load_ga_model
from fetal_lib.predict.stack_finder import StackFinder, load_stack_finder
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.norms import MAX_GA_DAYS, MIN_GA_DAYS
from fetal_phantoms.fetal_brain.stacks import SliceStack, make_stacks

CODE = (
    "fetal_lib.predict.gestational_age_any",
    "fetal_lib.predict.stack_finder",
    "fetal_phantoms.fetal_brain.brain",
    "fetal_phantoms.fetal_brain.stacks",
    "fetal_book.chapters.gestational_age.raw_stacks",
)
SEED = 40_000  # added to the run's: other fetuses than those of the chapter
PHANTOM_MM = 1.2
DARK = 0.8  # of its neighbours' signal: a slice below it is poor
FEW = 20  # pixels of brain below which a slice is not judged
TOO_WIDE_MM = 3.0
NORM = "no image: the true volume"
WAYS = ("true mask", "poor slices replaced", "mask 3 mm too wide", "mask found", NORM)


def poor_slices(data: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return which slices of a stack (X, Y, Z) lost signal, bool (Z,), by their neighbours.

    Examples
    --------
    >>> data = np.ones((8, 8, 5))
    >>> data[:, :, 2] = 0.5
    >>> poor_slices(data, np.ones((8, 8, 5), bool)).tolist()
    [False, False, True, False, False]
    """
    signal = np.full(data.shape[2], np.nan)
    for k in range(data.shape[2]):
        if mask[:, :, k].sum() >= FEW:
            signal[k] = data[:, :, k][mask[:, :, k]].mean()
    poor = np.zeros(data.shape[2], bool)
    poor[1:-1] = signal[1:-1] < DARK * np.fmax(signal[:-2], signal[2:])
    return poor


def mended(data: np.ndarray, poor: np.ndarray) -> np.ndarray:
    """Return a stack whose poor slices are what lies between the nearest good ones."""
    good = np.flatnonzero(~poor)
    out = data.copy()
    for k in np.flatnonzero(poor):
        before, after = good[good < k], good[good > k]
        beside = [*before[-1:], *after[:1]]
        weights = [1 / abs(k - one) for one in beside]
        out[:, :, k] = np.average(data[:, :, beside], axis=2, weights=weights)
    return out


def wider(mask: np.ndarray, spacing_mm: Sequence[float]) -> np.ndarray:
    """Return a mask (X, Y, Z) that reaches `TOO_WIDE_MM` beyond another."""
    from scipy import ndimage

    return ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= TOO_WIDE_MM


def read_stack(
    model: AnyContrastModel, finder: StackFinder, stack: SliceStack, true_ml: float
) -> Iterator[dict]:
    """Yield what the model tells of a stack in each of `WAYS`."""
    spacing = tuple(float(n) for n in np.linalg.norm(stack.affine[:3, :3], axis=0))
    volume = Volume(stack.data, stack.affine, spacing)
    true = stack.labels > 0
    poor = poor_slices(stack.data, true)
    shown = np.array([true[:, :, k].sum() >= FEW for k in range(true.shape[2])])
    lost = stack.dropped & shown
    facts = {"lost": int(lost.sum()), "poor": int(poor.sum()), "both": int((lost & poor).sum())}
    facts = {"plane": stack.plane} | facts | {"true_ml": true_ml}
    better = replace(volume, data=mended(stack.data, poor))
    masks = {
        "true mask": true,
        "poor slices replaced": true,
        "mask 3 mm too wide": wider(true, spacing),
    }
    masks["mask found"] = finder.find(volume)
    for way, mask in masks.items():
        row = facts | {"way": way, "dice": dice(true, mask), "reason": "no brain was found"}
        if mask.any():
            one = better if way == "poor slices replaced" else volume
            reading = model.read(FetalScan("", np.nan, "stack", one, None, mask, {}))
            row |= {"pred_days": reading.ga_days, "reason": reading.reason}
            row |= {"low_days": reading.low_days, "high_days": reading.high_days}
            row |= {"brain_ml": reading.brain_ml}
        yield row
    yield facts | {"way": NORM, "pred_days": float(volume_days(true_ml)), "brain_ml": true_ml}


def stack_ages(run: Run) -> pd.DataFrame:
    """Tell the ages of phantoms from three raw stacks each.

    Returns a row a fetus, plane and way: ``fetus, ga_days, plane, way, dice`` (of the mask),
    ``pred_days, low_days, high_days, reason``, the volume that was seen (``brain_ml``) and the true
    one, and how many slices ``lost`` signal, were called ``poor``, and ``both``.
    """
    p = run.parameters
    model, finder = load_ga_model(None), load_stack_finder()
    ages = np.linspace(MIN_GA_DAYS + 10, MAX_GA_DAYS - 5, p.n_stacks)

    def compute(folder: Path) -> None:
        rows = []
        for k, days in enumerate(ages):
            seed = p.seed + SEED + k
            phantom = make_fetal_brain(seed, float(days), PHANTOM_MM, surroundings=True)
            for stack in make_stacks(phantom, seed):
                known = {"fetus": k, "ga_days": float(days)}
                told = read_stack(model, finder, stack, phantom.volumes_ml["total"])
                rows += [known | row for row in told]
            run.progress("stage", text=f"read the stacks of {k + 1} of {len(ages)} fetuses")
        pd.DataFrame(rows).to_csv(folder / "stacks.csv", index=False)

    spec = {"name": "raw_stacks", "n": p.n_stacks, "mm": PHANTOM_MM}
    spec |= {"model": str(model.spec), "finder": str(finder.spec)}
    outcome = run.fit_or_reuse(spec, {}, CODE, compute)
    return pd.read_csv(outcome.folder / "stacks.csv", keep_default_na=False, na_values=["nan", ""])


def stack_table(run: Run, found: pd.DataFrame) -> pd.DataFrame:
    """Return by way how far off single stacks and the median of three are, with 95 % intervals.

    Of three stacks the median of those that were not declined is taken.
    """
    rows, seed = [], run.parameters.seed
    for way in WAYS:
        some = found[found["way"] == way]
        by_fetus = some.groupby("fetus", as_index=False).agg(
            ga_days=("ga_days", "first"), pred_days=("pred_days", "median")
        )
        overlap = "–" if some["dice"].isna().all() else f"{some['dice'].mean():.2f}"
        row = {"way": way, "Dice of the mask": overlap}
        for name, table in (("one stack", some), ("median of three", by_fetus)):
            told = table[table["pred_days"].notna()]
            error = (told["pred_days"] - told["ga_days"]).to_numpy()
            row[f"{name}: declined"] = f"{len(table) - len(told)} of {len(table)}"
            row[f"{name}: MAE (days)"] = row[f"{name}: bias (days)"] = "–"
            if len(error):
                ends = bootstrap_ci(np.abs(error), groups=told["fetus"].to_numpy(), seed=seed)
                row[f"{name}: MAE (days)"] = with_interval(np.abs(error).mean(), ends, 1)
                row[f"{name}: bias (days)"] = f"{error.mean():+.1f}"
        rows.append(row)
    return pd.DataFrame(rows)


def bias_text(found: pd.DataFrame) -> str:
    """Return, in Markdown, what part of the bias with the true mask is the norm's."""
    ways = {way: found[found["way"] == way] for way in (WAYS[0], WAYS[2], NORM)}
    seen = {way: (one["brain_ml"] / one["true_ml"]).mean() for way, one in ways.items()}
    late = {way: (one["pred_days"] - one["ga_days"]).mean() for way, one in ways.items()}
    return (
        f"With the true mask the model sees {seen[WAYS[0]]:.0%} of the true volume, and its ages "
        f"are off by {late[WAYS[0]]:+.1f} days on average where it answers. The norm alone, asked "
        f"for the true volumes, is off by {late[NORM]:+.1f} days. With the mask that is 3 mm too "
        f"wide the model sees {seen[WAYS[2]]:.0%} of the volume and is off by "
        f"{late[WAYS[2]]:+.1f} days."
    )


def found_text(found: pd.DataFrame) -> str:
    """Return, in Markdown, how well the finder's masks fit, and how often the interval holds."""
    own = found[found["way"] == "mask found"]
    told = own[own["pred_days"].notna()]
    inside = told["ga_days"].between(told["low_days"], told["high_days"])
    return (
        f"The finder's mask of the {len(own)} stacks has a Dice of {own['dice'].median():.2f} in "
        f"the middle and {own['dice'].min():.2f} at worst; the interval holds the age of "
        f"{int(inside.sum())} of the {len(told)} stacks that are told."
    )


def slices_text(found: pd.DataFrame) -> str:
    """Return, in Markdown, how many of the slices that lost signal were found."""
    one = found[found["way"] == WAYS[0]]
    lost, poor, both = (int(one[name].sum()) for name in ("lost", "poor", "both"))
    return (
        f"Of the slices through the brain in {len(one)} stacks {lost} lost signal; {poor} were "
        f"called poor, {both} of them rightly."
    )
