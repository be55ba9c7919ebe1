"""The note at the top of a chapter: made-up or real data, and which run it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetal_lib.runs.folder import data_name

if TYPE_CHECKING:
    from fetal_lib.parameters.base import ChapterParameters
    from fetal_lib.parameters.chapters import Chapter

PHANTOM_NOTE = (
    ":::{warning}\n"
    "**Made-up data.** Every image on this page is a phantom that this project draws itself. "
    "The numbers show that the method works on phantoms; they say nothing about patients.\n"
    ":::"
)


def banner_text(chapter: Chapter, parameters: ChapterParameters) -> str:
    """Return the banner as MyST Markdown, the data note first, then the run.

    >>> from fetal_lib.parameters.chapters import get_chapter
    >>> chapter = get_chapter("04")
    >>> text = banner_text(chapter, chapter.parameters_class()())
    >>> "Made-up data" in text, "profile `quick`" in text
    (True, True)
    """
    name = data_name(parameters.data)
    note = PHANTOM_NOTE
    if name != "phantom":
        note = (
            f":::{{note}}\n**Data: `{name}`.** The numbers on this page come from this data set, "
            "not from phantoms. Not for clinical use.\n:::"
        )
    return (
        f"{note}\n\nThis page shows chapter `{chapter.name}`, profile `{parameters.profile}`, "
        f"data `{name}`, seed {parameters.seed}. `fetal-lib run {chapter.number} "
        f"--profile {parameters.profile}` makes it again."
    )
