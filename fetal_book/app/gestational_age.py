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
from fetal_lib.predict.gestational_age import GaReading, gestational_age_row, read_age
from fetal_lib.predict.gestational_age_cases import list_cases
from fetal_lib.predict.gestational_age_maps import plane_cams, plane_gates


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
    facts = {"In days": row["ga_days"], "Spread between slices, days": row["spread_days"]}
    facts["Brain with its fluid"] = f"{row['brain_ml']} mL" if row["brain_ml"] else ""
    value = f"{row['ga_weeks_days']} weeks"
    return (markup.headline("Gestational age", value, note), markup.facts(facts), seen)


def _looked_at(reading: GaReading, loaded: Loaded) -> str:
    """Return the middle slices with gate and Grad-CAM of the first network."""
    from fetal_lib.plots.gestational_age import looked_at_figure

    image, model = reading.images[len(reading.images) // 2], loaded.model
    planes, network = model.spec.planes, model.networks[0]
    with loaded.lock:
        gates = plane_gates(network, image, planes)
        cams = plane_cams(network, image, planes) * model.spec.scales[0]
    with markup.FIGURES:
        url = markup.figure_url(looked_at_figure(image, gates, cams, planes, ""))
    return markup.picture(url, "What the first network looked at, plane by plane", "overlay")
