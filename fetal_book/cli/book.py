"""``fetal-lib book``: bring the site up to date; people call ``build``, the workflow the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fetal_book.parameters.project import project_root

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Run the chapters that changed and build the site.",
)


@app.command()
def build(
    profile: Annotated[
        str, typer.Option(help="Size of the chapters' runs: smoke, quick, long or full.")
    ] = "quick",
    data: Annotated[str, typer.Option(help="phantom, a data set's name, or a folder.")] = "phantom",
    cores: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    gpu: Annotated[
        int, typer.Option(min=0, help="Chapters on the graphics card at once; 0: none.")
    ] = 0,
    workflow_profile: Annotated[
        str, typer.Option(help="Folder under workflow/profiles.")
    ] = "local",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would run and why, and stop.")
    ] = False,
) -> None:
    """Run every chapter whose code, text, profile or data changed, then build book/_build/html."""
    from fetal_book.cli.terminal import table_lines
    from fetal_book.parameters.base import PROFILES, ChapterParameters
    from fetal_book.parameters.parse import anchor_paths
    from fetal_book.runs.data_sets import chapter_data, check_data
    from fetal_book.site.jobs import book_chapters, run_folder
    from fetal_book.site.launch import run_workflow, snakemake_command, wait_for_orphans
    from fetal_book.site.plan import build_plan

    if profile not in PROFILES:
        raise typer.BadParameter(f"received {profile!r}; it must be one of {', '.join(PROFILES)}")
    root = project_root()
    data = anchor_paths(ChapterParameters, {"data": data}, root)["data"]
    check_data(ChapterParameters.check({"data": data}))
    command = snakemake_command(
        root, profile=profile, data=data, cores=cores, workflow_profile=workflow_profile, gpu=gpu
    )
    chapters = book_chapters(root)
    if others := [name for name in chapters if chapter_data(name, data) != data]:
        typer.echo(f"{data} is no data set of {', '.join(others)}; they run on phantoms")
    if dry_run:
        typer.echo("\n".join(table_lines(build_plan(root, command, profile, data))))
        return
    wait_for_orphans(root, [run_folder(root, chapter) for chapter in chapters])
    run_workflow(root, root, command)


@app.command(hidden=True)
def stage(chapter: Annotated[str, typer.Argument(help="A chapter of the book.")]) -> None:
    """Copy the book's run of a chapter to where the site is built from."""
    from fetal_book.runs.stage import stage_chapter
    from fetal_book.site.jobs import run_folder

    root = project_root()
    page = stage_chapter(run_folder(root, chapter), root / "book")
    typer.echo(f"staged {page.name}")


@app.command(hidden=True)
def results() -> None:
    """Write the merged results as a table and as pages."""
    from fetal_book.site.claims_page import write_claims
    from fetal_book.site.external_page import write_external
    from fetal_book.site.first_page import write_first_page
    from fetal_book.site.jobs import book_chapters
    from fetal_book.site.reference_part import write_reference_parts
    from fetal_book.site.reliability import write_reliability
    from fetal_book.site.results_page import write_results
    from fetal_book.site.speed_page import write_speed
    from fetal_book.site.time_page import write_times

    root = project_root()
    chapters = book_chapters(root)
    for write in (write_results, write_claims, write_external, write_times, write_first_page):
        write(root, chapters)
    write_reference_parts(root, chapters)
    write_reliability(root)
    write_speed(root)


@app.command(hidden=True)
def sizes() -> None:
    """Write the page of what size buys."""
    from fetal_book.site.jobs import book_chapters
    from fetal_book.site.size_page import write_sizes

    root = project_root()
    write_sizes(root, book_chapters(root))


@app.command(hidden=True)
def status() -> None:
    """Write the status page."""
    from fetal_book.runs.status import write_status_page

    write_status_page(project_root() / "book" / "generated" / "status.md")


