"""Tell the gestational age from raw stacks of thick slices: each by itself, and a fetus' together.

A mask beside a stack is taken; where there is none the finder of stacks masks the brain among
skull and womb. Of several stacks of one fetus the median of those that were not declined is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.predict.batch import write_rows
from fetal_lib.predict.gestational_age import age_title, gestational_age_row
from fetal_lib.predict.gestational_age_cases import Case, read_case
from fetal_lib.predict.gestational_age_reading import GaReading
from fetal_lib.predict.stack_finder import StackFinder, slice_axis

if TYPE_CHECKING:
    from fetal_lib.predict.gestational_age_any import AnyContrastModel
    from fetal_lib.predict.gestational_age_model import GaModel
    from fetal_lib.readers.volume_grid import Volume

OF_A_STACK = re.compile(
    r"(?:^|[-_ ])(?:acq-?[a-z0-9]+|(?:run|stack)[-_]?\d*|axial|coronal|sagittal|ax|cor|sag|tra)"
    r"(?:[-_ ]?\d+)?(?=$|[-_ ])",
    re.IGNORECASE,
)
"""What names of stacks of one fetus differ in."""
NO_BRAIN = (
    "no fetal brain was found in the stack; if it shows one, put its mask beside it as "
    "NAME_mask.nii.gz"
)
PICTURES = "pictures of slices are no stack; leave out --raw-stacks for them"
N_SHOWN = 3  # slices in a picture


def stacks_by_fetus(cases: Sequence[Case]) -> list[tuple[str, list[Case]]]:
    """Return names of fetuses and their stacks, in the order of the first of each.

    Stacks are of one fetus when they lie in one folder and their names differ in nothing but a
    plane, a run, a stack or an acquisition; stacks that have no other name are the folder's.

    Examples
    --------
    >>> paths = [Path(f"a/{name}.nii") for name in ("f1_axial", "f1_sagittal", "f2_run-1")]
    >>> [(name, len(some)) for name, some in stacks_by_fetus([Case(p.name, p) for p in paths])]
    [('f1', 2), ('f2', 1)]
    """
    found: dict[tuple[Path, str], list[Case]] = {}
    for case in cases:
        home = Path() if case.path is None else case.path.parent
        stem = case.name if case.path is None else case.path.name.split(".", 1)[0]
        name = OF_A_STACK.sub("", stem).strip("-_ ") or home.name
        found.setdefault((home, name), []).append(case)
    return [(name, some) for (_, name), some in found.items()]


def read_raw_stack(
    case: Case, model: GaModel | AnyContrastModel, finder: StackFinder
) -> tuple[GaReading, GaReading | None]:
    """Tell the age from one stack, or say why not; with what is to be drawn, None for nothing."""
    if case.path is None:
        return GaReading(reason=PICTURES, failed=True), None
    try:
        scan = read_case(case)
    except (ValueError, OSError) as error:
        return GaReading(reason=str(error), failed=True), None
    if scan.mask is None or not scan.mask.any():
        scan = replace(scan, mask=finder.find(scan.volume))
    reading = GaReading(reason=NO_BRAIN)
    if scan.mask.any():
        reading = model.read(scan)
    images, outlines = shown_slices(scan.volume, scan.mask)
    return reading, replace(reading, images=images, outlines=outlines)


def together(readings: Sequence[GaReading]) -> GaReading:
    """Return the median of what was told of the stacks of one fetus, or that nothing was."""
    told = [one for one in readings if not one.reason]
    if not told:
        return GaReading(reason=f"none of its {len(readings)} stacks was told")
    names = "ga_days low_days high_days shape_days volume_days brain_ml likeness".split()
    middle = {name: float(np.median([getattr(one, name) for one in told])) for name in names}
    return GaReading(**middle, spread_days=float(np.std([one.ga_days for one in told])))


def write_stack_ages(
    fetuses: Sequence[tuple[str, Sequence[Case]]],
    model: GaModel | AnyContrastModel,
    finder: StackFinder,
    out: str | Path,
    pictures: str | Path | None = None,
) -> dict[str, int]:
    """Tell the ages of raw stacks, a row each and one a fetus, write a CSV and, if asked, pictures.

    Parameters
    ----------
    fetuses : from `stacks_by_fetus`; one with a single stack has no row of its own.
    model : from `load_ga_model`.
    finder : from `load_stack_finder`.
    out : the CSV; it appears when all stacks are done.
    pictures : folder for pictures of the masks that ages rest on; created when missing.

    Returns
    -------
    dict
        Number of rows ``predicted``, ``declined`` and ``failed``.
    """

    def rows() -> Iterator[dict[str, str]]:
        for name, stacks in fetuses:
            readings = []
            for case in stacks:
                reading, drawn = read_raw_stack(case, model, finder)
                readings.append(reading)
                if pictures is not None and drawn is not None:
                    save_mask(Path(pictures), case, drawn)
                yield gestational_age_row(case, reading, model.spec)
            if len(stacks) > 1:
                whole = replace(stacks[0], name=f"{name} ({len(stacks)} stacks together)")
                yield gestational_age_row(whole, together(readings), model.spec)

    n_rows = sum(len(stacks) + (len(stacks) > 1) for _, stacks in fetuses)
    return write_rows(rows(), out, "ga", n_rows)


def found_ml(path: Path, finder: StackFinder) -> float:
    """Return the volume of the brain that is found in a stack, mL: what a self-test asks."""
    volume = read_case(Case(path.name, path)).volume
    return float(finder.find(volume).sum() * abs(np.linalg.det(volume.affine[:3, :3])) / 1000)


def shown_slices(volume: Volume, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slices through a mask as a picture, uint8 (S, S, 3), and their masks (3, S, S).

    Without a mask they are taken through the stack.
    """
    axis = slice_axis(volume.spacing_mm)
    data, inside = (np.moveaxis(one, axis, 0) for one in (volume.data, mask))
    used = np.flatnonzero(inside.any(axis=(1, 2))) if inside.any() else np.arange(len(data))
    chosen = used[np.linspace(0, len(used) - 1, N_SHOWN + 2).round().astype(int)[1:-1]]
    side = max(data.shape[1:])
    low, high = np.percentile(data[chosen], (1, 99))
    grey = np.clip((data[chosen] - low) / max(high - low, 1e-6), 0, 1)
    more = [(0, 0), *(((side - n) // 2, side - n - (side - n) // 2) for n in data.shape[1:])]
    upright = (np.pad(one, more).transpose(0, 2, 1)[:, ::-1] for one in (grey, inside[chosen]))
    image, outline = upright
    return np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0), outline.astype(float)


def save_mask(folder: Path, case: Case, drawn: GaReading) -> None:
    """Write slices of a stack with the outline of its mask, titled with the age."""
    import matplotlib.pyplot as plt

    from fetal_lib.plots.gestational_age import outlined_figure

    folder.mkdir(parents=True, exist_ok=True)
    names = [f"slice {number} of {N_SHOWN}" for number in range(1, N_SHOWN + 1)]
    figure = outlined_figure(drawn.images, drawn.outlines, names, age_title(drawn))
    figure.savefig(folder / f"{case.name.replace('/', '_').split('.')[0]}.png", dpi=100)
    plt.close(figure)
