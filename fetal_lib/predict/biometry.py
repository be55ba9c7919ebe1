"""Measure head, abdomen or femur, whichever it is, in any number of scans, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from fetal_lib.growth.bpd_convention import OUTER_OUTER
from fetal_lib.growth.examination import Size
from fetal_lib.predict.batch import number_text, status_of, write_rows
from fetal_lib.predict.biometry_measure import Measured
from fetal_lib.predict.biometry_model import BiometryModel, Maps
from fetal_lib.predict.columns import SIZES, reason_text
from fetal_lib.predict.head_overlay import draw_lines, with_pictures
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_lib.predict.plane import Plane, PlaneRecogniser
from fetal_lib.predict.scans import Scan, in_batches

NO_PLANE = "no plane of fetal biometry is recognised"


@dataclass(frozen=True)
class MeasuredScan:
    """A scan and what was found in it.

    Attributes
    ----------
    scan : Scan
    plane : Plane, None where the file cannot be read.
    found : Measured
    """

    scan: Scan
    plane: Plane | None
    found: Measured

    @property
    def status(self) -> str:
        """What the table says: ``measured``, ``declined`` or ``failed``."""
        return status_of("biometry", self.found.reason, self.scan.image is None)

    @property
    def sizes(self) -> dict[str, Size]:
        """What was measured, by "BPD", "OFD", "HC", "TAD", "APAD", "AC", "FL"."""
        return {
            column.removesuffix("_mm").upper(): Size(*values)
            for column, values in self.found.sizes.items()
        }

    def lines(self) -> list[np.ndarray]:
        """What is drawn on the scan: outline and callipers, x and y in pixels, (N, 2) each."""
        drawn = [] if self.found.line is None else [self.found.line]
        return drawn if self.found.ellipse is None else [self.found.ellipse.boundary(360), *drawn]


def predict_biometry(
    paths: Sequence[Path],
    model: BiometryModel,
    planes: PlaneRecogniser,
    sizes: PixelSizes,
    convention: str = OUTER_OUTER,
    batch_size: int = 16,
) -> Iterator[MeasuredScan]:
    """Yield what is found in each scan, in order.

    Parameters
    ----------
    paths : sequence of Path
    model : BiometryModel
    planes : PlaneRecogniser
        Says what each scan shows, and so what is measured.
    sizes : PixelSizes
    convention : str
        Where the callipers of a head are set: ``"outer-outer"`` or ``"outer-inner"``.
    batch_size : int
        Scans in memory at a time (as many again are being read ahead).
    """
    with ThreadPoolExecutor(2) as pool:
        for scans in in_batches(paths, sizes, batch_size, pool):
            yield from measure_scans(scans, model, planes, convention, pool.map)


def measure_scans(
    scans: Sequence[Scan],
    model: BiometryModel,
    planes: PlaneRecogniser,
    convention: str = OUTER_OUTER,
    apply: Callable[..., Iterable[MeasuredScan]] = map,
) -> Iterable[MeasuredScan]:
    """Return what is found in each of a few scans; ``apply`` may be a pool's ``map``."""
    shown = _recognised(scans, planes)
    tasks = zip(scans, shown, _maps(scans, shown, model), strict=True)
    return apply(_measured, tasks, repeat(model), repeat(convention))


def _recognised(scans: Sequence[Scan], planes: PlaneRecogniser) -> list[Plane | None]:
    images = [scan.image for scan in scans if scan.image is not None]
    found = iter(planes.recognise_all(images) if images else ())
    return [None if scan.image is None else next(found) for scan in scans]


def _is_measured(scan: Scan, plane: Plane | None) -> bool:
    return plane is not None and plane.name != "other" and not scan.problem


def _maps(
    scans: Sequence[Scan], shown: Sequence[Plane | None], model: BiometryModel
) -> list[Maps | None]:
    """Return the network's maps of each scan, None where nothing is measured."""
    wanted = [_is_measured(*pair) for pair in zip(scans, shown, strict=True)]
    images = [scan.image for scan, is_wanted in zip(scans, wanted, strict=True) if is_wanted]
    maps = iter(model.maps(images) if images else ())
    return [next(maps) if is_wanted else None for is_wanted in wanted]


def _measured(
    task: tuple[Scan, Plane | None, Maps | None], model: BiometryModel, convention: str
) -> MeasuredScan:
    scan, plane, maps = task
    if maps is None:
        name = plane.name if plane else ""
        reason = NO_PLANE if name == "other" else scan.problem
        return MeasuredScan(scan, plane, Measured(name, reason=reason))
    size_hw, mm = scan.image.shape, scan.size.mm
    return MeasuredScan(
        scan, plane, model.measure(maps, plane.name, mm, convention, size_hw=size_hw)
    )


def biometry_row(one: MeasuredScan) -> dict[str, str]:
    """Return the row of the result table: text, empty where there is no value."""
    plane, size = one.plane, one.scan.size
    row = {
        "image": one.scan.path.name,
        "status": one.status,
        "plane": plane.name if plane else "",
        "plane_confidence": number_text(plane.confidence if plane else math.nan, 3),
        "pixel_size_mm": number_text(size.mm, 5),
        "pixel_size_from": size.origin,
    }
    notes, sizes = {}, one.sizes
    for name in SIZES:
        found = sizes.get(name.upper())
        values = (found.mm, found.low_mm, found.high_mm) if found else (math.nan,) * 3
        for column, value in zip(("mm", "low_mm", "high_mm"), values, strict=True):
            row[f"{name}_{column}"] = number_text(value, 2)
        if found and not math.isfinite(found.high_mm):
            notes["interval"] = "the model was not calibrated"
    return row | {"reason": reason_text(one.found.reason, notes)}


def draw_measured(one: MeasuredScan) -> np.ndarray | None:
    """Draw what was measured, or the reason why not, on a scan: uint8 (H, W, 3), BGR.

    None of a file that cannot be read.
    """
    if one.scan.image is None:
        return None
    sizes = ", ".join(f"{name} {size.mm:.1f}" for name, size in one.sizes.items())
    text = one.found.reason or f"{sizes} mm"
    return draw_lines(one.scan.image, one.lines(), text)


def write_biometry(
    paths: Sequence[Path],
    model: BiometryModel,
    planes: PlaneRecogniser,
    sizes: PixelSizes,
    out: str | Path,
    overlays: str | Path | None = None,
    convention: str = OUTER_OUTER,
    also: Callable[[MeasuredScan], None] = lambda one: None,
) -> dict[str, int]:
    """Measure scans, write a CSV and, if asked, a picture of each.

    Parameters
    ----------
    paths, model, planes, sizes, convention : as for `predict_biometry`.
    out : path
        The CSV; it appears when all scans are done.
    overlays : path, optional
        Folder for pictures; created when missing.
    also : callable
        Is handed each scan, in order.

    Returns
    -------
    dict
        Number of scans ``measured``, ``declined`` and ``failed``.
    """
    found = predict_biometry(paths, model, planes, sizes, convention)
    found = with_pictures(found, overlays, lambda one: (one.scan.path, draw_measured(one)))

    def rows() -> Iterator[dict[str, str]]:
        for one in found:
            also(one)
            yield biometry_row(one)

    return write_rows(rows(), out, "biometry", len(paths))
