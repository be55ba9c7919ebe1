"""Ultrasound phantoms of the fetal head in HC18's layout, made from a seed.

A phantom carries its own truth: the outer edge of the skull as a fitted ellipse, its
perimeter in mm, the gestational age that the size was drawn for. Repeat frames of one
examination share the fetus and the probe and differ in view, gain and speckle.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fetal_lib.geometry.ellipse import Ellipse, fit_ellipse
from fetal_lib.phantoms.anatomy import outline_points
from fetal_lib.phantoms.head_render import screen_image
from fetal_lib.phantoms.head_sampling import MAX_GA_DAYS, MIN_GA_DAYS, draw_fetus, draw_view
from fetal_lib.phantoms.marks import draw_marks

GENERATOR_VERSION = "1"
CSV_HEADER = "filename,pixel size(mm),head circumference (mm)"
CSV_NAME = "training_set_pixel_size_and_HC.csv"
FRAME_SHARES = (642 / 806, 141 / 806, 17 / 806, 6 / 806)  # HC18's numbers with 1-4 frames


@dataclass(frozen=True)
class HeadPhantom:
    """Hold a made-up ultrasound image of a fetal head and its truth.

    Attributes
    ----------
    image : uint8 (H, W), nearly always (540, 800).
    outline : uint8 (H, W), 255 on a one-pixel ellipse along the outer edge of the skull.
    mask : bool (H, W), the filled ellipse.
    pixel_size_mm : mm per pixel, the same in both directions.
    hc_mm : perimeter of the ellipse in mm.
    ga_days : gestational age that the size was drawn for, in days.
    ellipse : the ellipse in pixels.
    """

    image: np.ndarray
    outline: np.ndarray
    mask: np.ndarray
    pixel_size_mm: float
    hc_mm: float
    ga_days: float
    ellipse: Ellipse


def draw_outline(ellipse: Ellipse, shape: tuple[int, int]) -> np.ndarray:
    """Return an ellipse as a line one pixel wide, 255 on 0, uint8 (H, W)."""
    outline = np.zeros(shape, np.uint8)
    points = np.round(ellipse.boundary(1440)).astype(np.int32)
    cv2.polylines(outline, [points], True, 255, 1)
    return outline


def make_head(
    seed: int, ga_days: float | None = None, marks: bool = True, frame: int = 0
) -> HeadPhantom:
    """Make the ultrasound phantom of a fetal head.

    Parameters
    ----------
    seed : non-negative; the examination. The same seed gives the same fetus and probe.
    ga_days : gestational age in days, 98-280; None draws it as in HC18.
    marks : whether the screen's bar, text, blanked boxes and callipers are drawn. They are
        drawn from a stream of their own, so that the image below them stays the same.
    frame : non-negative; repeat frames of the examination.

    Returns
    -------
    HeadPhantom

    Raises
    ------
    ValueError
        If ga_days lies outside the size standard, or seed or frame is negative.

    References
    ----------
    Papageorghiou AT et al. Lancet 2014;384:869-879. doi:10.1016/S0140-6736(14)61490-2
    (head circumference for age). van den Heuvel TLA et al. PLOS ONE 2018;13:e0200412.
    doi:10.1371/journal.pone.0200412 (the image set whose layout this follows).

    Examples
    --------
    >>> phantom = make_head(7, ga_days=140)
    >>> phantom.image.shape, phantom.image.dtype.name, bool(140 < phantom.hc_mm < 205)
    ((540, 800), 'uint8', True)
    """
    if seed < 0 or frame < 0:
        raise ValueError(f"seed is {seed} and frame {frame}; both must be 0 or more")
    if ga_days is not None and not MIN_GA_DAYS <= ga_days <= MAX_GA_DAYS:
        raise ValueError(
            f"ga_days is {ga_days}; the INTERGROWTH-21st head size covers {MIN_GA_DAYS:.0f}-"
            f"{MAX_GA_DAYS:.0f} days (14-40 weeks): give the age in days, within that range"
        )
    fetus = draw_fetus(np.random.default_rng([seed, 1]), ga_days)
    rng = np.random.default_rng([seed, 2, frame])
    view = draw_view(rng, fetus)
    image = screen_image(view, fetus, rng)
    if marks:
        image = draw_marks(image, np.random.default_rng([seed, 3, frame]))
    ellipse = fit_ellipse(outline_points(view.skull, view.pose)[::4])
    return HeadPhantom(
        image=image,
        outline=draw_outline(ellipse, view.shape),
        mask=ellipse.mask(view.shape),
        pixel_size_mm=fetus.pixel_size_mm,
        hc_mm=ellipse.perimeter * fetus.pixel_size_mm,
        ga_days=fetus.ga_days,
        ellipse=ellipse,
    )


def _write_png(path: Path, image: np.ndarray) -> None:
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise OSError(f"{path.name} could not be encoded as PNG, array {image.shape}")
    path.write_bytes(data.tobytes())


def _write_examination(folder: Path, number: int, seed: int, marks: bool) -> list[tuple]:
    """Write all frames of one examination; return (file name, csv row, ga_days) of each."""
    exam_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    n_frames = 1 + int(np.random.default_rng([exam_seed, 4]).choice(4, p=FRAME_SHARES))
    rows = []
    for frame in range(n_frames):
        phantom = make_head(exam_seed, marks=marks, frame=frame)
        stem = f"{number:03d}_{frame + 1 if frame else ''}HC"
        _write_png(folder / f"{stem}.png", phantom.image)
        _write_png(folder / f"{stem}_Annotation.png", phantom.outline)
        row = f"{stem}.png,{phantom.pixel_size_mm:.12g},{phantom.hc_mm:.2f}"
        rows.append((f"{stem}.png", row, phantom.ga_days))
    return rows


def write_head_set(
    folder: str | Path,
    n_examinations: int,
    seed: int,
    marks: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a set of head phantoms in the layout of HC18's training set.

    The folder appears complete or not at all: files are written beside it and renamed.

    Parameters
    ----------
    folder : created; it must not exist yet, or be empty.
    n_examinations : at least 1. About one examination in five has 2-4 frames, as in HC18.
    seed : non-negative; examination k is the same whatever n_examinations is.
    marks : see `make_head`.
    progress : called with (examinations done, n_examinations) after each.

    Returns
    -------
    The folder: training_set/NNN_HC.png, NNN_HC_Annotation.png, NNN_2HC.png ..., the table
    training_set_pixel_size_and_HC.csv and phantom.json (generator, version, seed, ga_days).

    Raises
    ------
    ValueError
        If n_examinations is below 1 or seed negative.
    FileExistsError
        If the folder holds files already.
    """
    folder = Path(folder)
    if n_examinations < 1 or seed < 0:
        raise ValueError(
            f"n_examinations is {n_examinations} and seed {seed}; at least 1 and 0 are needed"
        )
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds files already; name a new folder or empty this one")
    part = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    images = part / "training_set"
    images.mkdir(parents=True)
    try:
        rows = _write_examinations(images, n_examinations, seed, marks, progress)
        _write_tables(part, rows, n_examinations, seed, marks)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _write_examinations(
    images: Path, n: int, seed: int, marks: bool, progress: Callable[[int, int], None] | None
) -> list[tuple]:
    rows = []
    with ThreadPoolExecutor(2) as pool:  # NumPy and OpenCV let go of the interpreter lock
        jobs = pool.map(lambda number: _write_examination(images, number, seed, marks), range(n))
        for done, exam_rows in enumerate(jobs, start=1):
            rows.extend(exam_rows)
            if progress is not None:
                progress(done, n)
    return rows


def _write_tables(part: Path, rows: list[tuple], n: int, seed: int, marks: bool) -> None:
    lines = [CSV_HEADER, *(row for _, row, _ in rows)]
    (part / CSV_NAME).write_text("\n".join(lines) + "\n", encoding="ascii")
    record = {
        "generator": "fetal_lib.phantoms.head",
        "version": GENERATOR_VERSION,
        "seed": seed,
        "n_examinations": n,
        "n_images": len(rows),
        "marks": marks,
        "ga_days": {name: ga_days for name, _, ga_days in rows},
    }
    (part / "phantom.json").write_text(json.dumps(record, indent=1) + "\n", encoding="ascii")