@app.command(hidden=True)
def phantoms() -> None:
    """Draw the pictures of the page on phantoms."""
    from fetal_book.site.phantom_gallery import write_gallery

    write_gallery(project_root() / "book" / "generated" / "phantoms")


@app.command("try-it", hidden=True)
def try_it() -> None:
    """Make the page that measures in the browser, or one that says what is missing."""
    from fetal_book.site.try_it import write_try_it

    missing = write_try_it(project_root())
    typer.echo(f"without the measurement: {missing}" if missing else "book/generated/try_it.md")


@app.command(hidden=True)
def cards() -> None:
    """Write model cards, data sheets, checklists and what the columns of predictions mean."""
    from fetal_book.site.cards import write_model_cards
    from fetal_book.site.checklists import write_checklists
    from fetal_book.site.data_sheets import write_data_sheets
    from fetal_book.site.jobs import book_chapters
    from fetal_book.site.predict_columns import write_predict_columns

    root = project_root()
    made = (write_model_cards, write_data_sheets, write_checklists, write_predict_columns)
    for write in made:
        write(root, book_chapters(root))


@app.command(hidden=True)
def contents() -> None:
    """Write the table of contents and the table of chapters, of what exists."""
    from fetal_book.site.contents import write_contents
    from fetal_book.site.jobs import book_chapters

    root = project_root()
    pages = root / "book" / "notebooks"
    write_contents(root, [one for one in book_chapters(root) if (pages / f"{one}.ipynb").exists()])


@app.command(hidden=True)
def site() -> None:
    """Build and check the site from what is staged; tell of pages that load much."""
    from fetal_book.site.site import build_site

    pages, heavy = build_site(project_root())
    for line in heavy:
        typer.echo(f"note: {line}", err=True)
    typer.echo(f"{pages} pages: open book/_build/html/index.html")


@app.command()
def check(
    external: Annotated[
        bool, typer.Option("--external", help="Also ask every address outside the site.")
    ] = False,
) -> None:
    """Check the built site: links, alternative texts, weight of its pages."""
    from fetal_book.site.reading_checks import dead_links
    from fetal_book.site.site import built_problems

    root = project_root()
    problems = built_problems(root)
    problems += dead_links(root / "book" / "_build" / "html") if external else []
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    typer.echo("the site is sound")


@app.command()
def pdf(
    out: Annotated[
        Path | None, typer.Option(help="The PDF; default: book/_build/compendium.pdf.")
    ] = None,
) -> None:
    """Print the built book to PDF, with an installed Chromium or Chrome."""
    from fetal_book.site.pdf import print_book

    build = project_root() / "book" / "_build"
    path = print_book(build / "html", (out or build / "compendium.pdf").resolve())
    typer.echo(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


@app.command()
def slides(
    chapter: Annotated[str, typer.Argument(help="A chapter of the book, its number will do.")],
    out: Annotated[
        Path | None, typer.Option(help="HTML; default: book/_build/slides/CHAPTER.html.")
    ] = None,
) -> None:
    """Make slides of a chapter: its reference runs, then the book's run; text as notes."""
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.site.jobs import run_folder
    from fetal_book.site.slides import write_slides

    root, name = project_root(), get_chapter(chapter).name
    target = out or root / "book" / "_build" / "slides" / f"{name}.html"
    path = write_slides(run_folder(root, name), name, target.resolve())
    typer.echo(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    name: Annotated[str, typer.Argument(help="Name of the reference run, such as hc18-quick.")],
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A figure or table that stays behind; repeat."),
    ] = None,
    as_before: Annotated[
        bool,
        typer.Option("--as-before", help="Keep only what the run of that name holds already."),
    ] = False,
) -> None:
    """Keep a run's record, results, tables and figures as a reference run of the book."""
    from fetal_book.runs.published import publish as keep
    from fetal_book.runs.reference import publish_again

    if as_before:
        behind = publish_again(run, name)
        typer.echo(f"published as {name}{', without ' + ', '.join(behind) if behind else ''}")
        return
    folder = keep(run, name, without or [])
    typer.echo(f"published as {folder.parent.name}/{folder.name}")


