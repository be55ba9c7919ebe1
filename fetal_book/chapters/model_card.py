"""The card of a model that a chapter saves: data, figures, limits, intended use."""

from __future__ import annotations

from collections.abc import Sequence

from fetal_book.runs.session import Run


def model_card(
    run: Run,
    model: str,
    title: str,
    trained_on: str,
    about: str,
    notes: Sequence[str],
    limits: str,
    part: str = "the test part",
) -> str:
    """Return the model card, Markdown.

    It lists the model's result rows of the test part, called `part`; of several data sets those of
    the first. `about` follows profile and seed: what goes in, what comes out. The notes are
    paragraphs, as how wide an interval is; `limits` says for whom the model is not.
    """
    p = run.parameters
    rows = [row for row in run.rows if (row["model"], row["split"]) == (model, "test")]
    rows = [row for row in rows if row["data"] == rows[0]["data"]]
    return "\n".join(
        [
            f"# {title}",
            "",
            f"Trained on {trained_on}, profile `{p.profile}`, seed {p.seed}{about}",
            "",
            f"| metric on {part} | value | unit | n |",
            "|---|---|---|---|",
            *(f"| {r['metric']} | {r['value']:.4g} | {r['unit']} | {r['n']} |" for r in rows),
            "",
            *(line for note in notes for line in (note, "")),
            f"Intended use: research and teaching. Not for clinical decisions. {limits}",
            "",
        ]
    )
