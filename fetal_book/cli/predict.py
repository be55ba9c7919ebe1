"""``fetal-lib predict``: a trained model on a user's files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fetal_book.cli.pieces import at_once, in_pieces
from fetal_book.cli.raw_stacks import RawStacks, stack_writer
from fetal_book.cli.terminal import errors_in_a_sentence
from fetal_lib.growth.bpd_convention import CONVENTIONS, OUTER_OUTER, check_convention
from fetal_lib.predict.columns import COLUMNS, EXIT_CODES

NOTHING = 3
FORMATS = ("table", "hc18")
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
SizeTable = Annotated[
    Path | None,
    typer.Option(help="CSV: filename, pixel size(mm), and optionally ga_days (for centiles)."),
]
Scans = Annotated[list[Path], typer.Argument(help="Scans, or folders of scans.")]
Pictures = Annotated[Path | None, typer.Option(help="Folder for pictures.")]
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
    from fetal_book.parameters.project import passed_tests
    from fetal_lib.predict.self_test import first_use, self_test

    if only:
        typer.echo(self_test(model, answer))
        raise typer.Exit
    if words := first_use(model, answer, passed_tests()):
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
    images: Scans,
    pixel_size: PixelSize = "",
    table: SizeTable = None,
    model: Annotated[str, model_option("04", "; without it the shipped model")] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("head_circumference.csv"),
    overlays: Pictures = None,
    any_plane: AnyPlane = False,
    table_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="hc18: the ellipses, as the HC18 challenge takes them; what is no head is not "
            "declined, and a scan without an ellipse is left out.",
        ),
    ] = FORMATS[0],
    convention: Annotated[
        str,
        typer.Option(
            metavar="|".join(CONVENTIONS),
            help="Where the callipers of a head are set; outer-inner is answered by the shipped "
            "model of predict biometry, which has a licence of its own, without an age.",
        ),
    ] = OUTER_OUTER,
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
        if table_format not in FORMATS:
            raise ValueError(
                f"format: received {table_format!r}; it must be {' or '.join(FORMATS)}."
            )
        sizes, paths = given_sizes(pixel_size, table), list_images(images)
        sizes.check_any(paths)
        check_convention(convention)
        folder = home("04", model) if model or convention == OUTER_OUTER else None
        network = load_head_model(folder, convention)
        is_hc18 = table_format == "hc18"
        gate = None if any_plane or is_hc18 else load_head_gate()
        own = {"model": network, "sizes": sizes, "gate": gate, "as_submission": is_hc18}
        write = partial(write_predictions, **own, overlays=overlays)
        words = (pixel_size, str(overlays), any_plane, table_format, convention)
        counts = in_pieces(write, paths, out, (folder, table, *words))
    _say(counts, out)
    if convention != OUTER_OUTER:
        _say_licence(network.spec.licence)


@app.command("biometry", cls=Explained)
def predict_biometry(
    images: Scans,
    pixel_size: PixelSize = "",
    table: SizeTable = None,
    exam: Annotated[
        Path | None,
        typer.Option(
            help="CSV: image, exam, and optionally ga_days: which images are of one examination. "
            "Without it DICOM files of one study are, and every other image is alone."
        ),
    ] = None,
    convention: Annotated[
        str,
        typer.Option(
            metavar="|".join(CONVENTIONS), help="Where the callipers of a head's BPD are set."
        ),
    ] = OUTER_OUTER,
    model: Annotated[
        str, typer.Option(metavar="FOLDER", help="Of another biometry model than the shipped.")
    ] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("biometry.csv"),
    overlays: Pictures = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Page to write (HTML, prints well): each examination's sizes, ages, weights, "
            "centiles, ratios and pictures. With --exam it is written beside the table."
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="The same for machines, to write.")
    ] = None,
    dicom_sr: Annotated[
        Path | None,
        typer.Option(help="Folder for a DICOM Structured Report (TID 5000) an examination."),
    ] = None,
) -> None:
    """Measure fetal biometry in millimetres on ultrasound scans: BPD, OFD, HC, TAD, APAD, AC, FL.

    Each scan is recognised as head, abdomen, femur or none of them, and measured with intervals,
    or declined with the reason. Images of one examination give a report: ages by each size and
    together, weight, ratios and, at a known age, centiles. Research use only, not for clinical
    decisions.
    """
    from fetal_lib.predict.biometry import write_biometry
    from fetal_lib.predict.biometry_model import BiometryModel
    from fetal_lib.predict.examination_report import Reports, about
    from fetal_lib.predict.pixel_sizes import given_sizes
    from fetal_lib.predict.plane import PlaneRecogniser
    from fetal_lib.predict.scans import list_images
    from fetal_lib.predict.visits import read_visits, visits

    with errors_in_a_sentence("predict biometry"):
        check_convention(convention)
        sizes, paths = given_sizes(pixel_size, table), list_images(images)
        groups = visits(paths, read_visits(exam) if exam else None, sizes.ga_days)
        sizes.check_any(paths)
        network = BiometryModel.load(model or None)
        if exam and not report:
            report = out.with_suffix(".html")
        facts = about(network.spec, convention)
        with Reports(groups, facts, report, json_file, dicom_sr) as reports:
            own = {"planes": PlaneRecogniser.load(), "sizes": sizes, "convention": convention}
            own |= {"model": network, "overlays": overlays, "also": reports.add}
            # A report needs every scan's pictures and sizes at hand: it is written at one go.
            step = at_once if report or json_file or dicom_sr else in_pieces
            words = (model and Path(model), table, pixel_size, str(overlays), convention)
            counts = step(partial(write_biometry, **own), paths, out, words)
        for problem in reports.problems:
            typer.echo(problem, err=True)
    _say(counts, out)
    _say_licence(network.spec.licence)


@app.command("ga", cls=Explained)
def predict_ga(
    scans: Annotated[
        list[Path] | None,
        typer.Argument(help="Volumes (NIfTI), slices as pictures, or folders of them."),
    ] = None,
    model: Annotated[str, model_option("01", "; without it the shipped model")] = "",
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("gestational_age.csv"),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures of what was looked at.")
    ] = None,
    raw_stacks: RawStacks = False,
    self_test: SelfTest = False,
) -> None:
    """Tell the gestational age of fetal brains on MRI, in days.

    Each scan gets days, weeks and days, and an interval; or the reason why it was declined:
    no fetal brain, or outside 19 to 39 weeks. The shipped model takes volumes of any contrast;
    a run's model takes T2 masked to the brain, or pictures of three planes. A mask
    NAME_mask.nii.gz beside a volume is taken; without one, a brain among skull and womb is
    mostly declined, but in stacks with --raw-stacks. Research use only, not for clinical decisions.
    """
    from fetal_lib.predict.gestational_age import sample_days, write_ages
    from fetal_lib.predict.gestational_age_cases import list_cases
    from fetal_lib.predict.gestational_age_model import load_ga_model

    with errors_in_a_sentence("predict ga"):
        cases = [] if self_test else list_cases(scans or [])
        loaded = load_ga_model(folder := home("01", model))
        alone = self_test and not raw_stacks
        check_model(folder, lambda path: sample_days(path, loaded), alone)
        write = partial(write_ages, model=loaded, pictures=pictures)
        if raw_stacks:
            check = partial(check_model, only=self_test)
            write, cases = stack_writer(cases, loaded, pictures, check)
        rests_on = (folder, str(pictures), raw_stacks, *(scans or []))
        counts = in_pieces(write, cases, out, rests_on)
    _say(counts, out)


@app.command("anomaly", cls=Explained)
def predict_anomaly(
    images: Scans,
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
        loaded = load_anomaly_model(folder := home("02", model))
        write = partial(write_answers, model=loaded, sizes=sizes, gate=gate)
        counts = in_pieces(write, paths, out, (folder, table, pixel_size, any_plane))
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
    pictures: Pictures = None,
    self_test: SelfTest = False,
) -> None:
    """Tell the age of adult brains on T1 MRI, stripped and in MNI space.

    Each scan gets an age with an interval, its tissue volumes, and their centiles where the
    person's age is known; or the reason why it was declined. Research use only, not for
    clinical decisions.
    """
    from fetal_lib.predict.age_model import load_age_model
    from fetal_lib.predict.brain_age import list_scans, read_known_ages, sample_years, write_ages

    with errors_in_a_sentence("predict brain-age"):
        paths = [] if self_test else list_scans(scans or [])
        known = {} if ages is None else read_known_ages(ages)
        loaded = load_age_model(folder := home("05", model))
        check_model(folder, lambda path: sample_years(path, loaded), self_test)
        write = partial(write_ages, model=loaded, known_ages=known, pictures=pictures)
        counts = in_pieces(write, paths, out, (folder, ages, str(pictures)))
    _say(counts, out)


def _say_licence(licence: str) -> None:
    if licence:
        typer.echo(f"the model's licence: {licence}")


def _say(counts: dict[str, int], out: Path) -> None:
    typer.echo(", ".join(f"{n} {status}" for status, n in counts.items()) + f": {out}")
    if not next(iter(counts.values())):
        typer.echo("no scan got a number; the column reason says why", err=True)
        raise typer.Exit(NOTHING)
