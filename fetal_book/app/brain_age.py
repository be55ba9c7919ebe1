"""What the tab for adult brain age does: T1 scans in, years out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from fetal_book.app import markup
from fetal_book.app.shelf import Loaded, Shelf
from fetal_book.app.uploads import Upload, UploadError
from fetal_book.app.volumes import volume_path
from fetal_lib.predict.age_model import NORM_TISSUES
from fetal_lib.predict.brain_age import AgeReading, brain_age_row, read_age
from fetal_lib.predict.pixel_sizes import read_number

AGE_RANGE = (18.0, 100.0)


def read_years(value: Any) -> float | None:
    """Return a person's age in years, None where it was not typed."""
    years, (low, high) = read_number(value, "age"), AGE_RANGE
    if years is not None and not low <= years <= high:
        raise UploadError(f"age: received {years:g}; it must be {low:.0f} to {high:.0f} years.")
    return years


def answer_files(
    files: Sequence[Upload], shelf: Shelf, label: str | None = None, known_age: Any = None
) -> str:
    """Return the result for one scan, or the table for several, as HTML."""
    loaded, age = shelf.get("brain-age", label), read_years(known_age)
    start = perf_counter()
    readings = [_read(file, loaded) for file in files]
    rows = [
        brain_age_row(file.path, reading, loaded.model, age if len(files) == 1 else None)
        | {"scan": file.name}
        for file, reading in zip(files, readings, strict=True)
    ]
    if len(files) > 1:
        return markup.results(rows, "scans", "brain-age", "brain_age.csv", loaded.choice, start)
    parts = _parts(readings[0], rows[0], loaded)
    return markup.result(files[0].name, *parts, choice=loaded.choice, start=start)


def _read(file: Upload, loaded: Loaded) -> AgeReading:
    try:
        with volume_path(file) as path:
            reading = read_age(path, loaded.model)
            return replace(reading, reason=reading.reason.replace(str(path), file.name))
    except UploadError as error:
        return AgeReading(reason=str(error), failed=True)


def _parts(reading: AgeReading, row: dict[str, str], loaded: Loaded) -> tuple[str, ...]:
    views = "" if reading.t1 is None else markup.pictures(_views(reading))
    if reading.reason:
        note = f"{reading.reason.removesuffix('.')}."
        return (markup.headline("Brain age", "I don’t know", note, "unknown"), views)
    coverage = loaded.model.spec.interval_coverage
    note = "no interval: the model was not calibrated"
    if row["low_years"]:
        note = f"{row['low_years']} to {row['high_years']} years, {coverage:.0%} interval"
    names = {"csf": "CSF", "gray": "Gray matter", "white": "White matter"}
    facts = {}
    for tissue in NORM_TISSUES:
        centile = row[f"{tissue}_centile"]
        more = f", centile {centile} for the age that was given" if centile else ""
        facts[names[tissue]] = f"{row[f'{tissue}_ml']} mL in template space{more}"
    value = f"{row['brain_age_years']} years"
    return (markup.headline("Brain age", value, note), markup.facts(facts), views)


def _views(reading: AgeReading) -> str:
    """Return three planes with the tissues over them."""
    from fetal_lib.plots.style import new_figure
    from fetal_lib.plots.volumes import PLANES, show_plane

    with markup.FIGURES:
        figure, panels = new_figure(1, 3, height=2.7)
        for axis, (axes, name) in enumerate(zip(panels, PLANES, strict=True)):
            at = int(reading.t1.shape[axis] * (0.54 if axis == 0 else 0.5))
            show_plane(axes, np.asarray(reading.t1), axis, at, reading.labels)
            axes.set_title(name, fontsize=9)
        url = markup.figure_url(figure)
    caption = "Tissues that were found: CSF blue, gray matter orange, white matter green"
    return markup.picture(url, caption, "overlay")
