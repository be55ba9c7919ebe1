"""What the tests of all chapters share: a run in smoke, its rows, and the notebook's own text."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from private_things import private_things

ROOT = Path(__file__).parents[1]
CELL = re.compile(r"^# %%(.*)$", re.M)
RESULT = re.compile(
    r"\d+\.\d+ ?(?:mm|years|y\b|days|d\b|%)"
    r"|(?:Dice|ADF|MAE|RMSE|F1|AUC|ECE|R²|accuracy)\D{0,12}\d",
    re.IGNORECASE,
)
RAW = re.compile(r"\{[a-z:-]+\}`|^:{3,}|^`{3,}\{|^\([\w-]+\)=$", re.MULTILINE)
"""What the site's builder alone understands: a role, a directive, a target."""
SHOWN_KINDS = ("text/markdown", "text/html")
MAX_LINES, MAX_COLUMNS = 25, 79


def run_chapter(
    number: str,
    folder: Path,
    name: str,
    *more: str,
    timeout: float = 900,
    python: str = sys.executable,
):
    """Run a chapter in smoke with a cache of its own; return the run folder and the process."""
    out = folder / name
    command = [python, "-m", "fetal_book", "run", number, "--profile", "smoke"]
    done = subprocess.run(
        [*command, "--out", str(out), *more],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"FETAL_CACHE": str(folder / f"cache-{name}")},
        timeout=timeout,
    )
    return out, done


def run_smoke(number: str, folder: Path) -> tuple[Path, Path]:
    """Run a chapter as "first", which must succeed; return the folder and the run in it.

    Its notebook must be readable by itself, and nothing in it may tell of the computer.
    """
    out, done = run_chapter(number, folder, "first")
    if done.returncode:
        raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
    notebook = json.loads((out / "executed.ipynb").read_text("utf-8"))
    if raw := [text for text in said(notebook) if RAW.search(text) or "WARNING" in text]:
        raise AssertionError(f"the executed notebook shows {raw}")
    told = [path for path in out.rglob("*") if path.is_file() and "logs" not in path.parts]
    if found := private_things(told):
        raise AssertionError(f"the run tells of this computer: {found}")
    return folder, out


def said(notebook: dict) -> list[str]:
    """Return all that a reader of a notebook is shown, but for code and pictures."""
    cells = notebook["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts += ["".join(one.get("data", {}).get(kind, "")) for one in outputs for kind in SHOWN_KINDS]
    return [*texts, *("".join(one.get("text", "")) for one in outputs)]


def rows_of(out: Path) -> list[dict]:
    """Return the rows of a run's results."""
    return json.loads((out / "results.json").read_text())["rows"]


def figures_without_words(out: Path) -> list[str]:
    """Return the figures of a run that lack a caption or a text for those who cannot see it."""
    index = json.loads((out / "figures" / "index.json").read_text())
    return [name for name, entry in index.items() if not (entry["alt"] and entry["caption"])]


def protocol_rows_without_interval(out: Path) -> list[tuple[str, str]]:
    """Return model and metric of what the source's protocol scored and no interval stands at."""
    rows = [row for row in rows_of(out) if row["split"] == "protocol"]
    if not rows:
        raise AssertionError("the run has no row of the source's protocol")
    return [(row["model"], row["metric"]) for row in rows if row["ci95"] is None]


def status_of(out: Path) -> str:
    """Return how a run ended, by its own record."""
    return json.loads((out / "record.json").read_text())["status"]


def check_that_a_second_run_repeats(number: str, folder: Path, first: Path) -> None:
    """Run a chapter once more in the place of "first", with every third of its fits gone.

    What is gone is trained anew, the rest reused, and no result changes.
    """
    before, fits = rows_of(first), json.loads((first / "record.json").read_text())["fits"]
    gone = {fit["key"] for fit in fits[::3]}
    for key in gone:
        shutil.rmtree(folder / "cache-first" / "fits" / key)
    again, done = run_chapter(number, folder, "first")
    assert done.returncode == 0, done.stderr[-2000:]
    fits = json.loads((again / "record.json").read_text())["fits"]
    assert {fit["key"] for fit in fits if fit["state"] == "fitted"} == gone
    assert {fit["state"] for fit in fits} == {"fitted", "reused"}
    assert rows_of(again) == before


def write_no_brains(folder: Path, suffix: str) -> list[str]:
    """Write a volume of noise and a file that is no NIfTI; return their names."""
    import nibabel

    noise = np.random.default_rng(0).random((40, 40, 40)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(noise, np.eye(4)), folder / f"sub-noise{suffix}")
    (folder / f"sub-broken{suffix}").write_bytes(b"no gzip")
    return [f"sub-noise{suffix}", f"sub-broken{suffix}"]


def predict(task: str, scans: Path, model: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Run `fetal-lib predict`, pictures into ``folder / "p"``; return the table's rows by scan."""
    table = folder / "told.csv"
    command = [sys.executable, "-m", "fetal_book", "predict", task, str(scans)]
    done = subprocess.run(
        [*command, "--model", str(model), "--out", str(table), "--pictures", str(folder / "p")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    with table.open() as file:
        return {row["scan"]: row for row in csv.DictReader(file)}


def cells(notebook: Path) -> list[tuple[str, str]]:
    """Return the marker line and the text of every cell."""
    parts = CELL.split(notebook.read_text())[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def typed_results(notebook: Path) -> list[str]:
    """Return text cells with a result-like number and neither a citation nor the source's name."""
    texts = [text for head, text in cells(notebook) if "[markdown]" in head]
    return [
        text
        for text in texts
        if RESULT.search(text) and "{cite" not in text and "source" not in text.lower()
    ]


def oversized_cells(notebook: Path) -> list[str]:
    """Return code cells of more than 25 lines or 79 columns; the parameters' is made by a tool."""
    exempt = ("[markdown]", '"parameters"')
    code = [text for head, text in cells(notebook) if not any(word in head for word in exempt)]
    return [
        text
        for text in code
        if len(text.strip().splitlines()) > MAX_LINES
        or max(map(len, text.splitlines()), default=0) > MAX_COLUMNS
    ]
