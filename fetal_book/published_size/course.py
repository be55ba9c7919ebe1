"""What a chapter hands over of one network: its data read and split, and what is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Trained:
    """Hold a network that took all its epochs and was scored; rows of results are in the run.

    Attributes
    ----------
    counted : its parameters.
    answer : answers one test image, as a user's command does.
    cases : a row a test image, ``image, subject`` and measures, where networks are compared on
        the same images.
    """

    counted: int
    answer: Callable[[], object]
    cases: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Course:
    """Hold the data of a chapter, split, and what is left to do.

    Attributes
    ----------
    n_train : images of an epoch.
    precision : that the chapter trains in, ``float32`` or ``bfloat16``.
    train : trains with the run's parameters as they are then, and scores the test part once.
    """

    n_train: int
    precision: str
    train: Callable[[], Trained]
