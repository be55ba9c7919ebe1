"""Prepare scans and labels for the segmenter: what it learns from, and what it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fetal_book.chapters.brain_age.data import TEACHER_SEED, find_teachers
from fetal_book.chapters.brain_age.tissues import (
    Tissues,
    read_in_mni,
    read_labels,
    segment_all,
)
from fetal_book.parameters.brain_age import BrainAgeParameters
from fetal_book.runs.session import Run
from fetal_lib.baselines.mni_space import brain_mask, grid_affine, on_grid, standard_t1
from fetal_lib.baselines.tissue_mixture import even_out
from fetal_lib.data.layouts.adult_mri import read_cases
from fetal_lib.training.mri_input import network_input, resample
from fetal_phantoms.adult_brain.write import GENERATOR_VERSION

AHEAD = 16
"""Scans that are prepared while a network works on others."""


@dataclass(frozen=True)
class Truth:
    """Hold the phantoms whose true labels teach segmentation, on any data, and how they were made.

    The table has ``subject, path, labels_path``; the Dice of what the mixture makes of them with
    the truth is in ``tissues.table``.
    """

    table: pd.DataFrame
    tissues: Tissues
    source: dict


def find_truth(run: Run) -> Truth:
    """Return the phantoms that teach segmentation, segmented; they are made on first use."""
    p = run.parameters
    source = {"phantoms": p.n_teachers, "seed": p.seed + TEACHER_SEED}
    source |= {"made by": GENERATOR_VERSION}
    table = read_cases(find_teachers(p)).rows
    return Truth(table, segment_all(run, table, source), source)


@dataclass(frozen=True)
class Lesson:
    """Hold what a segmenter learns from: inputs (N, 1, S, S, S) and labels (N, S, S, S)."""

    inputs: np.ndarray
    labels: np.ndarray


def segmenter_input(t1: np.ndarray, p: BrainAgeParameters, brightness: np.ndarray) -> np.ndarray:
    """Return what the segmenter is fed for a scan on the 2 mm grid, float32 (S, S, S).

    The scan is evened out by the brightness that the mixture found, as the source's scans came
    with their bias field corrected; white matter is then 1, and is brought to 1.2 and gray
    matter to about -0.3, unless z-scores are asked for.
    """
    affine = grid_affine()
    mask = brain_mask(t1, affine)
    even = even_out(t1, mask, brightness)
    grid = (p.segmentation_spacing_mm, p.segmentation_side)
    if p.segmentation_intensity == "z_score":
        return network_input(even, affine, mask, *grid)
    scaled, _ = resample(np.where(mask, (even - 0.7) / 0.25, 0), affine, *grid)
    inside, _ = resample(mask.astype(np.uint8), affine, *grid, nearest=True)
    return np.where(inside > 0, scaled, 0).astype(np.float32)


def on_segmenter_grid(labels: np.ndarray, p: BrainAgeParameters) -> np.ndarray:
    """Return labels of the 2 mm grid on the segmenter's, int64 (S, S, S)."""
    moved, _ = resample(
        labels, grid_affine(), p.segmentation_spacing_mm, p.segmentation_side, nearest=True
    )
    return moved.astype(np.int64)


def true_lesson(truth: Truth, p: BrainAgeParameters) -> Lesson:
    """Return phantoms with their true labels."""
    pairs = list(segmenter_scans(truth.table, p, truth.tissues.brightness))
    return Lesson(np.stack([a for a, _ in pairs])[:, None], np.stack([b for _, b in pairs]))


def reference_lesson(
    table: pd.DataFrame, tissues: Tissues, rows: np.ndarray, p: BrainAgeParameters
) -> Lesson:
    """Return scans with the labels that the mixture gave them."""
    some = table.iloc[rows].assign(labels_path=None)
    inputs = [a for a, _ in segmenter_scans(some, p, tissues.brightness[rows])]
    labels = [on_segmenter_grid(part, p) for part in read_labels(tissues, tissues.rows[rows])]
    return Lesson(np.stack(inputs)[:, None], np.stack(labels))


def segmenter_scans(
    table: pd.DataFrame, p: BrainAgeParameters, brightness: np.ndarray
) -> Iterator[tuple]:
    """Yield the input of each scan and its labels on the segmenter's grid, None without any."""

    def one(job: tuple) -> tuple:
        row, files = job
        scan, _ = read_in_mni(*files)
        t1 = standard_t1(scan.volume.data, scan.volume.affine)
        labels = None
        if scan.labels is not None:
            labels = on_segmenter_grid(on_grid(scan.labels, scan.volume.affine, 0), p)
        return segmenter_input(t1, p, brightness[row]), labels

    files = table[["subject", "path", "labels_path"]].itertuples(index=False, name=None)
    jobs = list(enumerate(files))
    with ThreadPoolExecutor(2) as pool:
        for first in range(0, len(jobs), AHEAD):
            yield from pool.map(one, jobs[first : first + AHEAD])
