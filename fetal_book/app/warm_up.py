"""Have a tab's model ready: it is loaded when the tab is opened, not when the first scan comes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fetal_book.app import markup
from fetal_book.app.shelf import Loaded, Shelf

BLANK = np.zeros((64, 96), np.uint8)
LOG = logging.getLogger(__name__)


def warm_up(task: str, shelf: Shelf) -> None:
    """Load the model that a tab starts with, and have it answer a blank scan where it takes one.

    What goes wrong is logged only: the first request says it to the person who asks.
    """
    if not shelf.choices[task]:
        return
    try:
        shelf.get(task)
        STEPS.get(task, lambda shelf: None)(shelf)
    except Exception:
        LOG.exception("the model of the tab %s could not be made ready", task)


def _anomaly(shelf: Shelf) -> None:
    from fetal_book.app.anomaly import answer_scan

    loaded = _unasked(shelf.get("anomaly"))
    finder = shelf.head_finder().model if loaded.model.spec.view == "head" else None
    answer_scan(BLANK, "", loaded, finder)


def _unasked(loaded: Loaded) -> Loaded:
    """Have the check ready, and return what answers a blank scan all the same."""
    loaded.no_head(BLANK)
    return replace(loaded, gate=None)


def _head(shelf: Shelf) -> None:
    from fetal_book.app.growth_chart import growth_chart
    from fetal_book.app.head import measure_scan
    from fetal_lib.predict.pixel_sizes import PixelSize

    measure_scan(BLANK, "", PixelSize(0.1), 1.0, math.nan, _unasked(shelf.get("hc")))
    with markup.FIGURES:
        for known in (False, True):
            growth_chart(known)


STEPS: dict[str, Callable[[Shelf], None]] = {"anomaly": _anomaly, "hc": _head}
