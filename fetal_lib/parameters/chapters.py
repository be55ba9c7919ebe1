"""The chapters: a notebook file, a parameter class and a profile file under one name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fetal_lib.parameters.describe import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from fetal_lib.parameters.base import ChapterParameters


class ChapterError(ValueError):
    """No chapter has the name that was asked for, or its notebook is missing."""


@dataclass(frozen=True)
class Chapter:
    """Name one chapter and where its parts are.

    Parameters
    ----------
    name : str
        File name of the notebook without its ending, such as `04_head_circumference`.
    number : str
        Its two digits.
    title : str
    framework : str
        "Keras" or "PyTorch".
    parameters : str
        Import path of the parameter class, `package.module:Class`.
    draft : bool
        It can be run, but the book leaves it out until its quick run has been looked at.
    """

    name: str
    number: str
    title: str
    framework: str
    parameters: str
    draft: bool = False

    def parameters_class(self) -> type[ChapterParameters]:
        """Import and return the chapter's parameter class."""
        module, _, name = self.parameters.partition(":")
        return getattr(importlib.import_module(module), name)

    def notebook(self) -> Path:
        """Return the chapter's notebook: the `.py` (the truth), or the `.ipynb` without one.

        Raises
        ------
        ChapterError
            If the project has neither.
        """
        from fetal_lib.parameters.project import project_root

        folder = project_root() / "notebooks"
        for ending in (".py", ".ipynb"):
            if (folder / f"{self.name}{ending}").is_file():
                return folder / f"{self.name}{ending}"
        raise ChapterError(
            f"{self.name}: notebooks/{self.name}.py is missing (and so is its .ipynb); "
            "restore it from version control"
        )


CHAPTERS: dict[str, Chapter] = {
    chapter.name: chapter
    for chapter in (
        Chapter(
            name="01_gestational_age",
            number="01",
            title="Gestational age from three-plane fetal MRI",
            framework="Keras",
            parameters="fetal_lib.parameters.gestational_age:GestationalAgeParameters",
            draft=True,
        ),
        Chapter(
            name="02_brain_anomalies",
            number="02",
            title="Sixteen fetal brain classes on ultrasound",
            framework="Keras",
            parameters="fetal_lib.parameters.brain_anomalies:BrainAnomaliesParameters",
            draft=True,
        ),
        Chapter(
            name="03_biometry_segmentation",
            number="03",
            title="Five segmentation networks, and what they measure",
            framework="PyTorch",
            parameters="fetal_lib.parameters.biometry_segmentation:BiometrySegmentationParameters",
            draft=True,
        ),
        Chapter(
            name="04_head_circumference",
            number="04",
            title="Head circumference with a U-Net",
            framework="Keras",
            parameters="fetal_lib.parameters.head_circumference:HeadCircumferenceParameters",
        ),
        Chapter(
            name="05_brain_age",
            number="05",
            title="Brain age from T1 MRI",
            framework="PyTorch",
            parameters="fetal_lib.parameters.brain_age:BrainAgeParameters",
        ),
    )
}


def get_chapter(name: str) -> Chapter:
    """Return the chapter called `name`: its full name, its number, or the rest of its name.

    Raises
    ------
    ChapterError
        If there is none; the message has the nearest name and the list.

    Examples
    --------
    >>> get_chapter("04").name, get_chapter("head_circumference").number
    ('04_head_circumference', '04')
    """
    text = str(name).strip().removesuffix(".py").removesuffix(".ipynb")
    for chapter in CHAPTERS.values():
        words = chapter.name.partition("_")[2]
        if text in (chapter.name, chapter.number, chapter.number.lstrip("0"), words):
            return chapter
    guess = did_you_mean(text, CHAPTERS) or ";"
    raise ChapterError(f"{name}: no such chapter{guess} known: {', '.join(CHAPTERS)}")
