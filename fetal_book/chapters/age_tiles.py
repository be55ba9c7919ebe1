"""Cases told worst and others, with pictures and numbers, for a gallery that can be sorted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fetal_book.runs.case_gallery import Tile
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.plots.tiles import outlined_tile

N_WORST, N_OTHERS = 8, 8


def age_tiles(
    names: Sequence[str],
    true: np.ndarray,
    pred: np.ndarray,
    half: np.ndarray,
    picture_of: Callable[[int], np.ndarray],
    unit: str,
) -> list[Tile]:
    """Return the worst cases, worst first, and as many over all others.

    Right is an age inside its interval.

    Parameters
    ----------
    names : of the cases, (N,)
    true, pred, half : float (N,), ages and half-widths of the intervals, in `unit`.
    picture_of : takes a case's number and returns its picture (H, W).
    unit : ``years`` or ``days``.
    """
    error = np.asarray(pred, float) - np.asarray(true, float)
    order = np.argsort(-np.abs(error), kind="stable")
    rest = order[N_WORST:]
    chosen = [*order[:N_WORST], *rest[evenly_spaced(N_OTHERS, len(rest))]]
    tiles = []
    for i in map(int, chosen):
        kind = "inside its interval" if abs(error[i]) <= half[i] else "outside its interval"
        values = {f"size of the error ({unit})": (abs(error[i]), f"{abs(error[i]):.1f} {unit}")}
        values |= {f"error ({unit})": (error[i], f"{error[i]:+.1f} {unit}")}
        values |= {f"true age ({unit})": (true[i], f"{true[i]:.0f} {unit}")}
        values |= {f"predicted age ({unit})": (pred[i], f"{pred[i]:.0f} ± {half[i]:.0f} {unit}")}
        tiles.append(
            Tile(outlined_tile(_grey(picture_of(i)), None, None), str(names[i]), kind, values)
        )
    return tiles


def _grey(picture: np.ndarray) -> np.ndarray:
    """Return a picture as uint8, white at its brightest 0.5 %."""
    top = max(float(np.quantile(picture, 0.995)), 1e-6)
    return np.rint(255 * np.clip(np.asarray(picture, float) / top, 0, 1)).astype(np.uint8)
