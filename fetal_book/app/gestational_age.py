"""What the tab for gestational age does: fetal brain MRI in, days out."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from fetal_book.app import markup
from fetal_book.app.shelf import Loaded, Shelf
from fetal_book.app.uploads import Upload, UploadError
from fetal_book.app.volumes import check_volume
from fetal_lib.predict.gestational_age import gestational_age_row, read_age
from fetal_lib.predict.gestational_age_cases import list_cases
from fetal_lib.predict.gestational_age_reading import GaReading


def answer_files(files: Sequence[Upload], shelf: Shelf, label: str | None = None) -> str:
    """Return the result for one brain, or the table for several, as HTML.

    A mask belongs to the volume that it is named after, pictures of three planes to one brain,
    as in ``fetal-lib predict ga``.
    """
    loaded = shelf.get("ga", label)
    start = perf_counter()
    with tempfile.TemporaryDirectory(prefix="fetal-lib-") as folder:
        for file in files:
            check_volume(file)
            _put(file, Path(folder))
        try:
            cases = list_cases([folder])
            with loaded.lock:
                readings = [read_age(case, loaded.model) for case in cases]
        except ValueError as error:
            raise UploadError(_without(folder, str(error))) from None
        rows = [
            gestational_age_row(case, reading, loaded.model.spec)
            for case, reading in zip(cases, readings, strict=True)
        ]
        rows = [row | {"reason": _without(folder, row["reason"])} for row in rows]
    if len(rows) > 1:
        return markup.results(rows, "brains", "ga", "gestational_age.csv", loaded.choice, start)
    parts = _parts(readings[0], rows[0], loaded)
    return markup.result(rows[0]["scan"], *parts, choice=loaded.choice, start=start)


def _put(file: Upload, folder: Path) -> None:
    """Give a file its owner's name, in a folder of this request."""
    place = folder / file.name
    if place.exists():
        raise UploadError(f"{file.name}: two files have this name; rename one.")
    place.symlink_to(file.path.resolve())


def _without(folder: str, text: str) -> str:
    return text.replace(f"{folder}/", "").replace(folder, "what came")


def _parts(reading: GaReading, row: dict[str, str], loaded: Loaded) -> tuple[str, ...]:
    seen = "" if reading.images is None else markup.pictures(_looked_at(reading, loaded))
    if reading.reason:
        note = f"{row['reason'].removesuffix('.')}."
        return (markup.headline("Gestational age", "I don’t know", note, "unknown"), seen)
    note = "no interval: the model was not calibrated"
    if math.isfinite(reading.high_days):
        coverage = loaded.model.spec.interval_coverage
        note = f"{row['low_days']} to {row['high_days']} days, {coverage:.0%} interval"
    facts = {"In days": row["ga_days"], "By the image alone, days": row["shape_days"]}
    facts |= {"By the volume alone, days": row["volume_days"]}
    facts["Spread between views, days"] = row["spread_days"]
    facts["Brain with its fluid"] = f"{row['brain_ml']} mL" if row["brain_ml"] else ""
    value = f"{row['ga_weeks_days']} weeks"
    return (markup.headline("Gestational age", value, note), markup.facts(facts), seen)


def _looked_at(reading: GaReading, loaded: Loaded) -> str:
    """Return a picture of what the model looked at."""
    with loaded.lock, markup.FIGURES:
        url = markup.figure_url(loaded.model.figure(reading, ""))
    return markup.picture(url, "What the model looked at, plane by plane", "overlay")
