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
    read, course = COURSES[get_network(name).chapter]
    path, asked = run.folder / KEPT, read_for(run, name)
    data = None
    if path.is_file():
        with path.open("rb") as file:
            data = pickle.load(file)
    if data is None or data["read_for"] != asked:
        data = read(run, name)
        data |= {"fingerprint": run.data_fingerprint, "read_for": asked}
        _keep(path, data)
    run.data_fingerprint = data["fingerprint"]
    return course(run, name, data)


def read_for(run: PieceRun, name: str) -> dict[str, Any]:
    """Return the parameters that what is read may depend on, as networks of a chapter share them.

    Where the data lie is left out: another machine has what was read, and no folder.
    """
    network = get_network(name)
    own = {"data", "out", "refit", "profile", network.epochs_field, *dict(network.parameters)}
    return run.parameters.model_dump(exclude=own)


def _keep(path: Path, data: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        pickle.dump(data, file, protocol=pickle.HIGHEST_PROTOCOL)
    part.replace(path)
