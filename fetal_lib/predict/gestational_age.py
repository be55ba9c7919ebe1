"""Tell the gestational age from fetal brain MRI, one after the other, in constant memory.

What is not a fetal brain on T2-weighted MRI, or lies outside 19 to 39 weeks, is declined with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.batch import interval_notes, number_text, status_of, write_rows
from fetal_lib.predict.columns import reason_text
from fetal_lib.predict.gestational_age_cases import Case, list_cases, read_case
from fetal_lib.predict.gestational_age_reading import GaReading

if TYPE_CHECKING:
    from fetal_lib.predict.gestational_age_any import AnyContrastModel, AnyContrastSpec
    from fetal_lib.predict.gestational_age_model import GaModel, GaModelSpec


def read_age(case: Case, model: GaModel | AnyContrastModel) -> GaReading:
    """Tell the age from one scan, or say why not."""
    try:
        scan = read_case(case)
    except (ValueError, OSError) as error:
        return GaReading(reason=str(error), failed=True)
    return model.read(scan)


def sample_days(path: Path, model: GaModel | AnyContrastModel) -> float:
    """Return the age of one scan in days, NaN where it is declined: what a self-test asks."""
    return read_age(list_cases([path])[0], model).ga_days


def gestational_age_row(
    case: Case, reading: GaReading, spec: GaModelSpec | AnyContrastSpec
) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value."""
    answered = not reading.reason
    notes, level = interval_notes(reading.high_days, spec.interval_coverage)
    if case.path is None:
        notes["brain_ml, volume_days"] = "pictures do not say how large a voxel is"
    return {
        "scan": case.name,
        "status": status_of("ga", reading.reason, reading.failed),
        "ga_days": number_text(reading.ga_days),
        "ga_weeks_days": format_weeks_days(reading.ga_days) if answered else "",
        "low_days": number_text(reading.low_days),
        "high_days": number_text(reading.high_days),
        "interval_level": level,
        "shape_days": number_text(reading.shape_days),
        "volume_days": number_text(reading.volume_days),
        "brain_ml": number_text(reading.brain_ml),
        "likeness": number_text(reading.likeness, 2),
        "spread_days": number_text(reading.spread_days),
        "reason": reason_text(reading.reason, notes),
    }


def write_ages(
    cases: Sequence[Case],
    model: GaModel | AnyContrastModel,
    out: str | Path,
    pictures: str | Path | None = None,
) -> dict[str, int]:
    """Tell the ages of scans, write a CSV and, if asked, a picture of each.

    Parameters
    ----------
    cases : from `list_cases`.
    model : from `load_ga_model`.
    out : the CSV; it appears when all scans are done.
    pictures : folder for pictures of what was looked at; created when missing.

    Returns
    -------
    dict
        Number of scans ``predicted``, ``declined`` and ``failed``.
    """

    def rows() -> Iterator[dict[str, str]]:
        for case in cases:
            reading = read_age(case, model)
            if pictures is not None and reading.images is not None:
                save_picture(Path(pictures), case, reading, model)
            yield gestational_age_row(case, reading, model.spec)

    return write_rows(rows(), out, "ga", len(cases))


def save_picture(
    folder: Path, case: Case, reading: GaReading, model: GaModel | AnyContrastModel
) -> None:
    """Write what the model looked at in a scan, titled with the age."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure = model.figure(reading, age_title(reading))
    figure.savefig(folder / f"{case.name.replace('/', '_').split('.')[0]}.png", dpi=100)
    plt.close(figure)


def age_title(reading: GaReading) -> str:
    """Return what stands above a picture: the age with its interval, or that there is none."""
    if reading.reason:
        return "declined"
    title = f"{format_weeks_days(reading.ga_days)} weeks ({reading.ga_days:.0f} days"
    width = reading.high_days - reading.low_days
    return title + (f" ± {width / 2:.0f})" if np.isfinite(width) else ")")
