"""Tell the age from T1 scans, one after the other, in constant memory.

A scan that is no stripped adult T1 brain is declined with the reason; one that is, but does not
lie in MNI space, is registered first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.baselines.mni_registration import in_mni_space
from fetal_lib.baselines.mni_space import GRID_MM, grid_affine, standard_t1
from fetal_lib.baselines.tissue_maps import block_means
from fetal_lib.baselines.tissue_mixture import segment_tissues
from fetal_lib.data.bad_files import plain_file_name
from fetal_lib.data.layouts.adult_scan import read_scan
from fetal_lib.predict.age_model import NORM_TISSUES, AgeModel
from fetal_lib.predict.batch import (
    interval_notes,
    list_files,
    number_text,
    status_of,
    write_rows,
)
from fetal_lib.predict.columns import reason_text

if TYPE_CHECKING:
    from fetal_lib.baselines.tissue_mixture import TissueMixture

SUFFIXES = (".nii", ".nii.gz")
AGE_LIMITS = (0.0, 130.0, "years")
MIN_WHITE_TO_GRAY = 1.15
BEYOND_YEARS = 15.0
ADVICE = (
    "if it is not skull-stripped, strip it first, for instance by `mri_synthstrip -i scan.nii.gz "
    "-o stripped.nii.gz` (FreeSurfer) or `hd-bet -i scan.nii.gz -o stripped.nii.gz` (HD-BET); it "
    "is registered to MNI152 here"
)


@dataclass(frozen=True)
class AgeReading:
    """Hold what was predicted of a scan, or why nothing was.

    Attributes
    ----------
    age_years, low_years, high_years : NaN when declined.
    volumes_ml : of CSF, gray and white matter in template space; NaN when declined.
    reason : empty when an age was predicted.
    failed : whether the reason is that the file cannot be read.
    registered : whether the scan did not lie in MNI space and was registered to it.
    t1, labels : the scan on the 2 mm grid and its tissues, for a picture.
    """

    age_years: float = math.nan
    low_years: float = math.nan
    high_years: float = math.nan
    volumes_ml: tuple[float, float, float] = (math.nan, math.nan, math.nan)
    reason: str = ""
    failed: bool = False
    registered: bool = False
    t1: np.ndarray | None = None
    labels: np.ndarray | None = None


def list_scans(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the NIfTI files that paths name; folders are searched for ``*_T1w`` files.

    Raises
    ------
    ValueError
        If a path does not exist, or nothing is found; all missing ones are named.
    """
    return list_files(inputs, _t1_scans, "scans", " or ".join(SUFFIXES))


def _t1_scans(folder: Path) -> list[Path]:
    """Return the ``*_T1w`` files below a folder, or all NIfTI files where none has that name."""
    found = sorted(p for p in folder.rglob("*") if p.name.lower().endswith(SUFFIXES))
    return [path for path in found if "_t1w" in path.name.lower()] or found


def read_age(path: Path, model: AgeModel) -> AgeReading:
    """Tell the age from one scan, or say why not."""
    try:
        scan = read_scan(path.name, path)
    except (ValueError, OSError) as error:
        return AgeReading(reason=str(error), failed=True)
    volume, reasons, registered = in_mni_space(scan.volume)
    t1 = None
    try:
        t1 = standard_t1(volume.data, volume.affine)
        if reasons:
            reason = f"{'; '.join(reasons)}; {ADVICE}"
            return AgeReading(reason=reason, registered=registered, t1=t1)
        found = segment_tissues(t1, grid_affine())
    except ValueError as error:
        why = "; ".join([*reasons, str(error)])
        return AgeReading(reason=f"{why}; {ADVICE}", registered=registered, t1=t1)
    volumes = _volumes_ml(found)
    problem = _no_adult_t1(found, volumes)
    if problem:
        return AgeReading(reason=problem, registered=registered, t1=t1, labels=found.labels)
    return replace(_reading(model, found, volumes, t1), registered=registered)


def sample_years(path: Path, model: AgeModel) -> float:
    """Return the age of one scan in years, NaN where it is declined: what a self-test asks."""
    return read_age(path, model).age_years


def _reading(
    model: AgeModel, found: TissueMixture, volumes: np.ndarray, t1: np.ndarray
) -> AgeReading:
    age, raw = model.predict(block_means(found.shares))
    low, high = model.spec.age_range
    if not low - BEYOND_YEARS <= raw <= high + BEYOND_YEARS:
        reason = (
            f"predicted {raw:.0f} years, far outside the ages it was trained on "
            f"({low:.0f}-{high:.0f}): not a brain like those"
        )
        return AgeReading(reason=reason, t1=t1, labels=found.labels)
    half = model.spec.half_width_years
    volumes_ml = tuple(float(v) for v in volumes)
    return AgeReading(age, age - half, age + half, volumes_ml, t1=t1, labels=found.labels)


