"""Make a chapter's clean notebook from its text form, and tell whether the two are still the same.

``notebooks/NN_name.py`` (Jupytext's percent format) is the truth. ``NN_name.ipynb`` beside it is
generated: plain Markdown, no outputs, no execution counts, cell ids that depend on the cell's text
only, so that a change of one cell is a diff of one cell. The notebook carries a digest of its own
cells. By it a notebook that somebody edited by hand is told from one that is merely older than its
text, and is never overwritten unasked.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fetal_book.runs.plain_text import plain_notebook
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_text

Notebook = dict[str, Any]
PairState = Literal["equal", "missing", "outdated", "edited"]

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEPT_CELL_METADATA = ("tags", "mystnb")
DIGEST_KEY = "fetal_lib_cells_sha256"


class EditedNotebookError(UserError, ValueError):
    """A notebook holds changes that its text form does not have."""


@dataclass(frozen=True)
class Pair:
    """A chapter's text form and the notebook generated from it."""

    text: Path
    notebook: Path

    @property
    def name(self) -> str:
        """Return the chapter's name, which is the file name without its suffix."""
        return self.text.stem


def find_pairs(folder: Path) -> list[Pair]:
    """List the chapters in a folder: every ``NN_name.py`` with the place of its notebook."""
    return [
        Pair(path, path.with_suffix(".ipynb")) for path in sorted(folder.glob("[0-9][0-9]_*.py"))
    ]


def notebook_from_text(text: str) -> Notebook:
    """Build the clean notebook of a chapter given in the percent format, always the same one.

    >>> text = "# %% [markdown]\\n# # Title\\n\\n# %% tags=['parameters']\\nepochs = 3\\n"
    >>> notebook = notebook_from_text(text)
    >>> [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    [('markdown', '# Title'), ('code', 'epochs = 3')]
    >>> notebook["cells"][1]["metadata"]
    {'tags': ['parameters']}
    """
    import jupytext

    cells = [_clean_cell(cell) for cell in jupytext.reads(text, fmt="py:percent").cells]
    for cell, cell_id in zip(cells, _cell_ids(cells), strict=True):
        cell["id"] = cell_id
    metadata = {"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def generated(pair: Pair) -> Notebook:
    """Return the notebook that belongs beside a chapter's text: the same in plain Markdown."""
    notebook = plain_notebook(read_chapter(pair.text), pair.name)
    digest = {DIGEST_KEY: _digest(notebook["cells"])}
    return notebook | {"metadata": notebook["metadata"] | digest}


def read_chapter(path: Path) -> Notebook:
    """Return a chapter's notebook, made of its text where it is a ``.py``."""
    text = path.read_text(encoding="utf-8")
    return notebook_from_text(text) if path.suffix == ".py" else json.loads(text)


def has_tag(cell: Notebook, tag: str) -> bool:
    """Say whether a cell carries a tag."""
    return tag in cell.get("metadata", {}).get("tags", [])


def without_traces(notebook: Notebook) -> Notebook:
    """Return an executed notebook without papermill's paths and times."""
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "papermill"}
    cells = []
    for cell in notebook["cells"]:
        kept = {k: v for k, v in cell["metadata"].items() if k not in ("papermill", "execution")}
        cells.append(cell | {"metadata": kept})
    return notebook | {"metadata": metadata, "cells": cells}


def write_notebook(path: Path, notebook: Notebook) -> None:
    """Write an executed notebook in Jupyter's layout, whole or not at all."""
    write_text(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def comparable_cells(notebook: Notebook) -> list[tuple[str, str, str]]:
    """Reduce a notebook to what a pair must share: type, source and kept metadata of each cell."""
    return [_comparable(cell) for cell in notebook["cells"]]


def pair_state(pair: Pair) -> PairState:
    """Compare a chapter's text with the notebook beside it.

    ``outdated`` is one that was generated from an earlier text, or only gained outputs;
    ``edited`` one whose cells were changed after they were generated.
    """
    if not pair.notebook.exists():
        return "missing"
    expected = generated(pair)
    found = _read_notebook(pair.notebook)
    if found == expected:
        return "equal"
    if comparable_cells(found) == comparable_cells(expected):
        return "outdated"
    if found.get("metadata", {}).get(DIGEST_KEY) == _digest(found["cells"]):
        return "outdated"
    return "edited"


def sync_pair(pair: Pair, *, force: bool = False) -> bool:
    """Write the notebook of one chapter where it differs from the text; True when it was written.

    One that was edited by hand is overwritten with ``force`` only.
    """
    state = pair_state(pair)
    if state == "equal":
        return False
    if state == "edited" and not force:
        raise EditedNotebookError(
            f"notebook {pair.notebook.name}: its cells were changed by hand and differ from "
            f"{pair.text.name}. The text is the one to edit, the notebook is generated from it. "
            f"Make the changes in {pair.text.name} (JupyterLab: Open With > Notebook), or drop "
            "them with `fetal-lib notebooks sync --force`."
        )
    _write_notebook(pair.notebook, generated(pair))
    return True


def _clean_cell(cell: Notebook) -> Notebook:
    metadata = {key: cell["metadata"][key] for key in KEPT_CELL_METADATA if key in cell["metadata"]}
    clean: Notebook = {
        "cell_type": cell["cell_type"],
        "metadata": metadata,
        "source": cell["source"],
    }
    if cell["cell_type"] == "code":
        clean |= {"execution_count": None, "outputs": []}
    return clean


def _comparable(cell: Notebook) -> tuple[str, str, str]:
    source = cell["source"]
    joined = source if isinstance(source, str) else "".join(source)
    metadata = {
        key: cell["metadata"][key] for key in KEPT_CELL_METADATA if cell["metadata"].get(key)
    }
    return cell["cell_type"], joined, json.dumps(metadata, sort_keys=True)


def _cell_ids(cells: list[Notebook]) -> list[str]:
    """Name each cell after its content; equal cells are told apart by a counter."""
    seen: Counter[str] = Counter()
    ids = []
    for cell in cells:
        stem = hashlib.sha256("\0".join(_comparable(cell)).encode()).hexdigest()[:12]
        ids.append(f"{stem}-{seen[stem]}" if seen[stem] else stem)
        seen[stem] += 1
    return ids


def _digest(cells: list[Notebook]) -> str:
    return hashlib.sha256(json.dumps([_comparable(cell) for cell in cells]).encode()).hexdigest()


def _read_notebook(path: Path) -> Notebook:
    """Read a notebook file as plain JSON, sources joined; an unreadable one counts as edited."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
    except (ValueError, KeyError, TypeError):
        return {"cells": [], "metadata": {}}
    return notebook


def _write_notebook(path: Path, notebook: Notebook) -> None:
    """Write in the layout of Jupyter itself (sources as lists of lines), whole or not at all."""
    lines = [
        cell | {"source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]
    ]
    content = json.dumps(notebook | {"cells": lines}, indent=1, sort_keys=True, ensure_ascii=False)
    write_text(path, content + "\n")
