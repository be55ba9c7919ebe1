"""Write what the columns of predictions and the exit codes mean, as ``--help`` says it."""

from __future__ import annotations

from pathlib import Path

from fetal_book.site.markdown import cell, table
from fetal_lib.files.atomic import write_text
from fetal_lib.predict.columns import COLUMNS, EXIT_CODES

PAGE = "predict_columns"


def write_predict_columns(root: Path, chapters: list[str]) -> None:
    """Write ``book/generated/predict_columns.md``; it is the same whatever the chapters."""
    parts = [f"### predict {name}\n\n{_meanings('column', COLUMNS[name])}" for name in COLUMNS]
    parts.append(f"### Exit codes\n\n{_meanings('code', EXIT_CODES)}")
    write_text(root / "book" / "generated" / f"{PAGE}.md", "\n".join(parts))


def _meanings(title: str, words: dict[str, str]) -> str:
    return table(
        [title, "meaning"], [(f"`{name}`", cell(meaning)) for name, meaning in words.items()]
    )
