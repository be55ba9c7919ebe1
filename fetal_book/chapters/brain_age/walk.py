"""Walk one scan through the preprocessing, step by step, for pictures and a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.tissues import read_in_mni
from fetal_lib.baselines.mni_space import brain_mask, grid_affine, standard_t1
from fetal_lib.baselines.tissue_mixture import even_out, segment_tissues
from fetal_lib.training.mri_input import correct_bias_field, normalise, resample

SLICE_MM = 20.0
"""Height in MNI space of the slice that stands for a brain."""


@dataclass(frozen=True)
class Walk:
    """Hold the pictures and numbers of a walk."""

    steps: dict[str, np.ndarray]  # title to (X, Y, Z)
    labels: dict[str, np.ndarray]  # title to labels, for the two resampled segmentations
    # a row a step: grid, voxel, mean and SD inside the brain, smallest, largest
    table: pd.DataFrame
    # title to the values shown as black and white, where they are not plain
    limits: dict[str, tuple[float, float]]
    bias_agreement: float  # correlation of N4's field with the mixture's polynomial
    # coefficient of variation of white matter before and after each
    white_variation: dict[str, float]


def preprocessing_steps(row: pd.Series, settings: tuple[tuple[float, int], ...]) -> Walk:
    """Take a scan, a row of the path table, through N4, mask, normalisation and resampling.

    `settings` are (voxel in mm, voxels along an axis) of each grid, such as (3, 64) and (1.5, 128).
    """
    scan, _ = read_in_mni(row["subject"], row["path"], row["labels_path"])
    affine = grid_affine()
    t1 = standard_t1(scan.volume.data, scan.volume.affine)
    mask = brain_mask(t1, affine)
    corrected, field = correct_bias_field(t1, affine, mask)
    mixture = segment_tissues(t1, affine, mask)
    own = even_out(np.ones_like(t1), mask, mixture.brightness)
    own_field = np.where(mask, 1 / np.maximum(own, 1e-9), 0)
    agreement = float(np.corrcoef(np.log(field[mask]), np.log(own_field[mask]))[0, 1])
    white = mixture.labels == 3
    values = {"as read": t1, "after N4": corrected, "after the mixture": mixture.corrected}
    variation = {k: float(v[white].std() / v[white].mean()) for k, v in values.items()}
    even = normalise(corrected, mask)
    steps = {
        "as read": t1,
        "bias field (N4)": np.where(mask, field, 0),
        "corrected": corrected,
        "mask": mask.astype(np.float32),
        "normalised": even,
    }
    labels, rows = {}, [_row(k, v, 2.0, mask) for k, v in steps.items()]
    for spacing, side in settings:
        title = f"{spacing:g} mm, {side}³"
        steps[title], _ = resample(even, affine, spacing, side)
        inside, _ = resample(mask.astype(np.uint8), affine, spacing, side, nearest=True)
        labels[title], _ = resample(mixture.labels, affine, spacing, side, nearest=True)
        rows.append(_row(title, steps[title], spacing, inside > 0))
    middle = tuple(float(v) for v in np.percentile(field[mask], [1, 99]))
    limits = {"bias field (N4)": middle}
    return Walk(steps, labels, pd.DataFrame(rows), limits, agreement, variation)


def axial_slice(row: pd.Series) -> np.ndarray:
    """Return the slice through the bodies of the lateral ventricles, the front on top, (Y, X)."""
    volume = read_in_mni(row["subject"], row["path"])[0].volume
    place = np.linalg.inv(volume.affine) @ np.array([0.0, 0.0, SLICE_MM, 1.0])
    level = int(np.clip(round(float(place[2])), 0, volume.data.shape[2] - 1))
    return volume.data[:, :, level].T[::-1]


def _row(title: str, values: np.ndarray, spacing: float, mask: np.ndarray) -> dict:
    inside = values[mask]
    return {
        "step": title,
        "grid": " x ".join(map(str, values.shape)),
        "voxel (mm)": spacing,
        "mean in the brain": float(inside.mean()),
        "SD in the brain": float(inside.std()),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
    }
