"""A small project in a temporary folder, with a made-up notebook for a chapter that exists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image

import fetal_lib
from fetal_book.parameters.chapters import get_chapter
from fetal_book.runs.attempt import attempt_folder
from fetal_book.site import jobs
from fetal_lib.files.fingerprint import PACKAGES

CHAPTER = "04_head_circumference"
LIBRARY = Path(fetal_lib.__file__).resolve().parents[1]
FINISH = (
    "run.data_fingerprint = 'made up'\n"
    "run.add_result(model='mean', split='test', metric='adf_mm', value=1 / 3, n=3)\n"
    "run.add_result(model='mean', split='test', metric='train_s', value=0.5)\n"
    "run.finish()"
)


def parameters_source() -> str:
    """Return the parameters cell that equals the class."""
    fields = get_chapter(CHAPTER).parameters_class().model_fields
    return "\n".join(f"{name} = {field.default!r}" for name, field in fields.items())


def write_project(root: Path, *cells: str, finish: str = FINISH) -> Path:
    """Write a project whose chapter opens a run, executes the cells, and finishes."""
    parts = ["# %% [markdown]\n# # Made up", f'# %% tags=["parameters"]\n{parameters_source()}']
    opening = "from fetal_book.runs.session import open_run\nrun = open_run('{}', globals())"
    parts.append("# %%\n" + opening.format(CHAPTER))
    parts.append("# %% [markdown]\n# ## Training")
    parts += [f"# %%\n{cell}" for cell in (*cells, finish)]
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    (root / "notebooks" / f"{CHAPTER}.py").write_text("\n\n".join(parts) + "\n")
    return root


def copy_project(root: Path, whole: bool = False) -> Path:
    """Copy this project without its chapters, runs and site.

    Unless it is whole, its reference is empty, and blanks stand where the workflow would draw
    phantoms and make the page that measures: the slow parts of a site.
    """
    left_out = ("_build", "generated", "notebooks", "published", "runs", "__pycache__")
    shutil.copytree(LIBRARY / "book", root / "book", ignore=shutil.ignore_patterns(*left_out))
    for name in (*PACKAGES, "workflow", "data_manifests"):
        unused = shutil.ignore_patterns("__pycache__")
        shutil.copytree(LIBRARY / name, root / name, ignore=unused)
    for name in ("pyproject.toml", "requirements.lock", "CITATION.cff", "LICENSE"):
        shutil.copy(LIBRARY / name, root / name)
    if not whole:
        config = root / "book" / "_config.yml"
        change(config, "[../fetal_lib, ../fetal_phantoms, ../fetal_book]", "[../fetal_lib/files]")
        for page in (root / "book" / "api").glob("*.md"):
            page.write_text(page.read_text("utf-8").partition("```{eval-rst}")[0], encoding="utf-8")
        generated = root / "book" / "generated"
        (generated / "phantoms").mkdir(parents=True)
        for path in map(root.joinpath, jobs.phantom_files()):
            path.write_text("Not in this copy.\n", encoding="utf-8")
            if path.suffix == ".png":
                Image.new("L", (8, 8)).save(path)
        (generated / "try_it.md").write_text("Not in this copy.\n", encoding="utf-8")
    return root


def change(path: Path, old: str, new: str) -> None:
    """Put other words in the place of words that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path.name} does not say {old}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def work_in(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """Make a project the one of this process, with runs, cache and data of its own."""
    for name in ("FETAL_RUNS", "FETAL_CACHE", "FETAL_DATA", "FETAL_RUN_FOLDER"):
        patch.delenv(name, raising=False)
    patch.setenv("FETAL_PROJECT", str(root))
    return root


def run_folder(root: Path, name: str = "smoke-phantom") -> Path:
    """Return the default run folder."""
    return root / "runs" / CHAPTER / name


def attempt(root: Path, name: str = "smoke-phantom") -> Path:
    """Return where the run of the default folder is written until it has succeeded."""
    return attempt_folder(run_folder(root, name))


def content(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder by its name, to the byte."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def environment(root: Path) -> dict[str, str]:
    """Return the environment in which the project is the made-up one, with its own code if any."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("FETAL_")}
    code = root if (root / "fetal_book").is_dir() else LIBRARY
    return mine | {"FETAL_PROJECT": str(root), "PYTHONPATH": str(code)}


def start_cli(root: Path, *words: str) -> subprocess.Popen:
    """Start `fetal-lib` with these words."""
    return subprocess.Popen(
        [sys.executable, "-m", "fetal_book", *words],
        env=environment(root),
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call_cli(root: Path, *words: str) -> tuple[int, str, str]:
    """Run `fetal-lib` to its end; return exit code, output, errors."""
    process = start_cli(root, *words)
    output, errors = process.communicate(timeout=600)
    return process.returncode, output, errors


def wait_for(condition: Callable[[], bool], seconds: float = 60.0, what: str = "it") -> None:
    """Wait until a condition holds; fail when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen in {seconds} s: {what}"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Say whether a process runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
