"""Copy a finished run into the book: the executed notebook with its run box, figures, tables,
and the files that its page offers for download.
"""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import shorten
from typing import Any

from fetal_book.parameters.project import public_path
from fetal_book.runs.again import again_text
from fetal_book.runs.exhibits import copy_exhibits, describe_outputs, index_of
from fetal_book.runs.pairs import has_tag, without_traces
from fetal_book.runs.plain_text import markdown_cell
from fetal_book.runs.record import RunRecord, ended_ok
from fetal_book.runs.stage_downloads import INJECTED, buttons, section, write_downloads
from fetal_book.runs.status import hardware_text
from fetal_book.runs.text_only import site_notebook
from fetal_lib.data.kinds import PHANTOM, data_words, kind_by_name
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

LONG = 150
"""Words of a table that a page folds where a run on real data leads it."""
MARKUP = re.compile(r"<style.*?</style>|<[^>]*>", re.DOTALL)


class StageError(UserError, ValueError):
    """A run cannot be shown in the book; the text says why."""


def stage_chapter(run_folder: Path, book_folder: Path) -> Path:
    """Copy a run to where the site is built from.

    Writes `notebooks/<chapter>.ipynb` and `runs/<chapter>/` (figures, tables, record, results,
    notebook, text) under the book folder. The page gets a box after its title that says which run
    it is, the captions that figures and tables were saved with, and its downloads. Papermill's
    cell of injected parameters is folded, and paths in it are made public; the code of a cell
    that draws is folded; where runs on real data lead the page, its long tables and its gallery
    are folded too. Nothing is left out.
    """
    run_folder, book_folder = Path(run_folder), Path(book_folder)
    record = ended_ok(run_folder)
    notebook = site_notebook(run_folder)
    if notebook is None:
        raise StageError(f"{run_folder.name}: executed.ipynb is missing or broken; run it again")
    refuse_errors(record.chapter, notebook)
    notebook = without_traces(notebook)
    notebook["cells"] = cells = [folded_if_injected(cell) for cell in notebook["cells"]]
    exhibits = book_folder / "runs" / record.chapter
    copy_exhibits(run_folder, exhibits)
    write_downloads(notebook, record.chapter, exhibits)
    known = [index_of(exhibits / kind) for kind in ("figures", "tables")]
    for cell in cells:
        describe_outputs(cell, record.chapter, *known)
    place = 1 if cells[0]["cell_type"] == "markdown" else 0
    head, rest = split_title(cells[0]) if place else (None, None)
    text = f"{run_box(record)}\n\n{buttons(record.chapter, exhibits)}"
    end = section(record.chapter, exhibits)
    tasks = book_folder / "exercises" / f"{record.chapter}.md"
    first = reference_part(record, book_folder)
    if first:
        cells[:] = map(folded_if_long, cells)
    cells[:] = map(named_if_folded, cells)
    shown = [head, rest, markdown_cell(first, "reference")] if first else [head]
    shown += [markdown_cell(text, "run-box"), None if first else rest, *cells[place:]]
    if tasks.is_file():
        include = f"```{{include}} ../exercises/{tasks.name}\n```"
        shown.append(markdown_cell(include, "exercises"))
    shown.append(markdown_cell(end, "downloads") if end else None)
    target = book_folder / "notebooks" / f"{record.chapter}.ipynb"
    write_json(target, {**notebook, "cells": [cell for cell in shown if cell]})
    return target


def refuse_errors(chapter: str, notebook: dict[str, Any]) -> None:
    """Refuse a notebook that holds an error output: the site's builder would show it silently."""
    for index, cell in enumerate(notebook["cells"]):
        for output in cell.get("outputs", []):
            if output.get("output_type") == "error":
                raise StageError(
                    f"{chapter}: cell {index + 1} holds an error output ({output.get('ename')}); "
                    "a page must not show one; run the chapter again"
                )


