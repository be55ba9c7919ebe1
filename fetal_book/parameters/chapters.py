"""The chapters: a notebook, a parameter class and a profile file under one name.

`04_head_circumference` has its notebook in `notebooks/04_head_circumference.py`, its parameters in
the class `HeadCircumferenceParameters` of `fetal_book/parameters/head_circumference.py`, and its
profiles in `fetal_book/parameters/profiles/04_head_circumference.yml`. The chapters of the plan are
listed here; any other notebook of that pattern is a chapter as well.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from fetal_book.parameters.base import ChapterParameters

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"\d{2}_[a-z][a-z0-9_]*")
TITLE = re.compile(r"^# # (.+)$", re.MULTILINE)


class ChapterError(UserError, ValueError):
    """No chapter has the name that was asked for, or a part of it is missing."""


@dataclass(frozen=True)
class Chapter:
    """Name one chapter after its notebook; where its parts are follows from the name.

    A draft can be run, but the book leaves it out until its quick run has been looked at.
    Its main scores are `metrics` of `models` (all without a name) beside those of `baselines`.

    >>> chapter = Chapter("04_head_circumference", "Head circumference with a U-Net")
    >>> chapter.number, chapter.topic, chapter.parameters_class().__name__
    ('04', 'head_circumference', 'HeadCircumferenceParameters')
    """

    name: str
    title: str
    draft: bool = False
    metrics: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """The two digits of the name."""
        return self.name.partition("_")[0]

    @property
    def topic(self) -> str:
        """The name without its number."""
        return self.name.partition("_")[2]

    def parameters_class(self) -> type[ChapterParameters]:
        """Import and return the chapter's parameter class."""
        module = f"fetal_book.parameters.{self.topic}"
        name = "".join(word.capitalize() for word in self.topic.split("_")) + "Parameters"
        try:
            return getattr(importlib.import_module(module), name)
        except (ModuleNotFoundError, AttributeError) as error:
            if isinstance(error, ModuleNotFoundError) and error.name != module:
                raise
            raise ChapterError(
                f"{self.name}: its parameters are missing; write the class {name} in "
                f"fetal_book/parameters/{self.topic}.py, after book/howto/add_chapter.md"
            ) from error

    def notebook(self) -> Path:
        """Return the chapter's notebook: the `.py` (the truth), or the `.ipynb` without one."""
        from fetal_book.parameters.project import project_root

        folder = project_root() / "notebooks"
        for ending in (".py", ".ipynb"):
            if (folder / f"{self.name}{ending}").is_file():
                return folder / f"{self.name}{ending}"
        raise ChapterError(
            f"{self.name}: notebooks/{self.name}.py is missing (and so is its .ipynb); "
            "restore it from version control"
        )


PLANNED = (
    Chapter(
        "01_gestational_age",
        "Gestational age from three-plane fetal MRI",
        metrics=("mae_days", "r2"),
        baselines=("mean", "brain_area", "slice_measures", "brain_volume"),
    ),
    Chapter(
        "02_brain_anomalies",
        "Sixteen fetal brain classes on ultrasound",
        metrics=("macro_f1", "auc_macro"),
        baselines=("commonest_class", "grey_histogram", "border_only", "edges_logistic"),
        models=("cnn", "separable_cnn", "xception", "xception_random"),
    ),
    Chapter(
        "03_biometry_segmentation",
        "Five segmentation networks, and what they measure",
        metrics=("dice", "adf_mm"),
        baselines=("ellipse_fit",),
    ),
    Chapter(
        "04_head_circumference",
        "Head circumference with a U-Net",
        metrics=("adf_mm", "dice"),
        baselines=("mean", "pixel_size", "ellipse_fit"),
        models=("unet",),
    ),
    Chapter(
        "05_brain_age",
        "Brain age from T1 MRI",
        metrics=("mae_years", "r2"),
        baselines=("mean", "nwbv"),
        models=(
            "volumes_linear",
            "volumes_poly3",
            "res_unet_linear",
            "resnext",
            "sfcn",
            "maps_gaussian",
            "ensemble",
            "predict_model",
        ),
    ),
)


def further_chapters(root: Path) -> list[Chapter]:
    """Find the chapters of a project that are not in the plan: its other numbered notebooks.

    Each has the first heading of its notebook as title, and is a draft until `book/_toc.yml`
    lists the notebook.
    """
    contents = root / "book" / "_toc.yml"
    listed = contents.read_text(encoding="utf-8") if contents.is_file() else ""
    pages = set(re.findall(r"^ *- file: notebooks/(\S+)", listed, re.MULTILINE))
    planned = {chapter.name for chapter in PLANNED}
    found = []
    for path in sorted((root / "notebooks").glob("*.py")):
        if NAME.fullmatch(path.stem) and path.stem not in planned:
            heading = TITLE.search(path.read_text(encoding="utf-8"))
            title = heading[1] if heading else path.stem
            found.append(Chapter(path.stem, title, draft=path.stem not in pages))
    return found


CHAPTERS: dict[str, Chapter] = {
    chapter.name: chapter for chapter in (*PLANNED, *further_chapters(CHECKOUT))
}


def get_chapter(name: str) -> Chapter:
    """Return the chapter called `name`: its full name, its number, or the rest of its name.

    >>> get_chapter("04").name, get_chapter("head_circumference").number
    ('04_head_circumference', '04')
    """
    text = str(name).strip().removesuffix(".py").removesuffix(".ipynb")
    for chapter in CHAPTERS.values():
        number = chapter.number
        if text in (chapter.name, number, number.lstrip("0"), chapter.topic):
            return chapter
    guess = did_you_mean(text, CHAPTERS)
    raise ChapterError(f"{name}: no such chapter{guess} known: {', '.join(CHAPTERS)}")
