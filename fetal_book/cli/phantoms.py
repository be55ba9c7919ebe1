"""`fetal-lib phantoms KIND FOLDER`: write a set of made-up images with known truth."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from fetal_book.cli.terminal import errors_in_a_sentence, progress_bar

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# kind: (writer, what one unit of --n is, what the folder holds)
KINDS: dict[str, tuple[str, str, str]] = {
    "heads": (
        "fetal_phantoms.head:write_head_set",
        "examinations",
        "fetal heads on ultrasound, in HC18's layout",
    ),
    "abdomens": (
        "fetal_phantoms.abdomen_set:write_abdomen_set",
        "fetuses",
        "fetal abdomens on ultrasound, as a table, images and masks",
    ),
    "biometry": (
        "fetal_phantoms.abdomen_set:write_biometry_set",
        "fetuses",
        "head and abdomen of the same fetus, as a table, images and masks",
    ),
    "anomalies": (
        "fetal_phantoms.anomalies.write:write_anomaly_set",
        "patients",
        "sixteen classes of fetal brain on ultrasound, with lesion masks",
    ),
    "fetal-brains": (
        "fetal_phantoms.fetal_brain.write:write_fetal_brain_set",
        "fetuses",
        "fetal T2 brains with tissue labels, in BIDS",
    ),
    "adult-brains": (
        "fetal_phantoms.adult_brain.write:write_adult_brain_set",
        "subjects",
        "adult T1 brains with tissue labels, in BIDS",
    ),
}


@app.command()
def phantoms(
    kind: Annotated[str, typer.Argument(help=f"What to draw: {', '.join(KINDS)}.")],
    folder: Annotated[Path, typer.Argument(help="New folder to write into.")],
    n: Annotated[int, typer.Option(min=1, help="Examinations, patients or subjects.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same set.")] = 0,
) -> None:
    """Write a set of phantoms; case k is the same however many are asked for."""
    if kind not in KINDS:
        raise typer.BadParameter(f"kind: received {kind!r}; it must be one of {', '.join(KINDS)}")
    place, unit, words = KINDS[kind]
    module, _, name = place.partition(":")
    writer = getattr(importlib.import_module(module), name)
    with errors_in_a_sentence("phantoms"), progress_bar(unit=f" {unit}") as progress:
        writer(folder, n, seed, progress=progress)
    typer.echo(f"{n} {unit} of {words}: {folder}")
