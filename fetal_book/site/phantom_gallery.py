"""Pictures of every kind of phantom for the page that explains them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_book.site.slice_viewer import slice_viewer
from fetal_lib.files.atomic import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLANES = ("axial", "coronal", "sagittal")


def ultrasound(draw: Callable[..., Any], weeks: Sequence[int]) -> Figure:
    """Draw two fetuses at several ages."""
    from fetal_lib.plots.pictures import picture_sheet

    rows = {
        f"fetus {seed}": [draw(seed, ga_days=7 * week).image for week in weeks] for seed in (1, 2)
    }
    return picture_sheet(rows, [f"{week} weeks" for week in weeks], row_inches=1.35)


def heads() -> Figure:
    """Draw head phantoms at four ages."""
    from fetal_phantoms.head import make_head

    return ultrasound(make_head, (14, 20, 27, 35))


def abdomens() -> Figure:
    """Draw abdomen phantoms at four ages."""
    from fetal_phantoms.abdomen import make_abdomen

    return ultrasound(make_abdomen, (16, 21, 28, 35))


def anomalies() -> Figure:
    """Draw one fetus with each of the sixteen classes."""
    from fetal_lib.plots.pictures import picture_sheet
    from fetal_phantoms.anomalies.labels import LABELS
    from fetal_phantoms.anomalies.phantom import make_anomaly

    rows, titles = {}, {}
    for i in range(0, len(LABELS), 4):
        labels = LABELS[i : i + 4]
        name = " " * i  # a row needs a name, and these need none that is read
        rows[name] = [make_anomaly(12, one, ga_days=168, marks=False).image for one in labels]
        titles[name] = [one.replace("_", " ") for one in labels]
    return picture_sheet(rows, titles, row_inches=1.5)


def fetal_brains() -> Figure:
    """Draw one fetus at five ages in three planes, at one scale, and its tissue labels."""
    from fetal_lib.plots.pictures import on_canvas, picture_sheet, three_planes
    from fetal_phantoms.fetal_brain.brain import make_fetal_brain

    weeks = (20, 24, 28, 33, 38)
    brains = [make_fetal_brain(4, ga_days=7 * week) for week in weeks]
    planes = [[on_canvas(one, 130) for one in three_planes(brain.t2)] for brain in brains]
    rows = {name: [three[i] for three in planes] for i, name in enumerate(PLANES)}
    rows["tissues"] = [on_canvas(three_planes(brain.labels)[0], 130) for brain in brains]
    return picture_sheet(rows, [f"{week} weeks" for week in weeks], row_inches=1.5)


def adult_brains() -> Figure:
    """Draw the same two people at four ages, and the tissue labels of the first."""
    from fetal_lib.plots.pictures import picture_sheet, three_planes
    from fetal_phantoms.adult_brain.brain import make_adult_brain

    ages = (20, 45, 70, 88)
    first = [make_adult_brain(3, age_years=age, sex="F") for age in ages]
    second = [make_adult_brain(8, age_years=age, sex="M") for age in ages]
    rows = {
        "woman, axial": [three_planes(one.t1)[0] for one in first],
        "her tissues": [three_planes(one.labels)[0] for one in first],
        "man, coronal": [three_planes(one.t1)[1] for one in second],
    }
    return picture_sheet(rows, [f"{age} years" for age in ages], row_inches=2.0)


GALLERIES: dict[str, Callable[[], Figure]] = {
    "heads": heads,
    "abdomens": abdomens,
    "anomalies": anomalies,
    "fetal_brains": fetal_brains,
    "adult_brains": adult_brains,
}


def fetal_slices() -> str:
    """Return a viewer of a fetal brain of 30 weeks."""
    from fetal_phantoms.fetal_brain.brain import make_fetal_brain

    return slice_viewer(make_fetal_brain(4, ga_days=210).t2, "a phantom of 30 weeks")


def adult_slices() -> str:
    """Return a viewer of an adult brain of 70 years."""
    from fetal_phantoms.adult_brain.brain import make_adult_brain

    brain = make_adult_brain(3, age_years=70, sex="F", spacing_mm=1.5)
    return slice_viewer(brain.t1, "a phantom of 70 years")


VIEWERS: dict[str, Callable[[], str]] = {
    "fetal_brain_slices": fetal_slices,
    "adult_brain_slices": adult_slices,
}


def write_gallery(folder: str | Path) -> list[Path]:
    """Draw every kind of phantom into a folder, one PNG a kind, and the brains slice by slice."""
    import matplotlib.pyplot as plt

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in GALLERIES.items():
        figure = draw()
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=150)
        plt.close(figure)
        written.append(path)
    for name, show in VIEWERS.items():
        write_text(folder / f"{name}.html", show())
        written.append(folder / f"{name}.html")
    return written
