"""Find the phantoms whose true labels teach segmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fetal_book.chapters.brain_age.data import TEACHER_SEED, find_teachers
from fetal_book.chapters.brain_age.tissues import Tissues, segment_all
from fetal_lib.data.layouts.adult_mri import read_cases
from fetal_phantoms.adult_brain.write import GENERATOR_VERSION

if TYPE_CHECKING:
    import pandas as pd

    from fetal_book.runs.session import Run


@dataclass(frozen=True)
class Truth:
    """Hold the phantoms whose true labels teach segmentation, on any data.

    Attributes
    ----------
    table : DataFrame
        ``subject, path, labels_path``.
    tissues : Tissues
        What the mixture makes of them; its Dice with the truth is in ``tissues.table``.
    source : dict of plain values: how they were made.
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
