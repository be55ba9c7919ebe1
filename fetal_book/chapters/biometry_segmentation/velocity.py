"""Growth over time on phantoms, whose truth is known: one fetus on several dates, one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fetal_lib.data.images import squash
from fetal_lib.geometry.biometry import sizes_mm
from fetal_lib.growth.intergrowth_size import mean_mm

if TYPE_CHECKING:
    from fetal_lib.predict.segmenter import Segmenter

WEEKS = (22, 24, 26, 28, 30, 32, 34, 36)
SLOWS_AT, FALL = 26, -2.2
"""Week from which a fetus that slows loses size, and by how many standard deviations to the end."""
GAPS_WEEKS = (2, 4, 8)
STEADY, SLOWING = "keeps its centile", "slows from week 26"


def several_dates(segmenter: Segmenter, seed: int, n_fetuses: int = 4) -> pd.DataFrame:
    """Measure the abdomens of phantom fetuses on every date of ``WEEKS``; half of them slow.

    Returns ``fetus, course, ga_weeks, true_mm, measured_mm``, NaN where nothing was found.
    """
    from fetal_phantoms.abdomen import make_abdomen

    rng = np.random.default_rng([seed, 77])
    rows, phantoms = [], []
    for fetus, z in enumerate(rng.uniform(-0.5, 0.8, n_fetuses)):
        course = SLOWING if fetus % 2 else STEADY
        for week in WEEKS:
            lost = max(0, week - SLOWS_AT) / (WEEKS[-1] - SLOWS_AT) * FALL
            own = float(z + (lost if course == SLOWING else 0))
            one = make_abdomen(900_000 + 1000 * seed + fetus, 7.0 * week, frame=week, z=own)
            rows.append({"fetus": fetus + 1, "course": course, "ga_weeks": week})
            rows[-1]["true_mm"] = one.ac_mm
            phantoms.append(one)
    measured = _measure(segmenter, phantoms)
    return pd.DataFrame(rows).assign(measured_mm=measured)


def _measure(segmenter: Segmenter, phantoms: list) -> list[float]:
    shape = (segmenter.spec.image_size,) * 2
    probs = segmenter.probs(np.stack([squash(one.image, shape) for one in phantoms]))
    return [
        sizes_mm("abdomen", found, one.image.shape, one.pixel_size_mm)["ac_mm"]
        for found, one in zip(probs, phantoms, strict=True)
    ]


def velocities(dates: pd.DataFrame, gap_weeks: int = 2) -> pd.DataFrame:
    """Return growth in mm a week between dates that many weeks apart: true, measured, the norm's.

    ``expected`` is that of the INTERGROWTH-21st mean between the same dates.
    """
    rows = []
    for (fetus, course), own in dates.groupby(["fetus", "course"]):
        later = own.assign(ga_weeks=own["ga_weeks"] - gap_weeks)
        both = own.merge(later, on="ga_weeks", suffixes=("", "_later"))
        start = both["ga_weeks"].to_numpy(float)
        row = {"fetus": fetus, "course": course, "ga_weeks": start + gap_weeks / 2}
        for kind in ("true", "measured"):
            row[kind] = (both[f"{kind}_mm_later"] - both[f"{kind}_mm"]) / gap_weeks
        row["expected"] = (mean_mm("AC", start + gap_weeks) - mean_mm("AC", start)) / gap_weeks
        rows.append(pd.DataFrame(row))
    return pd.concat(rows, ignore_index=True)


def velocity_table(dates: pd.DataFrame) -> pd.DataFrame:
    """Return, by weeks between two dates, the error of a velocity beside what a slow one lacks."""
    rows = []
    for gap in GAPS_WEEKS:
        found = velocities(dates, gap).dropna()
        late = found[found["ga_weeks"] - gap / 2 >= SLOWS_AT]
        lack = (late["expected"] - late["true"]).groupby(late["course"]).mean()
        off = (found["measured"] - found["true"]).abs()
        row = {"weeks between": gap, "pairs of dates": len(found), "MAE (mm a week)": off.mean()}
        rows.append(row | {"a fetus that slows lacks (mm a week)": lack.get(SLOWING, np.nan)})
    return pd.DataFrame(rows)