def _volumes_ml(found: TissueMixture) -> np.ndarray:
    return np.array([(found.labels == k).sum() for k in (1, 2, 3)]) * GRID_MM**3 / 1000


def _no_adult_t1(found: TissueMixture, volumes: np.ndarray) -> str:
    """Return why a scan is no adult T1 brain; empty if it may be one."""
    if found.means[2] < MIN_WHITE_TO_GRAY * found.means[1]:
        return (
            "white matter is not brighter than gray: not a T1-weighted scan of an adult (T2 scans "
            "and infants are the other way round)"
        )
    shares = volumes / volumes.sum()
    if not (0.05 < shares[0] < 0.5 and shares[1] > 0.25 and shares[2] > 0.15):
        return (
            "tissues are CSF {:.0%}, gray {:.0%}, white {:.0%}: no adult brain; is it stripped, "
            "and in MNI space?".format(*shares)
        )
    return ""


def brain_age_row(
    path: Path, reading: AgeReading, model: AgeModel, known_age: float | None
) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value.

    A centile needs the **known** age of the person; at the predicted age it would say nothing.
    """
    total = sum(reading.volumes_ml)
    volumes = dict(zip(NORM_TISSUES, reading.volumes_ml, strict=True))
    centiles = {
        tissue: math.nan if known_age is None else model.centile(tissue, ml / total, known_age)
        for tissue, ml in volumes.items()
    }
    notes, level = interval_notes(reading.high_years, model.spec.interval_coverage)
    if known_age is None:
        notes["csf_centile, gray_centile, white_centile"] = "need the person's age, see --ages"
    return {
        "scan": path.name,
        "status": status_of("brain-age", reading.reason, reading.failed),
        "brain_age_years": number_text(reading.age_years),
        "low_years": number_text(reading.low_years),
        "high_years": number_text(reading.high_years),
        "interval_level": level,
        **{f"{tissue}_ml": number_text(ml) for tissue, ml in volumes.items()},
        "registered": "" if reading.failed else "yes" if reading.registered else "no",
        **{f"{tissue}_centile": number_text(value) for tissue, value in centiles.items()},
        "reason": reason_text(reading.reason, notes),
    }


def write_ages(
    paths: Sequence[Path],
    model: AgeModel,
    out: str | Path,
    known_ages: Mapping[str, float] | None = None,
    pictures: str | Path | None = None,
) -> dict[str, int]:
    """Tell the ages of scans, write a CSV and, if asked, a picture of each.

    Parameters
    ----------
    paths : sequence of Path
    model : AgeModel
    out : the CSV; it appears when all scans are done.
    known_ages : file name to age in years, for centiles.
    pictures : folder for pictures; created when missing.

    Returns
    -------
    dict
        Number of scans ``predicted``, ``declined`` and ``failed``.
    """
    known_ages = known_ages or {}

    def rows() -> Iterator[dict[str, str]]:
        for path in paths:
            reading = read_age(path, model)
            if pictures is not None and reading.t1 is not None:
                save_picture(Path(pictures), path, reading)
            yield brain_age_row(path, reading, model, known_ages.get(plain_file_name(path)))

    return write_rows(rows(), out, "brain-age", len(paths))


def save_picture(folder: Path, path: Path, reading: AgeReading) -> None:
    """Write three planes of a scan with its tissues, titled with the predicted age."""
    import matplotlib.pyplot as plt

    from fetal_lib.plots.volumes import orthogonal_views

    folder.mkdir(parents=True, exist_ok=True)
    known = np.isfinite(reading.age_years)
    title = f"{reading.age_years:.0f} years" if known else "declined"
    if known and np.isfinite(reading.low_years):
        title += f" ({reading.low_years:.0f}-{reading.high_years:.0f})"
    views = {"scan": reading.t1, title: reading.t1}
    labels = {} if reading.labels is None else {title: reading.labels}
    figure = orthogonal_views(views, labels, shift=0.04)
    figure.set_size_inches(4.6, 6.4)
    figure.savefig(folder / f"{path.name.split('.')[0]}.png", dpi=100)
    plt.close(figure)


def read_known_ages(path: str | Path) -> dict[str, float]:
    """Read a CSV with the columns ``scan`` and ``age``.

    Raises
    ------
    ValueError
        If a column is missing or an age is no number of years; all bad rows are named together.
    """
    from fetal_lib.readers.delimited import TableReadError, numbers, read_text_table

    table = read_text_table(Path(path), ["scan", "age"])
    values, problems = numbers(table, {"age": AGE_LIMITS})
    if problems:
        raise TableReadError(table.path, problems)
    ages = {
        plain_file_name(row["scan"]): age
        for row, age in zip(table.rows, values["age"], strict=True)
    }
    return {name: age for name, age in ages.items() if not math.isnan(age)}
