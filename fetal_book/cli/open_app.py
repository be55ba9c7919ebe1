"""``fetal-lib app``: the trained models as a page in the browser."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)
RUN = "Folder of a finished run; without it the newest, real data before phantoms."


@app.command()
def app_command(
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other computers in.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="A free one from 7860 on without it.")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Open a tunnel by Gradio's servers: anyone gets in.")
    ] = False,
    model_anomaly: Annotated[
        str | None, typer.Option(metavar="RUN", help=f"Chapter 02. {RUN}")
    ] = None,
    model_hc: Annotated[str | None, typer.Option(metavar="RUN", help=f"Chapter 04. {RUN}")] = None,
    model_ga: Annotated[str | None, typer.Option(metavar="RUN", help=f"Chapter 01. {RUN}")] = None,
    model_brain_age: Annotated[
        str | None, typer.Option(metavar="RUN", help=f"Chapter 05. {RUN}")
    ] = None,
) -> None:
    """Open a page in the browser: drop a scan, see what a trained model says.

    Brain anomaly, head circumference, biometry of an examination, gestational age from MRI and
    adult brain age. Uploads are deleted when they have been answered. Research use only, not for
    clinical decisions.
    """
    try:
        import gradio  # noqa: F401
    except ImportError:
        typer.echo("fetal-lib app: Gradio is missing; pip install 'fetal-lib[app]'.", err=True)
        raise typer.Exit(1) from None
    from fetal_book.app.server import serve

    models = {"anomaly": model_anomaly, "hc": model_hc, "ga": model_ga}
    serve(host, port, share, brain_age=model_brain_age, **models)
