"""The figure of the leak audit: how strong each clue is, and the images that look alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fetal_lib.plots.style import BLUE, GREY, ORANGE, VERMILION, hide_ticks, new_figure, tidy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = {"ok": (BLUE, "o"), "warning": (ORANGE, "^"), "leak": (VERMILION, "s")}
ROW_INCHES = 0.3
PAIR_INCHES = 1.9
LINE_CHARACTERS = 114
"""Of the small print, in a line as wide as the figure."""
VALUE_FORMAT = {"R2": "R² {:.2f}", "pairs": "{:.0f} pair(s)", "groups": "{:.0f} group(s)"}


def audit_figure(
    report: Any, images: Mapping[str, np.ndarray] | None = None, n_pairs: int = 3
) -> Figure:
    """Show the strength of each check and, below, the closest pairs of images.

    Verdicts differ in colour, in marker and in the word beside them.

    Parameters
    ----------
    report : AuditReport
        Anything with ``findings``, ``pairs`` and ``thumbs``.
    images : mapping, optional
        Name to image (H, W), uint8, for the pairs; without it the report's own 48 x 48
        pictures are shown.
    n_pairs : int
        At most; none are shown if the audit saw no images or found no pairs.
    """
    images = {**report.thumbs, **(images or {})}
    pairs = _shown(report.pairs, images, n_pairs)
    height = 0.9 + ROW_INCHES * len(report.findings)
    if pairs.empty:
        figure, axes = new_figure(height=height)
        strengths(axes, report.findings)
        return figure
    figure, axes = new_figure(height=height + PAIR_INCHES)
    axes.remove()
    upper, lower = figure.subfigures(2, 1, height_ratios=[height, PAIR_INCHES])
    strengths(upper.subplots(), report.findings)
    panels = lower.subplots(1, n_pairs, squeeze=False)[0]
    for ax, pair in zip(panels, pairs.itertuples(), strict=False):
        show_pair(ax, pair, images, LINE_CHARACTERS // n_pairs)
    for ax in panels[len(pairs) :]:
        ax.set_axis_off()
    return figure


def pairs_figure(
    pairs: pd.DataFrame, images: Mapping[str, np.ndarray], n_pairs: int = 6, columns: int = 3
) -> Figure:
    """Show pairs of images that look alike, some a row.

    Parameters
    ----------
    pairs : DataFrame
        Rows as :func:`show_pair` takes them; the first are shown.
    images : mapping
        Name to image (H, W), uint8.
    n_pairs, columns : int
    """
    shown = pairs.head(n_pairs)
    lines = math.ceil(len(shown) / columns)
    figure, axes = new_figure(lines, columns, height=PAIR_INCHES * lines, squeeze=False)
    for ax, pair in zip(axes.flat, shown.itertuples(), strict=False):
        show_pair(ax, pair, images, LINE_CHARACTERS // columns)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    return figure


def _shown(pairs: pd.DataFrame, images: Mapping[str, np.ndarray], n_pairs: int) -> pd.DataFrame:
    known = pairs["image_a"].isin(images) & pairs["image_b"].isin(images)
    return pairs[known].head(n_pairs)


def strengths(axes: Axes, findings: pd.DataFrame) -> Axes:
    """Draw one line a check from 0 to its strength, with its value and verdict in words.

    Parameters
    ----------
    axes : Axes
    findings : DataFrame
        With ``check, measure, value, strength, chance_strength, verdict``.
    """
    for row, one in enumerate(findings.itertuples()):
        colour, marker = LOOKS[one.verdict]
        axes.plot([0, one.strength], [row, row], color=colour, lw=2, solid_capstyle="butt")
        axes.plot(one.strength, row, marker, color=colour, ms=7, clip_on=False, zorder=3)
        if math.isfinite(one.chance):
            axes.plot([one.chance_strength] * 2, [row - 0.3, row + 0.3], color=GREY, lw=1.2)
        words = f"{one.verdict} · {VALUE_FORMAT.get(one.measure, one.measure + ' {:.2f}')}"
        axes.annotate(
            words.format(one.value),
            (1.04, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            weight="normal" if one.verdict == "ok" else "bold",
        )
    axes.set_yticks(range(len(findings)), findings["check"])
    axes.set(xlim=(0, 1), ylim=(len(findings) - 0.5, -0.5))
    axes.set_xlabel(
        "strength: 0 nothing, 1 everything (grey tick: 95 % of shuffled labels stay below)"
    )
    return tidy(axes)


def show_pair(
    axes: Axes, pair: Any, images: Mapping[str, np.ndarray], characters: int = 38
) -> Axes:
    """Show two images that look alike side by side, with names, parts and bits that differ.

    Parameters
    ----------
    axes : Axes
    pair : row of ``AuditReport.pairs``
    images : mapping of name to ndarray (H, W), uint8
    characters : int
        Of a line of text; what is longer is shortened in its middle.
    """
    lines, labels = [], []
    for place, side in enumerate("ab"):
        image = images[getattr(pair, f"image_{side}")]
        height = min(1.0, max(0.5, image.shape[0] / image.shape[1]))
        left = place * 1.04
        box = (left, left + 1, height, 0)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, extent=box)
        label, part = getattr(pair, f"label_{side}"), getattr(pair, f"part_{side}")
        labels.append(f"{label:.1f}" if isinstance(label, float) else str(label))
        where = f" ({part})" if part else ""
        lines.append(_short(getattr(pair, f"image_{side}"), characters - len(where)) + where)
    lines.append(_short(" and ".join(dict.fromkeys(filter(None, labels))), characters))
    axes.set(xlim=(0, 2.04), ylim=(height, 0))
    axes.set_title("\n".join(lines), fontsize=7, loc="left")
    how = "identical" if pair.exact else f"{pair.bits} of 144 bits differ"
    how += "" if pair.view == "as it is" else f", {pair.view}"
    axes.set_xlabel(how, fontsize=7, loc="left")
    axes.spines[:].set_visible(False)
    return hide_ticks(axes)


def _short(name: str, characters: int) -> str:
    """Shorten a name in its middle, since long names differ at their ends.

    >>> _short("moderate-ventriculomegaly-36b_png.rf.a9e9.jpg", 21)
    'moderate-v…f.a9e9.jpg'
    """
    half = (characters - 1) // 2
    return name if len(name) <= characters else f"{name[: characters - 1 - half]}…{name[-half:]}"
