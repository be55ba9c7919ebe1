"""``fetal-lib size``: the sources' networks at their published size, trained in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fetal_book.parameters.project import project_root

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Measure, train and score the sources' networks at their published size.",
)
Records = Annotated[
    Path | None, typer.Option(help="Folder of the small records; default: book/published_size.")
]


def _folder(records: Path | None) -> Path:
    from fetal_book.published_size.record import FOLDER

    folder = (records or project_root() / FOLDER).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@app.command()
def steps(
    network: Annotated[
        list[str] | None, typer.Argument(help="Networks; default: all of the sources.")
    ] = None,
    records: Records = None,
) -> None:
    """Measure a training step of each network, by size and precision; add it to steps.csv."""
    from fetal_book.published_size.networks import NETWORKS
    from fetal_book.published_size.steps import measure_all

    names = network or [name for name, one in NETWORKS.items() if not one.variant_of]
    measure_all(_folder(records), names, typer.echo)


@app.command()
def train(
    network: Annotated[str, typer.Argument(help="A network, such as unext.")],
    seconds: Annotated[float, typer.Option(help="Of this sitting; one epoch at least.")] = 600,
    hours: Annotated[float, typer.Option(help="Of one core, for all sittings together.")] = 12,
    data: Annotated[str, typer.Option(help="A data set; default: the network's own.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Of the chapter; repeat."),
    ] = None,
    records: Records = None,
) -> None:
    """Train one network for a sitting and keep its record; the next call goes on.

    The hours set how many of the source's epochs a new training has. Once all are done, the network
    is scored on the test part of its chapter, once.
    """
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.parameters.parse import parse_assignments
    from fetal_book.published_size.networks import get_network
    from fetal_book.published_size.train import train_piece

    chapter = get_chapter(get_network(network).chapter)
    values = parse_assignments(chapter.parameters_class(), parameter or [])
    record = train_piece(network, _folder(records), seconds, hours, data, values)
    typer.echo(f"{network}: {record.done} of {record.epochs} epochs, {record.state}")
    typer.echo(record.because)
    for row in record.scores:
        typer.echo(f"{row['model']} {row['metric']} {row['value']:.4g} {row['ci95']} n={row['n']}")


@app.command()
def pack(
    out: Annotated[Path, typer.Argument(help="The archive to write, such as heads.tar.gz.")],
    network: Annotated[list[str], typer.Argument(help="Networks of one chapter.")],
    hours: Annotated[float, typer.Option(help="Of one core or the card, for each network.")] = 12,
    data: Annotated[str, typer.Option(help="A data set; default: the networks' own.")] = "",
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Of the chapter; repeat."),
    ] = None,
) -> None:
    """Pack code, data and a script for another machine, at most 64 MiB; its start.sh trains."""
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.parameters.parse import parse_assignments
    from fetal_book.published_size.networks import get_network
    from fetal_book.published_size.pack import pack as pack_archive

    chapter = get_chapter(get_network(network[0]).chapter)
    values = parse_assignments(chapter.parameters_class(), parameter or [])
    path = pack_archive(out.resolve(), project_root(), network, hours, data, values)
    typer.echo(f"{path.stat().st_size / 2**20:8.2f} MiB  {path.name}")
