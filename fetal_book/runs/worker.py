"""The child process of a run: execute the notebook, write down how that ended.

Started by `fetal_book.runs.execute` as `python -m fetal_book.runs.worker`, with the job as JSON
on its standard input.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

from fetal_book.runs.process import die_with_parent, identity, signal_text
from fetal_book.runs.quick_imports import skip_iri_grammars
from fetal_book.runs.record import utc_now
from fetal_book.runs.warnings_log import WARNINGS_FILE
from fetal_lib.errors import short
from fetal_lib.files.atomic import append_line, write_json

OUTCOME_FILE = "logs/outcome.json"
PROCESSES_FILE = "logs/processes.json"
RUNNING_FILE = "logs/running.ipynb"
INPUT_FILE = "logs/input.ipynb"


def main() -> None:
    """Read the job, execute it, write `logs/outcome.json`."""
    skip_iri_grammars()
    job = json.load(sys.stdin)
    die_with_parent(job["parent_pid"])
    folder = Path(job["folder"])
    outcome = execute(Path(job["notebook"]), folder, job["parameters"])
    write_json(folder / OUTCOME_FILE, outcome)


def execute(notebook: Path, folder: Path, parameters: dict[str, Any]) -> dict[str, Any]:
    """Execute a notebook into `logs/running.ipynb` of the run folder.

    Returns `{"status": "ok" | "failed" | "killed", "reason": ..., "error": {...} or None}`.
    """
    from nbclient.exceptions import DeadKernelError
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    from fetal_book.runs.client import ENGINE

    headings = cell_headings(prepare_input(notebook, folder), injected=bool(parameters))
    kernels: list[Popen[bytes]] = []

    def on_kernel(process: Popen[bytes]) -> None:
        kernels.append(process)
        processes = {"worker": identity(), "kernel": identity(process.pid)}
        write_json(folder / PROCESSES_FILE, processes)

    def on_cell(cell: Any, cell_index: int) -> None:
        event = {"event": "cell", "cell": cell_index + 1, "cells": len(headings)}
        heading = headings[min(cell_index, len(headings) - 1)]
        append_line(folder / "progress.jsonl", {"time": utc_now(), **event, "heading": heading})

    def on_stderr(text: str) -> None:
        with (folder / WARNINGS_FILE).open("a", encoding="utf-8") as log:
            log.write(text)

    try:
        execute_notebook(
            brace(folder / INPUT_FILE),
            brace(folder / RUNNING_FILE),
            parameters=parameters,
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=False,
            on_kernel=on_kernel,
            on_cell=on_cell,
            on_stderr=on_stderr,
        )
    except PapermillExecutionError as error:
        return failed_cell(error)
    except DeadKernelError:
        code = kernels[-1].poll() if kernels else None
        how = signal_text(code) if code is not None else "unknown cause"
        return {"status": "killed", "reason": f"the kernel died: {how}", "error": None}
    return {"status": "ok", "reason": "", "error": None}


def brace(path: Path) -> str:
    """Return a path for papermill, which fills in `{...}` of file names."""
    return str(path).replace("{", "{{").replace("}", "}}")


def prepare_input(notebook: Path, folder: Path) -> list[dict[str, Any]]:
    """Write the clean notebook to `logs/input.ipynb` and return its cells.

    The `.py` is the truth: it is read wherever it exists, and an `.ipynb` beside it that was
    edited by hand is left alone and said so.
    """
    from fetal_book.runs.pairs import Pair, pair_state, read_chapter

    content = read_chapter(notebook)
    pair = Pair(notebook, notebook.with_suffix(".ipynb"))
    if notebook.suffix == ".py" and pair_state(pair) == "edited":
        text = (
            f"{pair.notebook.name} was edited by hand; the run takes {notebook.name}, "
            "the notebook's text (`fetal-lib notebooks check`)"
        )
        append_line(folder / "progress.jsonl", {"event": "note", "text": text})
    write_json(folder / INPUT_FILE, content)
    return content["cells"]


def cell_headings(cells: list[dict[str, Any]], injected: bool) -> list[str]:
    """Return for every cell the nearest heading above it; papermill adds a cell of its own.

    >>> title = {"cell_type": "markdown", "source": "# Title"}
    >>> cell_headings([title, {"cell_type": "code", "source": "x"}], injected=False)
    ['Title', 'Title']
    """
    from fetal_book.runs.pairs import has_tag

    headings, current = [], ""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            found = re.findall(r"^#{1,3} +(.+)$", source, flags=re.MULTILINE)
            current = found[-1].strip() if found else current
        headings.append(current)
        if injected and has_tag(cell, "parameters"):
            headings.append(current)
    return headings


def failed_cell(error: Any) -> dict[str, Any]:
    """Return the outcome of a run whose cell raised an exception."""
    last = error.evalue.strip().splitlines() if error.evalue else []
    first_line = next((line for line in error.source.splitlines() if line.strip()), "")
    return {
        "status": "failed",
        "reason": f"cell {error.cell_index + 1} raised {error.ename}",
        "error": {
            "cell": error.cell_index + 1,
            "source": short(first_line, 200),
            "name": error.ename,
            "message": short(error.evalue, 2000),
            "last_line": short(f"{error.ename}: {last[-1] if last else ''}", 500),
        },
    }


if __name__ == "__main__":
    main()
