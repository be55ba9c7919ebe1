"""Ultrasound phantoms of the fetal head in HC18's layout, made from a seed.

A phantom carries its own truth: the outer edge of the skull as a fitted ellipse, its
perimeter in mm, the gestational age that the size was drawn for. Repeat frames of one
examination share the fetus and the probe and differ in view, gain and speckle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fetal_phantoms.biometry import BiometryPhantom, check_request
from fetal_phantoms.head_render import screen_image
from fetal_phantoms.head_sampling import draw_fetus, draw_view
from fetal_phantoms.marks import draw_marks
from fetal_phantoms.set_folder import Progress, write_json, write_png, write_set, write_table

GENERATOR_VERSION = "1"
CSV_HEADER = "filename,pixel size(mm),head circumference (mm)"
CSV_NAME = "training_set_pixel_size_and_HC.csv"
FRAME_SHARES = (642 / 806, 141 / 806, 17 / 806, 6 / 806)  # HC18's numbers with 1-4 frames


class HeadPhantom(BiometryPhantom):
    """Hold a made-up ultrasound image of a fetal head; its ellipse is the skull's outer edge."""

    @property
    def hc_mm(self) -> float:
        """Perimeter of the ellipse in mm."""
        return self.circumference_mm


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
    check_request(seed, frame, ga_days, "head")
    fetus = draw_fetus(np.random.default_rng([seed, 1]), ga_days)
    rng = np.random.default_rng([seed, 2, frame])
    view = draw_view(rng, fetus)
    image = screen_image(view, fetus, rng)
    if marks:
        image = draw_marks(image, np.random.default_rng([seed, 3, frame]))
    return HeadPhantom.of(image, view, fetus)


def write_head_set(
    folder: str | Path,
    n_examinations: int,
    seed: int,
    marks: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write a set of head phantoms in the layout of HC18's training set.

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

    def write(part: Path, number: int, own_seed: int) -> list[dict]:
        return _write_examination(part / "training_set", number, own_seed, marks)

    def finish(part: Path, examinations: list[list[dict]]) -> None:
        rows = [row for frames in examinations for row in frames]
        write_table(part / CSV_NAME, CSV_HEADER.split(","), rows)
        record = {
            "generator": "fetal_phantoms.head",
            "version": GENERATOR_VERSION,
            "seed": seed,
            "n_examinations": n_examinations,
            "n_images": len(rows),
            "marks": marks,
            "ga_days": {row["filename"]: row["ga_days"] for row in rows},
        }
        write_json(part / "phantom.json", record)

    size = "n_examinations", n_examinations
    return write_set(folder, write, finish, size, seed, progress)


def _write_examination(folder: Path, number: int, own_seed: int, marks: bool) -> list[dict]:
    """Write all frames of one examination; return a row for each."""
    n_frames = 1 + int(np.random.default_rng([own_seed, 4]).choice(4, p=FRAME_SHARES))
    rows = []
    for frame in range(n_frames):
        phantom = make_head(own_seed, marks=marks, frame=frame)
        stem = f"{number:03d}_{frame + 1 if frame else ''}HC"
        write_png(folder / f"{stem}.png", phantom.image, compression=4)
        write_png(folder / f"{stem}_Annotation.png", phantom.outline, compression=4)
        values = f"{stem}.png", f"{phantom.pixel_size_mm:.12g}", f"{phantom.hc_mm:.2f}"
        row = dict(zip(CSV_HEADER.split(","), values, strict=True))
        rows.append(row | {"ga_days": phantom.ga_days})
    return rows
