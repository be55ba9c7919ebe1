"""Scans of a user: listed, read with their pixel size, declined where they show no head."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fetal_lib.predict.batch import list_files
from fetal_lib.predict.head_gate import Gate
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes, several_sizes
from fetal_lib.readers.checks import FOR_PROGRAMS
from fetal_lib.readers.image import read_gray

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm"}


def list_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the image files that paths name, folders searched one level deep.

    Annotation files of HC18 (``*_Annotation.png``) are left out.

    Raises
    ------
    ValueError
        If a path does not exist, or nothing is found; all missing ones are named.
    """
    return list_files(inputs, _inside, "images", ", ".join(sorted(SUFFIXES)))


def _inside(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    return [path for path in found if not path.stem.endswith("_Annotation")]


class Scan(NamedTuple):
    """A file of a user.

    Attributes
    ----------
    image : uint8 (H, W), None where the file cannot be read.
    size : of its pixels, maybe not known.
    problem : why it is not looked at further; empty where it is.
    """

    path: Path
    image: np.ndarray | None
    size: PixelSize
    problem: str = ""


def read_scan(path: Path, sizes: PixelSizes) -> Scan:
    """Read a scan, or say why not."""
    image = None
    try:
        image = read_gray(path)
        return Scan(path, image, sizes.find(path))
    except (ValueError, OSError) as error:
        return Scan(path, image, PixelSize(), str(error).replace(FOR_PROGRAMS, ""))


def in_batches(
    paths: Sequence[Path], sizes: PixelSizes, batch_size: int, pool: Executor
) -> Iterator[list[Scan]]:
    """Yield scans in order, as many at a time; as many again are read ahead meanwhile.

    A scan whose pixel size is not known has that for its problem.
    """
    queue = iter(paths)

    def read(path: Path) -> Scan:
        return sized(read_scan(path, sizes), sizes)

    waiting = [pool.submit(read, path) for path in islice(queue, batch_size)]
    while waiting:
        scans = [job.result() for job in waiting]
        waiting = [pool.submit(read, path) for path in islice(queue, batch_size)]
        yield scans


def sized(scan: Scan, sizes: PixelSizes) -> Scan:
    """Add the problem to a scan whose pixel size is not known."""
    if scan.problem or not math.isnan(scan.size.mm):
        return scan
    where = "is not in the table and " if sizes.by_name else "is "
    why = several_sizes(scan.path) or "not stated in the file"
    problem = f"pixel size of {scan.path.name} {where}{why}; add a row or give --pixel-size"
    return scan._replace(problem=problem)


def only_heads(scans: Sequence[Scan], gate: Gate | None) -> Sequence[Scan]:
    """Add its problem to each scan that shows no head."""
    images = [scan.image for scan in scans if not scan.problem]
    if gate is None or not images:
        return scans
    problems = iter(gate(images))
    return [s if s.problem else s._replace(problem=next(problems)) for s in scans]
