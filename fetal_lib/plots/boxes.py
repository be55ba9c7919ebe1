"""Box plots that show every case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def draw_boxes(
    axes: Axes, table: pd.DataFrame, x: str, y: str, group: str, colours: Mapping[str, str]
) -> Axes:
    """Draw a box plot of each group, and a dot for each of its cases.

    Parameters
    ----------
    axes : Axes
    table : DataFrame
    x, y, group : str
        Columns of both axes, and which of the two holds the groups.
    colours : mapping of str to str
        Colour of each group, in the order in which they are drawn.
    """
    import seaborn as sns

    look = {"data": table, "x": x, "y": y, "hue": group, "palette": dict(colours), "ax": axes}
    look |= {"order": list(colours), "hue_order": list(colours), "legend": False}
    sns.boxplot(
        **look,
        width=0.6,
        saturation=1,
        showfliers=False,
        boxprops={"alpha": 0.35},
        medianprops={"color": "black", "lw": 1.4},
    )
    with _fixed_jitter():
        sns.stripplot(**look, jitter=0.2, size=3, alpha=0.7, linewidth=0)
    axes.set(xlabel="", ylabel="")
    return axes


@contextmanager
def _fixed_jitter() -> Iterator[None]:
    """Place dots the same each time; seaborn draws from NumPy's global state, which is put back."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
