"""Ages from raw stacks of thick slices, without a reconstruction, on phantoms that move.

The shipped model is meant for volumes that were cut free of the mother. Here it is shown stacks as
they are acquired: with the true mask, with poor slices replaced by what their neighbours show, with
a mask that is too wide, and with what its own finder makes of a stack among skull and womb.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fetal_book.runs.session import Run
from fetal_lib.data.layouts.fetal_scan import FetalScan
from fetal_lib.data.plane_slices import FIELD_SHARE, BrainPlace
from fetal_lib.metrics.intervals import bootstrap_ci, with_interval
from fetal_lib.metrics.segmentation import dice
from fetal_lib.predict.gestational_age_any import AnyContrastModel
from fetal_lib.predict.gestational_age_model import load_ga_model
from fetal_lib.predict.gestational_age_place import (
    brain_on_grid,
    cut_grid,
    place_of,
    shown_brain,
    standardised,
)
from fetal_lib.readers.volume_grid import Volume
from fetal_phantoms.fetal_brain.brain import make_fetal_brain
from fetal_phantoms.fetal_brain.norms import MAX_GA_DAYS, MIN_GA_DAYS
from fetal_phantoms.fetal_brain.stacks import SliceStack, make_stacks

CODE = (
    "fetal_lib.predict.gestational_age_any",
    "fetal_phantoms.fetal_brain.brain",
    "fetal_phantoms.fetal_brain.stacks",
    "fetal_book.chapters.gestational_age.raw_stacks",
)
SEED = 40_000  # added to the run's: other fetuses than those of the chapter
PHANTOM_MM = 1.2
STARTS_ML = (60.0, 420.0)
"""Volumes that a brain may have where looking begins."""
LOOKS = 3
DARK = 0.8  # of its neighbours' signal: a slice below it is poor
FEW = 20  # pixels of brain below which a slice is not judged
TOO_WIDE_MM = 3.0
WAYS = ("true mask", "poor slices replaced", "mask 3 mm too wide", "mask found")


def find_brain(model: AnyContrastModel, volume: Volume) -> np.ndarray:
    """Return where a stack shows brain, bool (X, Y, Z): nowhere where none was found.

    The finder takes what it is shown for a brain of about that size, so that it begins at several;
    the one whose shape is most like a fetal brain's is taken.
    """
    shown = shown_brain(FetalScan("", np.nan, "stack", volume, None, None, {}))
    found, best = np.zeros(volume.data.shape, bool), -1.0
    for start in STARTS_ML:
        seen = BrainPlace(shown.place.middle_mm, start)
        for _ in range(LOOKS):
            place = seen
            grid = standardised(cut_grid(shown.volume, place))
            share = model.network.forward(grid)
            seen = place_of(share, place)
            if not 0.5 * STARTS_ML[0] <= seen.volume_ml <= 1.5 * STARTS_ML[-1]:
                break
        else:
            likeness = model.by_shape(grid, share)[1]
            if likeness > best:
                found, best = on_stack(share, place, volume), likeness
    return found


def on_stack(share: np.ndarray, place: BrainPlace, volume: Volume) -> np.ndarray:
    """Return the brain of a grid (s, s, s), cut around a place, on a volume: bool (X, Y, Z)."""
    from scipy import ndimage

    part, side = brain_on_grid(share)[0], len(share)
    step = FIELD_SHARE * place.diameter_mm / side
    world = np.tensordot(volume.affine[:3, :3], np.indices(volume.data.shape), axes=1)
    world += (volume.affine[:3, 3] - place.middle_mm)[:, None, None, None]
    at = world / step + (side - 1) / 2
    return ndimage.map_coordinates(part, at, order=1, output=np.float32) > 0.5


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


def read_stack(model: AnyContrastModel, stack: SliceStack) -> Iterator[dict]:
    """Yield what the model tells of a stack in each of `WAYS`."""
    spacing = tuple(float(n) for n in np.linalg.norm(stack.affine[:3, :3], axis=0))
    volume = Volume(stack.data, stack.affine, spacing)
    true = stack.labels > 0
    poor = poor_slices(stack.data, true)
    shown = np.array([true[:, :, k].sum() >= FEW for k in range(true.shape[2])])
    lost = stack.dropped & shown
    facts = {"lost": int(lost.sum()), "poor": int(poor.sum()), "both": int((lost & poor).sum())}
    better = replace(volume, data=mended(stack.data, poor))
    masks = {
        "true mask": true,
        "poor slices replaced": true,
        "mask 3 mm too wide": wider(true, spacing),
    }
    masks["mask found"] = find_brain(model, volume)
    for way, mask in masks.items():
        row = {"plane": stack.plane, "way": way, "dice": dice(true, mask)} | facts
        row |= {"pred_days": np.nan, "reason": "no brain was found"}
        if mask.any():
            one = better if way == "poor slices replaced" else volume
            reading = model.read(FetalScan("", np.nan, "stack", one, None, mask, {}))
            row |= {"pred_days": reading.ga_days, "reason": reading.reason}
        yield row


def stack_ages(run: Run) -> pd.DataFrame:
    """Tell the ages of phantoms from three raw stacks each.

    Returns a row a fetus, plane and way: ``fetus, ga_days, plane, way, dice`` (of the mask),
    ``pred_days, reason``, and how many slices ``lost`` signal, were called ``poor``, and ``both``.
    """
    p = run.parameters
    model = load_ga_model(None)
    ages = np.linspace(MIN_GA_DAYS + 10, MAX_GA_DAYS - 5, p.n_stacks)

    def compute(folder: Path) -> None:
        rows = []
        for k, days in enumerate(ages):
            seed = p.seed + SEED + k
            phantom = make_fetal_brain(seed, float(days), PHANTOM_MM, surroundings=True)
            for stack in make_stacks(phantom, seed):
                known = {"fetus": k, "ga_days": float(days)}
                rows += [known | row for row in read_stack(model, stack)]
            run.progress("stage", text=f"read the stacks of {k + 1} of {len(ages)} fetuses")
        pd.DataFrame(rows).to_csv(folder / "stacks.csv", index=False)

    spec = {"name": "raw_stacks", "n": p.n_stacks, "mm": PHANTOM_MM}
    spec["model"] = str(model.spec)
    outcome = run.fit_or_reuse(spec, {}, CODE, compute)
    return pd.read_csv(outcome.folder / "stacks.csv", keep_default_na=False, na_values=["nan", ""])


def stack_table(run: Run, found: pd.DataFrame) -> pd.DataFrame:
    """Return by way how far off single stacks and the median of three are, with 95 % intervals.

    Of three stacks the median of those that were not declined is taken.
    """
    rows, seed = [], run.parameters.seed
    for way in WAYS:
        some = found[found["way"] == way]
        by_fetus = some.groupby("fetus").agg(
            ga_days=("ga_days", "first"), pred_days=("pred_days", "median")
        )
        row = {"way": way, "Dice of the mask": f"{some['dice'].mean():.2f}"}
        for name, table in (("one stack", some), ("median of three", by_fetus)):
            told = table[table["pred_days"].notna()]
            error = (told["pred_days"] - told["ga_days"]).abs().to_numpy()
            groups = told["fetus"].to_numpy() if "fetus" in told else told.index.to_numpy()
            row[f"{name}: declined"] = f"{len(table) - len(told)} of {len(table)}"
            if not len(error):
                row[f"{name}: MAE (days)"] = "–"
                continue
            ends = bootstrap_ci(error, groups=groups, seed=seed)
            row[f"{name}: MAE (days)"] = with_interval(error.mean(), ends, 1)
        rows.append(row)
    return pd.DataFrame(rows)


def slices_text(found: pd.DataFrame) -> str:
    """Return, in Markdown, how many of the slices that lost signal were found."""
    one = found[found["way"] == WAYS[0]]
    lost, poor, both = (int(one[name].sum()) for name in ("lost", "poor", "both"))
    return (
        f"Of the slices through the brain in {len(one)} stacks {lost} lost signal; {poor} were "
        f"called poor, {both} of them rightly."
    )
