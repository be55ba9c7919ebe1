"""Tell the gestational age from fetal brain MRI, one after the other, in constant memory.

What is not a fetal brain on T2-weighted MRI, or lies outside 19 to 39 weeks, is declined with the
reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.plane_slices import find_brain
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.models.vgg16_attention import PLANES
from fetal_lib.predict.batch import interval_notes, number_text, status_of, write_rows
from fetal_lib.predict.columns import reason_text
from fetal_lib.predict.gestational_age_cases import Case, read_case
from fetal_lib.predict.gestational_age_maps import plane_cams, plane_gates
from fetal_lib.predict.gestational_age_slices import as_pictures, cut_scan

if TYPE_CHECKING:
    from fetal_lib.predict.gestational_age_model import GaModel, GaModelSpec

LIMITS_DAYS = (133.0, 279.0)  # 19+0 to 39+6 weeks
UNMASKED = (
    "nothing says where the brain ends: mask the volume to the brain with its fluid, or put its "
    "mask beside it as NAME_mask.nii.gz"
)
VOLUME_SLACK = 1.2  # a brain may be this much larger or smaller than any of the training


@dataclass(frozen=True)
class GaReading:
    """Hold what was predicted of a scan, or why nothing was.

    Attributes
    ----------
    ga_days, low_days, high_days : NaN when declined.
    brain_ml : of the brain with its fluid, NaN where unknown.
    likeness : with the pictures of the training, NaN where none was made.
    spread_days : SD between slices and networks.
    reason : empty when an age was predicted.
    failed : whether the reason is that the file cannot be read.
    images : uint8 (n, S, S, P), None where the scan could not be cut.
    """

    ga_days: float = float("nan")
    low_days: float = float("nan")
    high_days: float = float("nan")
    brain_ml: float = float("nan")
    likeness: float = float("nan")
    spread_days: float = float("nan")
    reason: str = ""
    failed: bool = False
    images: np.ndarray | None = None


def read_age(case: Case, model: GaModel) -> GaReading:
    """Tell the age from one scan, or say why not."""
    spec = model.spec
    try:
        scan = read_case(case)
    except (ValueError, OSError) as error:
        return GaReading(reason=str(error), failed=True)
    try:
        if scan.volume is not None and np.isnan(find_brain(scan.volume, scan.mask).volume_ml):
            return GaReading(reason=UNMASKED)
        cut = cut_scan(scan, spec.n_slices, spec.image_size, spec.size_normalised)
    except ValueError as error:
        return GaReading(reason=str(error))
    images = as_pictures(cut)[..., [PLANES.index(plane) for plane in spec.planes]]
    like = model.likeness(images)
    facts = {"brain_ml": cut.brain_ml, "likeness": like, "images": images}
    problem = _no_fetal_brain(cut.brain_ml, like, model)
    if problem:
        return GaReading(reason=problem, **facts)
    answers = model.answers(images)
    days = float(np.median(answers.mean(axis=0)))
    facts["spread_days"] = float(answers.std())
    low, high = np.clip(spec.ga_range_days, *LIMITS_DAYS)
    if not low <= days <= high:
        reason = (
            f"predicted {days:.0f} days, outside the ages it knows ({format_weeks_days(low)} to "
            f"{format_weeks_days(high)} weeks, of 19 to 39)"
        )
        return GaReading(reason=reason, **facts)
    half = spec.half_width_days
    return GaReading(days, days - half, days + half, **facts)


def _no_fetal_brain(brain_ml: float, like: float, model: GaModel) -> str:
    """Return why a scan shows no fetal brain of 19 to 39 weeks; empty if it may."""
    known = model.spec.brain_ml_range
    if known is not None and np.isfinite(brain_ml):
        low, high = known[0] / VOLUME_SLACK, known[1] * VOLUME_SLACK
        if not low <= brain_ml <= high:
            size = "smaller" if brain_ml < low else "larger"
            return (
                f"the brain with its fluid is {brain_ml:.0f} mL, {size} than any of "
                f"{known[0]:.0f} to {known[1]:.0f} mL that it knows: outside 19 to 39 weeks, or "
                "not masked to the brain"
            )
    if like < model.spec.min_likeness:
        return (
            f"does not look like a fetal brain on T2-weighted MRI (likeness {like:.2f}, at least "
            f"{model.spec.min_likeness:.2f} is needed): another organ or contrast, a wrong mask, "
            "or a header that does not say how the head lies"
        )
    return ""


def gestational_age_row(case: Case, reading: GaReading, spec: GaModelSpec) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value."""
    answered = not reading.reason
    notes, level = interval_notes(reading.high_days, spec.interval_coverage)
    if case.path is None:
        notes["brain_ml"] = "pictures do not say how large a voxel is"
    return {
        "scan": case.name,
        "status": status_of("ga", reading.reason, reading.failed),
        "ga_days": number_text(reading.ga_days),
        "ga_weeks_days": format_weeks_days(reading.ga_days) if answered else "",
        "low_days": number_text(reading.low_days),
        "high_days": number_text(reading.high_days),
        "interval_level": level,
        "brain_ml": number_text(reading.brain_ml),
        "likeness": number_text(reading.likeness, 2),
        "spread_days": number_text(reading.spread_days),
        "reason": reason_text(reading.reason, notes),
    }


def write_ages(
    cases: Sequence[Case],
    model: GaModel,
    out: str | Path,
    pictures: str | Path | None = None,
) -> dict[str, int]:
    """Tell the ages of scans, write a CSV and, if asked, a picture of each.

    Parameters
    ----------
    cases : from `list_cases`.
    model : GaModel
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


def save_picture(folder: Path, case: Case, reading: GaReading, model: GaModel) -> None:
    """Write the middle slices with gate and Grad-CAM of the first network, titled with the age."""
    import matplotlib.pyplot as plt

    from fetal_lib.plots.gestational_age import looked_at_figure

    folder.mkdir(parents=True, exist_ok=True)
    image = reading.images[len(reading.images) // 2]
    planes, network = model.spec.planes, model.networks[0]
    gates = plane_gates(network, image, planes)
    cams = plane_cams(network, image, planes) * np.float32(model.spec.scales[0])
    title = "declined"
    if not reading.reason:
        title = f"{format_weeks_days(reading.ga_days)} weeks ({reading.ga_days:.0f} days"
        width = reading.high_days - reading.low_days
        title += f" ± {width / 2:.0f})" if np.isfinite(width) else ")"
    figure = looked_at_figure(image, gates, cams, planes, title)
    figure.savefig(folder / f"{case.name.replace('/', '_').split('.')[0]}.png", dpi=100)
    plt.close(figure)
