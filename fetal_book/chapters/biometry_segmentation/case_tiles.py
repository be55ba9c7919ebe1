"""Right and wrong cases of chapter 03, with pictures and numbers, for a gallery that is sorted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from fetal_book.chapters.biometry_segmentation.data import CaseArrays, at_own_size
from fetal_book.chapters.outlines import scan_ellipse
from fetal_book.runs.case_gallery import Tile
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.plots.tiles import outlined_tile

WITHIN = 0.05
"""Right is a size nearer to the annotated one than this share of it."""
N_SHOWN = 24


def case_tiles(
    scores: pd.DataFrame, table: pd.DataFrame, arrays: CaseArrays, probs: np.ndarray
) -> list[Tile]:
    """Return the worst cases of each structure by Dice, worst first, and as many over its others.

    Both outlines are ellipses: those fitted to the reference mask and to the network's map.

    Parameters
    ----------
    scores, table, arrays : of N cases in one order, scored by ``score_structures``.
    probs : float (N, h, w), the network's maps.
    """
    tiles = []
    for i in _shown(scores):
        scan, reference = at_own_size(table, arrays, i)
        outlines = (scan_ellipse(one, scan.shape) for one in (reference / 255, probs[i]))
        row = scores.iloc[i]
        kind, values = _told(row)
        tiles.append(Tile(outlined_tile(scan, *outlines), str(row["image"]), kind, values))
    return tiles


def _shown(scores: pd.DataFrame) -> list[int]:
    kinds = scores["structure"].unique()
    half, shown = N_SHOWN // len(kinds) // 2, []
    for kind in kinds:
        own = np.flatnonzero(scores["structure"] == kind)
        own = own[np.argsort(scores["dice"].to_numpy()[own], kind="stable")]
        rest = own[half:]
        shown += [*own[:half], *rest[evenly_spaced(min(half, len(rest)), len(rest))]]
    return [int(i) for i in shown]


def _told(row: pd.Series) -> tuple[str, dict[str, tuple[float, str]]]:
    """Return what became of a case, and the numbers under its picture."""
    error, size = float(row["df_mm"]), float(row["true_mm"])
    limit = f"{100 * WITHIN:.0f} %"
    told = f"within {limit}" if abs(error) <= WITHIN * size else f"more than {limit} off"
    kind = f"{row['structure']}, {told if math.isfinite(error) else 'not measured'}"
    values = {"Dice": (row["dice"], f"{row['dice']:.3f}")}
    values |= {"size (mm)": (size, f"{size:.0f} mm")}
    if math.isfinite(error):
        share = 100 * abs(error) / size
        values |= {"error (mm)": (error, f"{error:+.1f} mm")}
        values |= {"size of the error (%)": (share, f"{share:.1f} %")}
    return kind, values
