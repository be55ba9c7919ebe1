"""Write sets of abdomens, and of head and abdomen of the same fetus, as a clinic keeps them.

The layout is that of ``fetal_lib.data.layouts.clinical_ultrasound``: a table, images, filled masks.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from fetal_lib.growth.intergrowth_size import size_mm, z_score
from fetal_phantoms.abdomen import MAX_Z, AbdomenPhantom, make_abdomen
from fetal_phantoms.head import HeadPhantom, make_head
from fetal_phantoms.set_folder import Progress, write_json, write_png, write_set, write_table

GENERATOR_VERSION = "2"
CSV_NAME = "table.csv"
COLUMNS = (
    "image", "mask", "subject", "structure", "pixel_size_mm", "ga_days",
    "hc_mm", "ac_mm", "bpd_mm", "ofd_mm", "fl_mm",
)  # fmt: skip
SHARED_GROWTH = 0.6  # correlation of the z-scores of one fetus: an assumption, not a norm


def _related(z: float, rng: np.random.Generator) -> float:
    """Draw a z-score that correlates by SHARED_GROWTH with another of the same fetus."""
    own = rng.normal()
    return float(np.clip(SHARED_GROWTH * z + math.sqrt(1 - SHARED_GROWTH**2) * own, -MAX_Z, MAX_Z))


def write_abdomen_set(
    folder: str | Path,
    n: int,
    seed: int,
    marks: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write a set of abdomen phantoms, one image a subject, in the clinical layout.

    Parameters and errors as for `write_biometry_set`; the head's measures stay empty.
    """
    return _write_set(folder, n, seed, marks, ("abdomen",), progress)


def write_biometry_set(
    folder: str | Path,
    n_subjects: int,
    seed: int,
    marks: bool = True,
    progress: Progress | None = None,
) -> Path:
    """Write head and abdomen of each fetus in the clinical layout.

    HC, AC and FL of a fetus follow INTERGROWTH-21st for its week; their z-scores correlate.

    Parameters
    ----------
    folder : created; it must not exist yet, or be empty.
    n_subjects : at least 1.
    seed : non-negative; subject k is the same whatever n_subjects is.
    marks : see `make_abdomen`.
    progress : called with (subjects done, n_subjects) after each.

    Returns
    -------
    The folder: table.csv (one row an image; both rows of a fetus hold all its measures), images/,
    masks/ (0 or 255, filled ellipses), phantom.json.

    Raises
    ------
    ValueError
        If n_subjects is below 1 or seed negative.
    FileExistsError
        If the folder holds files already.
    """
    return _write_set(folder, n_subjects, seed, marks, ("head", "abdomen"), progress)


def _write_set(
    folder: str | Path,
    n: int,
    seed: int,
    marks: bool,
    structures: tuple[str, ...],
    progress: Progress | None,
) -> Path:
    def write(part: Path, number: int, own_seed: int) -> list[dict]:
        return _write_subject(part, number, own_seed, marks, structures)

    def finish(part: Path, subjects: list[list[dict]]) -> None:
        write_table(part / CSV_NAME, COLUMNS, [row for rows in subjects for row in rows])
        record = {
            "generator": "fetal_phantoms.abdomen_set",
            "version": GENERATOR_VERSION,
            "seed": seed,
            "n": n,
            "structures": list(structures),
            "marks": marks,
            "shared_growth": SHARED_GROWTH,
        }
        write_json(part / "phantom.json", record)

    return write_set(folder, write, finish, ("n subjects", n), seed, progress)


def _write_subject(
    part: Path, number: int, own_seed: int, marks: bool, structures: tuple[str, ...]
) -> list[dict[str, str]]:
    """Write the images of one fetus; return its rows of the table."""
    rng = np.random.default_rng([own_seed, 41])
    phantoms: dict[str, HeadPhantom | AbdomenPhantom] = {}
    sizes: dict[str, float] = {}
    ga_days = z = None
    if "head" in structures:
        head = phantoms["head"] = make_head(own_seed, marks=marks)
        ga_days, pixel = head.ga_days, head.pixel_size_mm
        size_z = float(z_score("HC", head.hc_mm, ga_days / 7.0))
        z = _related(size_z, rng)
        sizes["hc_mm"] = head.hc_mm
        sizes["bpd_mm"] = 2 * head.ellipse.semi_minor * pixel
        sizes["ofd_mm"] = 2 * head.ellipse.semi_major * pixel
        sizes["fl_mm"] = float(size_mm("FL", ga_days / 7.0, z=_related(size_z, rng)))
    abdomen = phantoms["abdomen"] = make_abdomen(own_seed, ga_days, marks=marks, z=z)
    sizes["ac_mm"] = abdomen.ac_mm
    return [_write_image(part, number, name, phantoms[name], sizes) for name in structures]


def _write_image(
    part: Path,
    number: int,
    structure: str,
    phantom: HeadPhantom | AbdomenPhantom,
    sizes: dict[str, float],
) -> dict[str, str]:
    """Write image and mask of one phantom; return its row."""
    subject = f"S{number + 1:05d}"
    name = f"{subject}_{structure}.png"
    write_png(part / "images" / name, phantom.image)
    write_png(part / "masks" / name, phantom.mask.astype(np.uint8) * 255)
    row = {"image": f"images/{name}", "mask": f"masks/{name}", "subject": subject}
    row |= {"structure": structure, "pixel_size_mm": f"{phantom.pixel_size_mm:.12g}"}
    row |= {"ga_days": f"{phantom.ga_days:g}"} | dict.fromkeys(COLUMNS[6:], "")
    return row | {column: f"{mm:.2f}" for column, mm in sizes.items()}