def folded_if_injected(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell; papermill's cell of injected parameters is folded, its paths made public."""
    if not has_tag(cell, INJECTED):
        return cell
    tags = dict.fromkeys([*cell["metadata"]["tags"], "hide-input"])
    source = public_source("".join(cell["source"]))
    return cell | {"metadata": cell["metadata"] | {"tags": list(tags)}, "source": source}


def folded_if_long(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell; what it shows is folded where that is nothing but long tables and galleries.

    >>> table = {"output_type": "display_data", "data": {"text/html": "<table>" + "<td>1 " * 200}}
    >>> folded_if_long({"cell_type": "code", "metadata": {}, "outputs": [table]})["metadata"]
    {'tags': ['hide-output']}
    """
    shown = [output["data"] for output in cell.get("outputs", []) if "data" in output]
    texts = ["".join(data.get("text/html", "")) for data in shown]
    words = sum(len(MARKUP.sub(" ", text).split()) for text in texts)
    if words <= LONG or not all("<table" in text or "case-gallery" in text for text in texts):
        return cell
    tags = dict.fromkeys([*cell["metadata"].get("tags", []), "hide-output"])
    return cell | {"metadata": cell["metadata"] | {"tags": list(tags)}}


def named_if_folded(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell; where a table or gallery is folded away, what unfolds it says which.

    >>> metadata = {"tags": ["hide-output"], "exhibits": [{"caption": "Errors in mm."}]}
    >>> named_if_folded({"metadata": metadata})["metadata"]["mystnb"]["code_prompt_show"]
    'Show: Errors in mm'
    """
    metadata = cell["metadata"]
    if "hide-output" not in metadata.get("tags", []) or has_tag(cell, "hide-input"):
        return cell
    captions = [one["caption"] for one in metadata.get("exhibits", []) if one]
    words = shorten(captions[0].rstrip("."), 110, placeholder="…") if captions else ""
    if not words and "case-gallery" in str(cell.get("outputs")):
        words = "the gallery"
    prompts = {f"code_prompt_{way.lower()}": f"{way}: {words}" for way in ("Show", "Hide")}
    own = metadata.get("mystnb", {})
    return cell | {"metadata": metadata | {"mystnb": own | prompts}} if words else cell


def public_source(source: str) -> str:
    """Return the injected parameters with the paths of a user's machine cut to their last name.

    >>> public_source('data = "/home/somebody/scans/hc18"')
    'data = "hc18"'
    """
    return re.sub(
        r"\"((?:/|~|[A-Za-z]:)[^\"]*)\"", lambda match: f'"{public_path(match[1])}"', source
    )


def split_title(cell: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Split the first Markdown cell after its title line; the second part may be None."""
    lines = "".join(cell["source"]).splitlines(keepends=True)
    end = next((i + 1 for i, line in enumerate(lines) if line.startswith("# ")), len(lines))
    rest = "".join(lines[end:]).strip()
    head = {**cell, "source": "".join(lines[:end]).rstrip("\n")}
    return head, (markdown_cell(rest, f"{cell.get('id', 'title')}-text") if rest else None)


def reference_part(record: RunRecord, book_folder: Path) -> str:
    """Return what leads the page of a chapter that has runs on real data; else empty.

    The site writes the part itself; see ``fetal_book/site/reference_part.py``.
    """
    if not any((book_folder / "published" / record.chapter).glob("*/results.json")):
        return ""
    data = data_words(record.data, kind_by_name(record.data), mark="")
    lines = [
        f"(reference-{record.chapter[:2]})=",
        "## What it does on real data",
        "",
        "From here to the next heading stand *reference runs*, which are kept with the book. The",
        f"chapter below is another run, on **{data}**, which everybody can repeat.",
        "",
        f"```{{include}} ../generated/reference/{record.chapter}.md",
        "```",
        "",
        f"## The chapter, on {data}",
    ]
    return "\n".join(lines)


def run_box(record: RunRecord) -> str:
    """Return the run box: which run this page shows, on what data, from what code."""
    phantom, smoke = record.data == PHANTOM, record.profile == "smoke"
    kind = "warning" if phantom or smoke else "note"
    data = (
        "**Made-up data**: every image here is a phantom that this project draws; the numbers "
        "say nothing about patients."
        if phantom
        else f"Data: {data_words(record.data, kind_by_name(record.data), mark='**')}."
    )
    wiring = ["", "**A smoke run**: it proves that the chapter runs; its numbers say nothing."]
    commit = record.code.get("commit")
    code = f"`{commit[:10]}`" if commit else "not under version control"
    code += ", with changes that are not committed" if record.code.get("dirty") else ""
    lines = [
        f":::{{{kind}}}",
        data,
        *(wiring if smoke else []),
        "",
        f"Run of {record.started[:16].replace('T', ' ')} UTC: **{record.status}**, profile "
        f"`{record.profile}`, {record.wall_s:.0f} s on {hardware_text(record)}.",
        f"Code: {code}. {again_text(record)}",
        "",
        "*Record* holds all parameters, versions and hashes; *Results* every number of this page.",
        ":::",
    ]
    return "\n".join(lines)
