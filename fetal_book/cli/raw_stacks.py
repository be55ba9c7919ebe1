"""``fetal-lib predict ga --raw-stacks``: stacks without a mask are masked before they are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fetal_lib.predict.gestational_age_any import AnyContrastModel
    from fetal_lib.predict.gestational_age_cases import Case
    from fetal_lib.predict.gestational_age_model import GaModel

RawStacks = Annotated[
    bool,
    typer.Option(
        "--raw-stacks",
        help="Scans are raw stacks of thick slices: the brain is found in those without a mask. "
        "Stacks in one folder whose names differ in plane, run, stack or acq only are of one "
        "fetus; it gets a row, too.",
    ),
]


def stack_writer(
    cases: Sequence[Case],
    model: GaModel | AnyContrastModel,
    pictures: Path | None,
    check: Callable[[Path, Callable[[Path], float]], None],
) -> tuple[Callable[..., dict[str, int]], list[Any]]:
    """Return what writes the ages of raw stacks, and the stacks by fetus.

    ``check`` is given the finder's folder and what asks it for its own sample.
    """
    from fetal_lib.predict.gestational_age_stacks import found_ml, stacks_by_fetus, write_stack_ages
    from fetal_lib.predict.stack_finder import SHIPPED, load_stack_finder

    finder = load_stack_finder()
    check(SHIPPED, lambda path: found_ml(path, finder))
    write = partial(write_stack_ages, model=model, finder=finder, pictures=pictures)
    return write, stacks_by_fetus(cases)
