"""Commands of `fetal-lib data`: list, show, fetch, verify, convert, audit.

Exit codes: 0 done, 1 a problem was found or something failed, 3 there are steps to do by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fetal_book.cli.data_convert import convert
from fetal_book.cli.data_report import chapters_line, print_kinds, write_problems
from fetal_book.cli.terminal import errors_in_a_sentence, progress_bar, table_lines

if TYPE_CHECKING:
    from fetal_lib.data.fetch import AccessError
    from fetal_lib.data.manifest import Manifest

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Data sets: list, show, fetch, verify, convert, audit.",
)
BY_HAND = 3
FIELDS = ("title", "kind", "version", "doi", "url", "licence", "citation", "access")
Json = Annotated[bool, typer.Option("--json", help="Print plain JSON.")]
Target = Annotated[str, typer.Argument(help="Name of a data set, or a folder.")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="Layout; default: told from it.")]


def _print_table(rows: list[tuple[str, ...]], indent: str = "") -> None:
    typer.echo("\n".join(table_lines(rows, indent)))


def _size(n_bytes: int | str) -> str:
    return n_bytes if isinstance(n_bytes, str) else f"{n_bytes} bytes"


@app.command("list")
def list_sets(
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the book's table.")] = False,
) -> None:
    """List the data sets that have a manifest, and the layouts for your own data."""
    from fetal_lib.data.catalogue import load_manifest, manifest_names
    from fetal_lib.errors import short

    with errors_in_a_sentence("data list", status=1):
        manifests = [load_manifest(name) for name in manifest_names()]
    manifests.sort(key=lambda item: (item.access == "own", item.name))
    if as_json:
        typer.echo(json.dumps([item.model_dump(mode="json") for item in manifests], indent=1))
        return
    if markdown:
        from fetal_lib.data.listing import markdown_table

        typer.echo(markdown_table(manifests))
        return
    rows = [("name", "kind", "access", "chapters", "licence", "title")]
    for item in manifests:
        chapters = " ".join(chapter[:2] for chapter in item.chapters) or "none"
        licence = item.licence.split(";")[0].split(" as declared")[0]
        rows.append((item.name, item.kind, item.access, chapters, short(licence, 36), item.title))
    _print_table(rows)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the data set, e.g. hc18.")],
    as_json: Json = False,
) -> None:
    """Show what a data set is: licence, citation, files, layout, known problems."""
    from fetal_lib.data.catalogue import load_manifest

    with errors_in_a_sentence("data show", status=1):
        manifest = load_manifest(name)
    if as_json:
        typer.echo(json.dumps(manifest.model_dump(mode="json"), indent=1))
        return
    _print_table([(f"{field}:", getattr(manifest, field)) for field in FIELDS])
    typer.echo(f"chapters:  {', '.join(manifest.chapters) or 'none yet'}")
    typer.echo("files:" if manifest.files else "files:     none listed")
    for file in manifest.files:
        sums = f"md5 {file.md5}  sha256 {file.sha256}"
        typer.echo(f"  {file.name}  {_size(file.bytes)}  {sums}")
    typer.echo(f"layout ({manifest.verifier}):")
    typer.echo("\n".join(f"  {line}" for line in manifest.layout.splitlines()))
    _show_pairs("columns:", manifest.columns)
    _show_pairs("class names:", manifest.class_names)
    typer.echo(f"subjects:  {manifest.subject_rule}")
    typer.echo(f"splits:    {manifest.splits}")
    _show_lines("known problems:", manifest.known_problems)
    _show_lines("by hand:", manifest.how_to)


def _show_pairs(title: str, pairs: dict[str, str]) -> None:
    if pairs:
        typer.echo(title)
        _print_table(list(pairs.items()), indent="  ")


def _show_lines(title: str, lines: tuple[str, ...]) -> None:
    if lines:
        typer.echo("\n".join([title, *(f"  - {line}" for line in lines)]))


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    to: Annotated[Path | None, typer.Option(help="Folder; default FETAL_DATA/NAME.")] = None,
    only: Annotated[str | None, typer.Option(help="Fetch this one file.")] = None,
) -> None:
    """Fetch a data set, check its checksums, unpack it. Goes on where it was broken off.

    Exit code 3: it cannot be fetched for you; the table says what to do by hand.
    """
    from fetal_lib.data.catalogue import load_manifest
    from fetal_lib.data.fetch import AccessError, fetch_dataset

    with errors_in_a_sentence("data fetch", status=1):
        manifest = load_manifest(name)
        try:
            folder = fetch_dataset(manifest, to, only, say=typer.echo)
        except AccessError as error:
            _print_steps(manifest, error)
            raise typer.Exit(BY_HAND) from None
    typer.echo(f"{name} is in {folder}")
    _show_lines("still to do by hand:", manifest.how_to)


def _print_steps(manifest: Manifest, error: AccessError) -> None:
    """Print why a data set cannot be fetched, and what to do by hand."""
    typer.echo(f"{manifest.name}: {error.reason}.")
    typer.echo(f"licence:   {manifest.licence}\npage:      {manifest.url}\n")
    steps = [(str(number), step) for number, step in enumerate(error.steps, start=1)]
    _print_table([("step", "what to do"), *steps])
    place = "FOLDER" if manifest.access == "own" else manifest.name
    typer.echo(f"\nThen check it: fetal-lib data verify {place}")


def _target(target: str) -> tuple[Path, Manifest | None]:
    """Return the folder that is named, and the manifest where a data set is named.

    Raises
    ------
    ManifestError
        If there is neither a folder nor a data set of that name; the message lists all sets.
    """
    from fetal_book.runs.data_sets import find_data
    from fetal_lib.data.catalogue import data_folder, load_manifest, manifest_names
    from fetal_lib.data.manifest import ManifestError

    found = find_data(target)
    if found is None and ("/" in target or "\\" in target):
        return Path(target).expanduser(), None
    if found is not None and target not in manifest_names():
        return found, None
    try:
        manifest = load_manifest(target)
    except ManifestError as error:
        raise ManifestError(f"{target} is no folder here, and {error}") from error
    return found or data_folder(target), manifest


@app.command()
def verify(
    target: Target,
    layout: LayoutName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the whole list here; default NAME-problems.csv, where it is long."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a folder: a line a kind of problem, the whole list in a file.

    Exit code 1: there is a problem.
    """
    from fetal_lib.data.verify import verify_folder

    with errors_in_a_sentence("data verify", status=1), progress_bar("verify") as progress:
        folder, manifest = _target(target)
        report = verify_folder(folder, manifest, layout, progress)
        if as_json:
            typer.echo(json.dumps(report.as_dict(), indent=1))
        else:
            print_kinds(report)
            typer.echo(chapters_line(report))
        if out is not None or not (as_json or report.is_short):
            typer.echo(f"the whole list: {write_problems(report, out)}", err=as_json)
    if not report.ok:
        raise typer.Exit(1)


app.command()(convert)


@app.command()
def audit(
    target: Target,
    layout: LayoutName = None,
    out: Annotated[Path | None, typer.Option(help="Write tables and figure here.")] = None,
    images: Annotated[bool, typer.Option(help="Look at the pictures, not only the table.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the small models.")] = 0,
    as_json: Json = False,
) -> None:
    """Look for what lets a model cheat: duplicates, torn groups, labels that leak.

    Exit code 1: a leak was found.
    """
    from fetal_book.cli.data_audit import audit_folder, print_report, report_as_dict, write_report
    from fetal_lib.data.verify import choose_layout

    with errors_in_a_sentence("data audit", status=1):
        folder, manifest = _target(target)
        report = audit_folder(folder, choose_layout(folder, manifest, layout), images, seed)
        if out is not None:
            write_report(report, out)
    if as_json:
        typer.echo(json.dumps(report_as_dict(report), indent=1))
    else:
        print_report(report, _print_table)
    if report.verdict == "leak":
        raise typer.Exit(1)
