"""``fetal-lib predict``: a trained model on a user's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fetal_book.cli.terminal import errors_in_a_sentence
from fetal_lib.predict.columns import COLUMNS, EXIT_CODES

NOTHING = 3
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Apply a trained model to your own files.",
)


PixelSize = Annotated[
    str,
    typer.Option(
        metavar="MM",
        help="Side of a pixel in mm (0.12 or 0,12), for all scans; DICOM files may state it.",
    ),
]


AnyPlane = Annotated[
    bool, typer.Option("--any-plane", help="Answer also what is not recognised as a head.")
]

SelfTest = Annotated[
    bool,
    typer.Option(
        "--self-test", help="Only ask the model for the sample scan that it carries, and compare."
    ),
]


def model_option(number: str, without: str = "") -> Any:
    """Return the option for the model of a chapter."""
    words = f"Folder of a finished run, or {number}: the newest of that chapter, real data before"
    return typer.Option(metavar="RUN", help=f"{words} phantoms{without}.")


def home(number: str, model: str) -> Path:
    """Return the folder of the model that the option names, and say which run made it."""
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.runs.find_runs import FoundRun, model_home
    from fetal_book.runs.record import known_record

    folder = model_home(get_chapter(number), model or None)
    if record := known_record(folder.parent):
        typer.echo(f"model: {FoundRun(folder.parent, record).words}")
    return folder


def check_model(model: Path, answer: Callable[[Path], float], only: bool) -> None:
    """Run a model's self-test: if it never passed here, or if that is ``only`` what is asked."""
    from fetal_book.parameters.project import ProjectError, cache_root
    from fetal_lib.predict.self_test import first_use, self_test

    if only:
        typer.echo(self_test(model, answer))
        raise typer.Exit
    try:
        passed = cache_root() / "self_tests"
    except ProjectError:
        passed = Path.home() / ".cache" / "fetal-lib" / "self_tests"
    if words := first_use(model, answer, passed):
        typer.echo(words)


class Explained(TyperCommand):
    """A command whose help ends with the columns of its table and its exit codes."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write both below the options."""
        for title, words in (("Columns", COLUMNS[self.name]), ("Exit codes", EXIT_CODES)):
            with formatter.section(title):
                formatter.write_dl(list(words.items()))


@app.callback()
def _group() -> None:
    """Apply a trained model to your own files. Research use only, not for diagnosis."""


@app.command("hc", cls=Explained)
def predict_hc(
    images: Annotated[list[Path], typer.Argument(help="Scans, or folders of scans.")],
    pixel_size: PixelSize = "",
    table: Annotated[
        Path | None,
        typer.Option(help="CSV: filename, pixel size(mm), and optionally ga_days (for centiles)."),
    ] = None,
    model: Annotated[str, model_option("04", "; without it the shipped model")] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("head_circumference.csv"),
    overlays: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    any_plane: AnyPlane = False,
) -> None:
    """Measure fetal head circumference in millimetres on ultrasound scans.

    Each scan gets HC with an interval and gestational age by two named standards, or
    the reason why it was declined. A centile needs a known age: the column ga_days.
    Research use only, not for clinical decisions.
    """
    from fetal_lib.predict.head_circumference import write_predictions
    from fetal_lib.predict.head_gate import load_head_gate
    from fetal_lib.predict.head_model import load_head_model
    from fetal_lib.predict.pixel_sizes import given_sizes
    from fetal_lib.predict.scans import list_images

    with errors_in_a_sentence("predict hc"):
        sizes, paths = given_sizes(pixel_size, table), list_images(images)
        if not sizes.know_any(paths):
            raise ValueError(
                "pixel size: none given and none stated in a file, and without it millimetres "
                "cannot be known; give --pixel-size 0.12 or --table sizes.csv."
            )
        network = load_head_model(home("04", model))
        gate = None if any_plane else load_head_gate()
        counts = write_predictions(paths, network, sizes, out, overlays, gate)
    _say(counts, out)


