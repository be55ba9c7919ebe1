"""The note at the top of a chapter: what its data are, and which run it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetal_book.runs.again import again_text
from fetal_book.runs.data_sets import find_data
from fetal_book.runs.folder import data_name
from fetal_lib.data.kinds import ATLAS_LAYOUT, PHANTOM, data_words, kind_by_name

if TYPE_CHECKING:
    from fetal_book.parameters.base import ChapterParameters
    from fetal_book.runs.record import RunRecord

MADE_UP = (
    "**Made-up data.** Every image on this page is a phantom that this project draws itself{but}. "
    "The numbers{of_them} show that the method works on phantoms; they say nothing about patients."
)
BLENDED = (
    "**Data: {data}.** A template is an average of fetuses, and no blend of two is a person. The "
    "blends share a few templates, so that numbers of folds flatter. Not for clinical use."
)
SCANS = (
    "**Data: {data}.** The numbers on this page come from this data set, not from phantoms. Not "
    "for clinical use."
)
SEVERAL = (
    "**Data: {data}, and {more}.** Each table names the data that its numbers come from. Not for "
    "clinical use."
)


def banner_text(parameters: ChapterParameters, record: RunRecord) -> str:
    """Return the banner as Markdown, the data note first, then the run and its command."""
    return (
        f"{data_note(parameters)}\n\nThis page shows chapter `{record.chapter}`, profile "
        f"`{record.profile}`, data `{record.data}`, seed {parameters.seed}. {again_text(record)}"
    )


def data_note(parameters: ChapterParameters) -> str:
    """Say what the images are: phantoms, individuals made of an atlas, or a data set's own."""
    name, more = data_name(parameters.data), " and ".join(further_data(parameters))
    if name == PHANTOM:
        but, of_them = (f", but for {more}", " of phantoms") if more else ("", "")
        return "> " + MADE_UP.format(but=but, of_them=of_them)
    kind = own_kind(parameters.data)
    text = BLENDED if kind == "blend" else SEVERAL if more else SCANS
    data = data_words(name, kind, mark="`")
    return "> " + text.format(data=data, more=more)


def own_kind(data: str) -> str:
    """Return ``blend`` for an atlas, of which a chapter makes individuals, and ``scan`` otherwise.

    An atlas is known by its manifest, a folder of another name by its layout.
    """
    if kind_by_name(data_name(data)) == "blend":
        return "blend"
    folder = find_data(data)
    if folder is None:
        return "scan"
    from fetal_lib.data.layouts.registry import LAYOUTS, detect_layout

    found = detect_layout(folder, otherwise=LAYOUTS["hc18"])
    return "blend" if found.name == ATLAS_LAYOUT else "scan"


def further_data(parameters: ChapterParameters) -> list[str]:
    """Name the data sets of a run besides its own."""
    values = [getattr(parameters, name) for name in parameters.data_fields() if name != "data"]
    names = [data_name(value) for value in values if value]
    return [data_words(one, kind_by_name(one, external=True), mark="`") for one in names]
