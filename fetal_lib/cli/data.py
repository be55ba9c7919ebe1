"""Commands of `fetal-lib data`: list, show, fetch, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Public data sets: list, show, fetch, verify.")


def _fail(error: Exception) -> typer.Exit:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    return typer.Exit(1)


@app.command("list")
def list_sets() -> None:
    """List the data sets that have a manifest."""
    from fetal_lib.data.manifest import ManifestError, load_manifest, manifest_names

    try:
        for name in manifest_names():
            manifest = load_manifest(name)
            size_mb = sum(file.bytes for file in manifest.files) / 1e6
            typer.echo(
                f"{name:<16} {manifest.access:<13} {manifest.licence:<12} "
                f"{size_mb:7.0f} MB  {manifest.title}"
            )
    except ManifestError as error:
        raise _fail(error) from error


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the data set, e.g. hc18.")]) -> None:
    """Show what a data set is: licence, citation, files, layout, known problems."""
    from fetal_lib.data.manifest import ManifestError, load_manifest

    try:
        manifest = load_manifest(name)
    except ManifestError as error:
        raise _fail(error) from error
    for field in ("title", "version", "doi", "url", "licence", "citation", "access"):
        typer.echo(f"{field + ':':<10} {getattr(manifest, field)}")
    typer.echo("files:")
    for file in manifest.files:
        typer.echo(f"  {file.name}  {file.bytes} bytes  md5 {file.md5}")
    typer.echo("layout:")
    typer.echo("\n".join(f"  {line}" for line in manifest.layout.splitlines()))
    typer.echo(f"subjects:  {manifest.subject_rule}")
    typer.echo("known problems:")
    for problem in manifest.known_problems:
        typer.echo(f"  - {problem}")
    if manifest.how_to.strip():
        typer.echo(f"by hand:   {manifest.how_to.strip()}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    to: Annotated[Path | None, typer.Option(help="Folder; default FETAL_DATA/NAME.")] = None,
    only: Annotated[str | None, typer.Option(help="Fetch this one file.")] = None,
) -> None:
    """Fetch a data set, check its checksums, unpack it. Goes on where it was broken off."""
    from fetal_lib.data.fetch import FetchError, fetch_dataset
    from fetal_lib.data.manifest import ManifestError, load_manifest

    try:
        folder = fetch_dataset(load_manifest(name), to, only, say=typer.echo)
    except (FetchError, ManifestError, ValueError, OSError) as error:
        raise _fail(error) from error
    typer.echo(f"{name} is in {folder}")


def _verify(target: str):
    """Return the report on a folder, or on a named data set under FETAL_DATA."""
    from dataclasses import replace

    from fetal_lib.data.manifest import data_folder, load_manifest, manifest_names
    from fetal_lib.data.verify import verify_files, verify_heads

    if Path(target).is_dir() or target not in manifest_names():
        if not Path(target).is_dir() and "/" not in target and "\\" not in target:
            load_manifest(target)  # says which names there are
        return verify_heads(target)
    folder = data_folder(target)
    report = verify_heads(folder)
    published = tuple(verify_files(load_manifest(target), folder))
    known = {(problem.file, problem.kind) for problem in published}
    others = tuple(item for item in report.problems if (item.file, item.kind) not in known)
    return replace(report, problems=published + others)


@app.command()
def verify(
    target: Annotated[str, typer.Argument(help="Name of a data set, or a folder in its layout.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check a folder and list all problems; exit code 1 where there is one."""
    from fetal_lib.data.manifest import ManifestError

    try:
        report = _verify(target)
    except (ManifestError, OSError) as error:
        raise _fail(error) from error
    if as_json:
        typer.echo(json.dumps(report.as_dict(), indent=1))
    else:
        for problem in report.problems:
            typer.echo(f"{problem.file:<28} {problem.kind:<18} {problem.message}")
        typer.echo(report.summary())
    if not report.ok:
        raise typer.Exit(1)
