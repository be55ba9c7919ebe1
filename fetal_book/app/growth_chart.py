"""The growth chart with a measured head on it; what is the same for all heads is drawn once."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fetal_book.app.markup import canvas_pixels

if TYPE_CHECKING:
    from matplotlib.artist import Artist

SIZE_INCHES, DPI = (4.8, 3.7), 110
LIMITS_MM = (30, 420)
"""All heads that can be measured, with their intervals, so that charts can be compared."""


class GrowthChart:
    """A chart that heads are drawn on, one at a time: hold a lock around each use.

    Where their ages are known, a head is a point, else a level.
    """

    def __init__(self, known: bool) -> None:
        import matplotlib.pyplot as plt
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from fetal_lib.plots.growth import head_growth_chart

        figure = head_growth_chart(np.array([]), np.array([]), "")
        plt.close(figure)
        self._canvas, (self._axes,) = FigureCanvasAgg(figure), figure.axes
        figure.set_dpi(DPI)
        figure.set_size_inches(SIZE_INCHES)
        self._curves = list(self._axes.lines)
        self._axes.set_ylim(LIMITS_MM)
        usual = self._marks(200.0, 5.0, 21.0 if known else math.nan)
        self._axes.legend(frameon=False, fontsize=8, loc="upper left")
        for artist in (*usual, *self._curves):
            artist.set_animated(True)
        self._canvas.draw()
        self._empty = self._canvas.copy_from_bbox(figure.bbox)
        for artist in usual:
            artist.remove()

    def picture(self, hc_mm: float, half_mm: float, ga_weeks: float) -> np.ndarray:
        """Return the chart with a head and its interval's half width, uint8 (H, W, 3) in BGR.

        The age is NaN where the chart's ages are not known.
        """
        self._canvas.restore_region(self._empty)
        marks = self._marks(hc_mm, half_mm, ga_weeks)
        for artist in sorted((*marks, *self._curves), key=lambda one: one.get_zorder()):
            self._axes.draw_artist(artist)
        for artist in marks:
            artist.remove()
        return canvas_pixels(self._canvas)

    def _marks(self, hc_mm: float, half_mm: float, ga_weeks: float) -> list[Artist]:
        from fetal_lib.plots.style import VERMILION

        low, high = hc_mm - half_mm, hc_mm + half_mm
        if math.isnan(ga_weeks):
            span = self._axes.axhspan(low, high, color=VERMILION, alpha=0.2, lw=0)
            return [span, self._axes.axhline(hc_mm, color=VERMILION, lw=1.2, label="this head")]
        style = {"color": VERMILION, "zorder": 4}
        bar = self._axes.plot([ga_weeks] * 2, [low, high], "_-", ms=6, **style)
        return bar + self._axes.plot(ga_weeks, hc_mm, "o", ms=7, label="this head", **style)


@lru_cache(maxsize=2)
def growth_chart(known: bool) -> GrowthChart:
    """Return the chart for heads of known or unknown age."""
    return GrowthChart(known)
