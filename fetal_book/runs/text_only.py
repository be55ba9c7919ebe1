"""Renew the text of a finished run whose notebook changed in nothing but its prose.

The outputs of a notebook follow from its code cells, the parameters, the library's modules, the
data and the installed packages. Where all of them are those of the run that a folder holds, its
outputs stand, and only the text around them is taken from the notebook as it is now.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from fetal_book.parameters.chapters import Chapter
from fetal_book.parameters.resolve import Resolved
from fetal_book.runs.attempt import attempt_folder
from fetal_book.runs.pairs import has_tag, read_chapter, write_notebook
from fetal_book.runs.plain_text import plain_notebook
from fetal_book.runs.record import RunRecord, known_record, utc_now
from fetal_book.runs.stage_downloads import INJECTED
from fetal_book.runs.stale import (
    NOTEBOOK_CHANGED,
    changed_parameters,
    finished_run,
    notebook_sha256,
    source_of,
    stale_reasons,
)
from fetal_book.runs.worker import INPUT_FILE
from fetal_lib.files.atomic import read_json, write_json


def renew_text(chapter: Chapter, resolved: Resolved, folder: Path) -> RunRecord | None:
    """Put the notebook's present text around the outputs of the run that a folder holds.

    The caller holds the folder's lock. None where the chapter has to be executed: there is no
    complete run, another parameter, code cell, module, data set or package, or `refit`.
    """
    if reasons_to_run(chapter, resolved, folder):
        return None
    record, executed = finished_run(folder), read_json(folder / "executed.ipynb")
    notebook = chapter.notebook()
    if record is None or record.notebook.get("sha256") == notebook_sha256(notebook):
        return record
    text = read_chapter(notebook)
    renewed = with_outputs(text["cells"], executed["cells"])
    write_json(folder / INPUT_FILE, text)
    executed = plain_notebook(executed | {"cells": renewed}, chapter.name)
    write_notebook(folder / "executed.ipynb", executed)
    record.notebook["sha256"] = notebook_sha256(notebook)
    record.text_renewed = utc_now()
    record.write(folder)
    return record


def site_notebook(folder: Path) -> dict[str, Any] | None:
    """Return a run's executed notebook with the text as the chapter has it, for the site.

    None where there is no notebook.
    """
    executed, text = (read_json(folder / name) for name in ("executed.ipynb", INPUT_FILE))
    if not isinstance(executed, dict) or not executed.get("cells"):
        return None
    cells = with_outputs(text["cells"], executed["cells"]) if isinstance(text, dict) else None
    return executed | {"cells": cells or executed["cells"]}


def reasons_to_run(chapter: Chapter, resolved: Resolved, folder: Path) -> list[str]:
    """Return why a chapter has to be executed for an order, though a folder may hold a run of it.

    Empty where the outputs of that run stand, and at most the text around them changed.
    """
    record, executed = finished_run(folder), read_json(folder / "executed.ipynb")
    if record is None or not isinstance(executed, dict):
        last = known_record(attempt_folder(folder))
        return [f"no finished run; the last one: {last.reason}" if last else "no finished run"]
    if record.chapter != chapter.name or record.started_by != "fetal-lib run":
        return [f"the folder holds a run of {record.chapter} by {record.started_by}"]
    if resolved.parameters.refit:
        return ["refit is asked for"]
    if changed := changed_parameters(record, resolved):
        return changed
    reasons = stale_reasons(chapter, record)
    if reasons != [NOTEBOOK_CHANGED]:
        return reasons
    text = read_chapter(chapter.notebook())
    return ["the notebook's code changed"] * (
        with_outputs(text["cells"], executed["cells"]) is None
    )


def with_outputs(
    cells: list[dict[str, Any]], executed: list[dict[str, Any]]
) -> list[dict[str, Any]] | None:
    """Return the cells with the outputs of an executed notebook; None where its code differs.

    >>> ran = {"cell_type": "code", "source": "1 + 1", "metadata": {}, "outputs": ["2"]}
    >>> text = {"cell_type": "markdown", "source": "New words.", "metadata": {}}
    >>> code = {"cell_type": "code", "source": "1 + 1", "metadata": {}, "outputs": []}
    >>> [cell.get("outputs") for cell in with_outputs([text, code], [ran])]
    [None, ['2']]
    >>> with_outputs([code, code], [ran]) is None
    True
    """
    injected = [cell for cell in executed if has_tag(cell, INJECTED)]
    ran = [cell for cell in executed if cell["cell_type"] == "code" and cell not in injected]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if list(map(source_of, code)) != list(map(source_of, ran)):
        return None
    outputs = iter(ran)
    renewed: list[dict[str, Any]] = []
    for cell in deepcopy(cells):
        if cell["cell_type"] == "code":
            old = next(outputs)
            cell |= {name: old.get(name) for name in ("outputs", "execution_count")}
        renewed.append(cell)
        if has_tag(cell, "parameters"):
            renewed += injected
    return renewed
