"""All layouts, and which of them a folder is in."""

from __future__ import annotations

from pathlib import Path

from fetal_lib.data.layouts import (
    anomaly_cases,
    bids_adult,
    bids_fetal,
    boxes,
    clinical_ultrasound,
    fetal_atlas,
    fetal_biometry,
    fetal_planes,
    heads,
    ixi,
    labelled,
    mask_folders,
    measurements,
    oasis,
    slices,
)
from fetal_lib.data.layouts.base import Layout
from fetal_lib.errors import UserError, did_you_mean

# In the order in which a folder is compared with them: the most telling signs first.
LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT
    for module in (
        heads,
        fetal_biometry,
        fetal_planes,
        labelled,
        boxes,
        anomaly_cases,
        clinical_ultrasound,
        measurements,
        oasis,
        ixi,
        bids_fetal,
        bids_adult,
        fetal_atlas,
        slices,
        mask_folders,
    )
}


class LayoutError(UserError, ValueError):
    """A layout is unknown, or a folder is in none."""


def layout_named(name: str) -> Layout:
    """Return a layout by name.

    Raises
    ------
    LayoutError
        If there is none of that name; the message lists all.

    Examples
    --------
    >>> layout_named("hc18").holds
    'head scans, outlines, a table of HC in mm'
    """
    if name not in LAYOUTS:
        hint = did_you_mean(name.lower(), LAYOUTS)
        raise LayoutError(f"layout '{name}' is not known{hint} known: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def detect_layout(folder: str | Path, otherwise: Layout | None = None) -> Layout:
    """Return the first layout that a folder shows the signs of.

    Parameters
    ----------
    folder : an existing folder.
    otherwise : taken when no layout is recognised.

    Raises
    ------
    LayoutError
        If no layout is recognised and there is no other to take.
    """
    folder = Path(folder)
    for layout in LAYOUTS.values():
        if layout.detect(folder):
            return layout
    if otherwise is not None:
        return otherwise
    listed = "".join(f"\n  {layout.name:<20} {layout.holds}" for layout in LAYOUTS.values())
    raise LayoutError(
        f"{folder}: no layout is recognised in this folder; name one with --layout:{listed}"
    )
