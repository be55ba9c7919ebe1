"""What the source projects claim, read from `book/sources.yml` and checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from fetal_book.runs.results import METRICS
from fetal_book.site.entries import Entry, read_entries

CLAIMS_FILE = "sources.yml"
NUMBER = re.compile(r"\[\[([^\[\]]+)\]\]")
"""A place for a number of a run in the text on a source."""


def known_metric(metric: str) -> str:
    """Return the name of a metric, and refuse one that no run writes."""
    if metric not in METRICS:
        raise ValueError(f"metric: received {metric!r}; it must be a name of results.json")
    return metric


MetricName = Annotated[str, AfterValidator(known_metric)]


class Answer(Entry):
    """Name the rows of a run's results that answer a claim."""

    model: str
    metric: MetricName
    split: str = ""


class Claim(Entry):
    """Hold one number of a source, and what answers it.

    Attributes
    ----------
    measure : what was measured.
    reported : what the source's text says.
    found : what its own code, log or notebook shows.
    published : best published result, with its citation.
    ours : rows of the honest protocol.
    protocol : rows of the source's protocol on the same data.
    """

    measure: str
    reported: str
    found: str
    published: str
    ours: list[Answer] = Field(min_length=1)
    protocol: list[Answer] = []


class Flaw(Entry):
    """Name a flaw of a source, and the two models whose difference it makes.

    Attributes
    ----------
    flaw, metric : what is wrong, and the score that it changes.
    flawed, flawed_split : rows scored with the flaw.
    honest, honest_split : rows scored without it.
    floor : where ``honest`` is no score without the flaw but what no skill gets by the flawed
        score, a name for that, such as ``an empty mask``.
    note : what a reader has to know before the number is read.
    one_way : the flawed score is the best of those that the honest one is taken from, so that it
        cannot come out worse; it shows how far luck reaches.
    of_data : name of the data set whose flaw it is, where it is none of the source.
    """

    flaw: str
    metric: MetricName
    flawed: str
    honest: str
    flawed_split: str = "protocol"
    honest_split: str = "test"
    floor: str = ""
    note: str = ""
    one_way: bool = False
    of_data: str = ""

    def origin(self, source: Source) -> str:
        """Name what has the flaw: a data set, or the source by its number."""
        return self.of_data or source.source


class Picture(Entry):
    """Name a figure of a chapter for who only looks.

    Attributes
    ----------
    name : of the figure in a run.
    shows : what to see, a sentence after the run's own caption.
    of_phantoms : shows pictures of single cases, and is taken from runs on phantoms only.
    instead_of : figure that it stands in for where the run to show has none.
    """

    name: str
    shows: str
    of_phantoms: bool = False
    instead_of: str = ""


class Source(Entry):
    """Hold one source project: its chapter, claims and flaws, and what to make of them.

    Attributes
    ----------
    claimed, holds, differs : what the source claims, what holds, and why they differ. In these
        texts ``[[model metric]]`` or ``[[model metric split]]`` stands for a number of a run.
    figures : the chapter's figures for who only looks.
    """

    chapter: str
    source: str
    title: str
    claimed: str
    holds: str
    differs: str
    figures: list[Picture] = Field(min_length=1)
    claims: list[Claim] = Field(min_length=1)
    flaws: list[Flaw] = []

    @field_validator("claimed", "holds", "differs")
    @classmethod
    def _numbers_have_names(cls, text: str) -> str:
        for place in NUMBER.findall(text):
            Answer.model_validate(answer_fields(place))
        return text


def answer_fields(place: str) -> dict[str, str]:
    """Return what ``model metric split`` names; the split may be left out.

    Examples
    --------
    >>> answer_fields("unet adf_mm external")
    {'model': 'unet', 'metric': 'adf_mm', 'split': 'external'}
    """
    return dict(zip(("model", "metric", "split"), place.split(), strict=False))


def read_sources(book: Path) -> list[Source]:
    """Read the claims of all sources; without `sources.yml` there are none."""
    return read_entries(book / CLAIMS_FILE, list[Source])