@app.command()
def recompute() -> None:
    """Compute the scores of the reference runs anew from their published cases, and compare."""
    from fetal_book.parameters.chapters import CHAPTERS
    from fetal_book.runs.recompute import recompute_all

    wrong = 0
    for run, scores in recompute_all(list(CHAPTERS)).items():
        off = [one for one in scores if not one.same]
        wrong += len(off)
        told = f"{len(scores)} scores, {len(off)} differ" if scores else "no table of its cases"
        typer.echo(f"{run}: {told}")
        for one in off:
            typer.echo(f"  {one.model} {one.metric}: {one.printed}, again {one.again:.6g}")
    if wrong:
        raise typer.Exit(1)


@app.command()
def reference(
    data_root: Annotated[Path, typer.Option(help="Folder that holds the data sets by name.")],
    every: Annotated[
        bool, typer.Option("--all", help="Also those that today's code has made.")
    ] = False,
    cores: Annotated[int, typer.Option(min=1, help="Processor cores to use.")] = 2,
    gpu: Annotated[int, typer.Option(min=0, help="Runs on the graphics card at once.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and stop.")] = False,
) -> None:
    """Make the reference runs anew that older code made, each by the command of its record."""
    import os

    from fetal_book.parameters.project import runs_root
    from fetal_book.runs.reference import reference_runs
    from fetal_book.site.launch import reference_command, run_workflow

    os.environ["FETAL_DATA"] = str(data_root.expanduser().resolve())
    wanted = []
    for run in reference_runs():
        what = run.command
        if not run.older_because and not every:
            what = "stands"
        elif run.lacking:
            what = f"left out: {', '.join(run.lacking)} is not in {data_root}"
        elif what:
            wanted.append(f"{run.chapter}.{run.name}")
        typer.echo(f"{run.chapter}/{run.name}: {what or 'left out: the chapter has changed'}")
    if dry_run or not wanted:
        return
    root, out = project_root(), runs_root() / "reference"
    for name in wanted:
        (out / ".done" / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    run_workflow(root, out, reference_command(root, wanted, out, cores, gpu))


@app.command()
def external(
    model: Annotated[str, typer.Argument(help="A shipped model, such as head_circumference.")],
    data_root: Annotated[Path, typer.Option(help="Folder that holds the data sets by name.")],
) -> None:
    """Score a shipped model on the real sets that it did not learn from; write external.csv."""
    from fetal_book.chapters.shipped_elsewhere import score_shipped

    path = score_shipped(model, data_root.expanduser())
    typer.echo(path.read_text("utf-8") if path else f"{model}: no set to score it on is at hand")


@app.command()
def contract(
    model: Annotated[str, typer.Argument(help="A shipped model, such as head_circumference.")],
    what: Annotated[str, typer.Argument(help="What changes for who uses it, a sentence.")],
) -> None:
    """Note a new version of a shipped model in its contract, once its files have changed."""
    from fetal_lib.predict.contract import renew_contract
    from fetal_lib.predict.model_folder import PRETRAINED

    typer.echo(f"{model}: version {renew_contract(PRETRAINED / model, what).version}")


@app.command()
def release(
    out: Annotated[Path | None, typer.Option(help="Folder; default: dist/ of the project.")] = None,
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Even if files differ from the commit.")
    ] = False,
) -> None:
    """Pack the built site with its manifest, sums, citation and Zenodo metadata."""
    from fetal_book.site.release import make_release

    root = project_root()
    for path in make_release(root, out or root / "dist", allow_dirty=dirty):
        typer.echo(f"{path.stat().st_size / 1e6:8.2f} MB  {path.parent.name}/{path.name}")