@app.command("ga", cls=Explained)
def predict_ga(
    scans: Annotated[
        list[Path],
        typer.Argument(help="T2 volumes (NIfTI), slices as pictures, or folders of them."),
    ],
    model: Annotated[str, model_option("01")] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("gestational_age.csv"),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures of what was looked at.")
    ] = None,
) -> None:
    """Tell the gestational age of fetal brains on T2 MRI, masked to the brain, in days.

    Each scan gets days, weeks and days, and an interval; or the reason why it was declined:
    no fetal brain, or outside 19 to 39 weeks. A mask NAME_mask.nii.gz beside a volume is
    taken. Research use only, not for clinical decisions.
    """
    from fetal_lib.predict.gestational_age import write_ages
    from fetal_lib.predict.gestational_age_cases import list_cases
    from fetal_lib.predict.gestational_age_model import load_ga_model

    with errors_in_a_sentence("predict ga"):
        counts = write_ages(list_cases(scans), load_ga_model(home("01", model)), out, pictures)
    _say(counts, out)


@app.command("anomaly", cls=Explained)
def predict_anomaly(
    images: Annotated[list[Path], typer.Argument(help="Scans, or folders of scans.")],
    model: Annotated[str, model_option("02")] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("brain_anomalies.csv"),
    pixel_size: PixelSize = "",
    table: Annotated[
        Path | None, typer.Option(help="CSV: filename, pixel size(mm); for scans that differ.")
    ] = None,
    any_plane: AnyPlane = False,
) -> None:
    """Name the class of fetal brain, of sixteen, on ultrasound scans.

    Each scan gets its class with a calibrated confidence, the runners-up, a set of classes
    with a promised coverage, or the reason why the model does not know. Some classes are widths
    in millimetres: with a pixel size the network is shown a scale bar. Research use only, not
    for clinical decisions.
    """
    from fetal_lib.predict.anomaly import write_answers
    from fetal_lib.predict.anomaly_model import load_anomaly_model
    from fetal_lib.predict.head_gate import load_head_gate
    from fetal_lib.predict.pixel_sizes import given_sizes
    from fetal_lib.predict.scans import list_images

    with errors_in_a_sentence("predict anomaly"):
        sizes, paths = given_sizes(pixel_size, table), list_images(images)
        gate = None if any_plane else load_head_gate()
        counts = write_answers(paths, load_anomaly_model(home("02", model)), out, sizes, gate)
    _say(counts, out)


@app.command("brain-age", cls=Explained)
def predict_brain_age(
    scans: Annotated[
        list[Path] | None, typer.Argument(help="T1 scans (NIfTI), or folders of scans.")
    ] = None,
    model: Annotated[str, model_option("05")] = "",
    ages: Annotated[
        Path | None, typer.Option(help="CSV with scan and age: known ages, for centiles.")
    ] = None,
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("brain_age.csv"),
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    self_test: SelfTest = False,
) -> None:
    """Tell the age of adult brains on T1 MRI, stripped and in MNI space.

    Each scan gets an age with an interval, its tissue volumes, and their centiles where the
    person's age is known; or the reason why it was declined. Research use only, not for
    clinical decisions.
    """
    from fetal_lib.predict.age_model import load_age_model
    from fetal_lib.predict.brain_age import list_scans, read_age, read_known_ages, write_ages

    with errors_in_a_sentence("predict brain-age"):
        paths = [] if self_test else list_scans(scans or [])
        known = {} if ages is None else read_known_ages(ages)
        loaded = load_age_model(folder := home("05", model))
        check_model(folder, lambda path: read_age(path, loaded).age_years, self_test)
        counts = write_ages(paths, loaded, out, known, pictures)
    _say(counts, out)


def _say(counts: dict[str, int], out: Path) -> None:
    typer.echo(", ".join(f"{n} {status}" for status, n in counts.items()) + f": {out}")
    if not next(iter(counts.values())):
        typer.echo("no scan got a number; the column reason says why", err=True)
        raise typer.Exit(NOTHING)
