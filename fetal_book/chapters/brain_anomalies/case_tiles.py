"""Right and wrong answers of chapter 02, as the network saw them, for a gallery that is sorted."""

from __future__ import annotations

import numpy as np

from fetal_book.chapters.brain_anomalies.data import LABELS, Cases, pretty_label
from fetal_book.runs.case_gallery import Tile
from fetal_lib.data.spread import evenly_spaced
from fetal_lib.plots.tiles import outlined_tile

N_OF_EACH = 12


def answer_tiles(cases: Cases, probs: np.ndarray) -> list[Tile]:
    """Return the wrong answers that were given most surely, surest first, and some right ones.

    Parameters
    ----------
    cases : of N images.
    probs : float (N, classes), one row an image, summing to 1.
    """
    called, sure = probs.argmax(1), probs.max(1)
    order = np.argsort(-sure, kind="stable")
    is_right = (called == cases.labels)[order]
    wrong, right = order[~is_right], order[is_right]
    some = right[evenly_spaced(min(N_OF_EACH, len(right)), len(right))]
    tiles = []
    for i in map(int, [*wrong[:N_OF_EACH], *some]):
        names = [pretty_label(LABELS[k]) for k in (cases.labels[i], called[i])]
        values = {"truly": (float(cases.labels[i]), names[0])}
        values |= {"called": (float(called[i]), names[1])}
        values |= {"confidence (%)": (100 * sure[i], f"{100 * sure[i]:.0f} %")}
        share = 100 * probs[i, cases.labels[i]]
        values |= {"probability of the true class (%)": (share, f"{share:.0f} %")}
        kind = "right" if called[i] == cases.labels[i] else "wrong"
        picture = outlined_tile(_unsquashed(cases.images[i], cases.aspect), None, None)
        tiles.append(Tile(picture, f"{names[0]}, called {names[1]}", kind, values))
    return tiles


def _unsquashed(image: np.ndarray, aspect: float) -> np.ndarray:
    """Return an image (S, S) in the aspect, width over height, that it had."""
    import cv2

    size = max(1, round(len(image) * aspect)), len(image)
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
