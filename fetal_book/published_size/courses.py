"""The course of each network: read once, kept beside its training, then trained and scored.

What is read is plain arrays and tables. A sitting therefore starts at once, and another machine
needs no folder of data.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

from fetal_book.published_size.adult_brain import brain_age, read_adults
from fetal_book.published_size.anomalies import brain_anomalies, read_anomalies
from fetal_book.published_size.fetal_age import gestational_age, read_fetuses
from fetal_book.published_size.networks import get_network
from fetal_book.published_size.rings import heads, read_heads
from fetal_book.published_size.structures import read_structures, structures

if TYPE_CHECKING:
    from pathlib import Path

    from fetal_book.published_size.course import Course
    from fetal_book.published_size.piece import PieceRun

KEPT = "data.pkl"
"""What was read, in the folder of a training: made and read by this project alone."""
COURSES = {
    "01_gestational_age": (read_fetuses, gestational_age),
    "02_brain_anomalies": (read_anomalies, brain_anomalies),
    "03_biometry_segmentation": (read_structures, structures),
    "04_head_circumference": (read_heads, heads),
    "05_brain_age": (read_adults, brain_age),
}
"""A chapter's reader, and what makes a course of what it read."""


def prepare(run: PieceRun, name: str) -> Course:
    """Read and split the data of a network's chapter, or take what an earlier sitting read."""
    chapter = get_network(name).chapter
    read, course = COURSES[chapter]
    path = run.folder / KEPT
    if path.is_file():
        with path.open("rb") as file:
            data = pickle.load(file)
    else:
        data = read(run, name)
        _keep(path, data | {"fingerprint": run.data_fingerprint})
    run.data_fingerprint = data.get("fingerprint", run.data_fingerprint)
    return course(run, name, data)


def _keep(path: Path, data: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        pickle.dump(data, file, protocol=pickle.HIGHEST_PROTOCOL)
    part.replace(path)
