"""`fetal-lib run CHAPTER`: execute one chapter."""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)
MOST_LINES = 30


@app.command(context_settings={"allow_extra_args": True})
def run(
    ctx: typer.Context,
    chapter: Annotated[str, typer.Argument(help="Chapter: 04_head_circumference, or 04.")],
    profile: Annotated[
        str | None, typer.Option(help="smoke (seconds), quick (minutes), long (a day) or full.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter; repeat."),
    ] = None,
    out: Annotated[str, typer.Option(help="Run folder; default: runs/CHAPTER/PROFILE-DATA.")] = "",
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End the run after so many seconds.")
    ] = None,
    if_needed: Annotated[
        bool,
        typer.Option(
            "--if-needed", help="Keep outputs that still stand; renew the text around them."
        ),
    ] = False,
) -> None:
    """Execute a chapter and write its results, tables and figures to a run folder.

    An earlier result there is replaced when the run has succeeded, and kept as FOLDER.previous.
    `fetal-lib parameters CHAPTER` lists what -p can set. Exit codes: 0 ok, 1 the run failed,
    2 something in the command is wrong, 124 time limit, 130 interrupted.
    """
    if ctx.args:
        ctx.fail(extra_words_text(chapter, ctx.args))
    from fetal_book.cli.terminal import say
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.parameters.parse import parse_assignments
    from fetal_book.runs.execute import run_chapter

    values = parse_assignments(get_chapter(chapter).parameters_class(), parameter or [])
    outcome = run_chapter(chapter, profile, values, out, timeout, say, only_if_needed=if_needed)
    for line in closing_lines(outcome):
        say(line, err=outcome.exit_code != 0)
    raise typer.Exit(outcome.exit_code)


def closing_lines(outcome) -> list[str]:
    """Return what to say at the end of a run."""
    from fetal_book.parameters.project import shown
    from fetal_book.runs.attempt import previous_folder, result_folder

    record, folder = outcome.record, shown(outcome.folder)
    before = previous_folder(outcome.folder)
    if record.status == "ok":
        kept = [f"the result before it is kept in {shown(before)}"] if before.is_dir() else []
        last = f"ok in {record.wall_s:.0f} s: {folder}/results.json, {folder}/executed.ipynb"
        return [*score_lines(outcome), *kept, last]
    lines = [f"fetal-lib run: {record.status}: {record.reason}"]
    if record.error:
        lines += [*error_lines(record.error), f"  in the cell: {record.error['source']}"]
    if (outcome.folder / "logs" / "failed.ipynb").is_file():
        lines.append(f"  as far as it came: {folder}/logs/failed.ipynb")
    if (standing := result_folder(outcome.folder)).is_dir():
        lines.append(f"  the result before it stands: {shown(standing)}")
    return lines


def score_lines(outcome) -> list[str]:
    """Return the main scores of a run that succeeded, beside their baselines."""
    from fetal_book.cli.terminal import table_lines
    from fetal_book.parameters.chapters import get_chapter
    from fetal_book.runs.main_scores import main_scores, metric_words

    lines, metrics = [], {}
    for title, rows in main_scores(get_chapter(outcome.record.chapter), outcome.folder):
        lines += [f"{title}, 95 % intervals in brackets:", *table_lines(rows, "  ")]
        metrics |= dict.fromkeys(rows[0][1:-1])
    if lines and outcome.record.profile == "smoke":
        lines.append("The numbers of smoke prove the wiring and nothing else.")
    return [*lines, *map(metric_words, metrics)]


def error_lines(error: dict[str, Any]) -> list[str]:
    """Return a cell's error as it is shown, all lines of its message up to a limit.

    >>> error_lines({"name": "BadFilesError", "message": "data: 1 file(s)\\n  a.png: 0 bytes"})
    ['  BadFilesError: data: 1 file(s)', '    a.png: 0 bytes']
    """
    lines = f"{error['name']}: {error['message']}".rstrip().splitlines()
    shown = [f"  {line}" for line in lines[:MOST_LINES]]
    return shown + ["  and more"] * (len(lines) > MOST_LINES)


def extra_words_text(chapter: str, words: list[str]) -> str:
    """Return the message for words behind the chapter that no option takes.

    >>> extra_words_text("04", ["seed=1"])
    "received 'seed=1' behind the chapter; parameters are set by -p: fetal-lib run 04 -p seed=1"
    """
    received = f"received {', '.join(map(repr, words))} behind the chapter"
    if all("=" in word for word in words):
        set_by = " ".join(f"-p {word}" for word in words)
        return f"{received}; parameters are set by -p: fetal-lib run {chapter} {set_by}"
    return (
        f"{received} {chapter!r}; one chapter is run at a time: fetal-lib run 04 -p seed=1 "
        "(a value with spaces stands in quotes)"
    )
