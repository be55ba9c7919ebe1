"""Tell the workflow what a chapter's run depends on and whether the run it has is still the one
asked for.

Snakemake removes a job's outputs before the job starts and after it fails. A record that says why a
chapter failed must outlive that, so a chapter's declared output is a marker outside the run's
folder. The marker is believed only while the folder holds a complete run of the same profile and
the same data.
"""

from __future__ import annotations

from pathlib import Path

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.parameters.project_files import code_root, listed
from fetal_book.runs.stale import finished_run, serves_order
from fetal_lib.files.atomic import read_json, write_text
from fetal_lib.files.fingerprint import PACKAGES, module_file

SHOWN_CODE = ("fetal_lib", "fetal_phantoms", "fetal_book/runs", "fetal_book/site")
"""What the site's reference is read from, and what makes its pages."""
MADE = ("_build", "notebooks", "generated", "runs")


def book_chapters(root: Path) -> list[str]:
    """List the registered chapters that are no drafts and have a notebook text in the project."""
    ready = [name for name, chapter in CHAPTERS.items() if not chapter.draft]
    return [name for name in ready if (root / "notebooks" / f"{name}.py").exists()]


def note_chapters(root: Path, chapters: list[str]) -> None:
    """Write the names of the chapters where they changed, so that a chapter's removal is noticed.

    A change time tells the workflow of new and changed files, never of one that is gone.
    """
    path = root / "book" / "generated" / "chapters.txt"
    text = "".join(f"{name}\n" for name in chapters)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def marker_path(root: Path, chapter: str) -> Path:
    """Return the file that says that a chapter's run is complete."""
    return root / "runs" / "book" / ".workflow" / f"{chapter}.done"


def run_folder(root: Path, chapter: str) -> Path:
    """Return the folder of the run that the book shows."""
    return root / "runs" / "book" / chapter


def chapter_inputs(root: Path, chapter: str) -> list[str]:
    """List the files whose change makes a chapter's run out of date.

    These are the notebook's text, its parameters and profiles, the locked versions, and the library
    files that the last finished run used; all of the library when there is no finished run to ask.
    """
    code = code_root(root)
    parameters = code / "fetal_book" / "parameters"
    named = [
        root / "notebooks" / f"{chapter}.py",
        root / "requirements.lock",
        parameters / f"{chapter.partition('_')[2]}.py",
        parameters / "fields.py",
        parameters / "profiles" / f"{chapter}.yml",
    ]
    used = _modules_of_last_run(run_folder(root, chapter))
    modules = used
    if used is None:
        modules = [path for name in PACKAGES for path in sorted((code / name).rglob("*.py"))]
    known = {path for path in [*named, *modules] if path.is_file()}
    own = (root, code)
    return listed((path for path in known if any(map(path.is_relative_to, own))), root)


def marker_is_true(root: Path, chapter: str, profile: str, data: str) -> bool:
    """Tell whether a chapter's run is there, finished, of this profile, of this data unchanged."""
    marker = marker_path(root, chapter)
    if not marker.exists():
        return False
    same_order = marker.read_text(encoding="utf-8").split("\n")[:2] == [profile, data]
    return same_order and serves_order(run_folder(root, chapter), profile, data)


def site_is_whole(root: Path) -> bool:
    """Tell whether the site is built, and each of the pages that it lists is there."""
    marker = root / "book" / "_build" / "site.json"
    pages = (read_json(marker) or {}).get("pages", [])
    return bool(pages) and all((marker.parent / "html" / page).is_file() for page in pages)


def drop_false_markers(root: Path, profile: str, data_of: dict[str, str]) -> None:
    """Remove the markers of chapters and of the site that say what is not so."""
    for chapter, data in data_of.items():
        if not marker_is_true(root, chapter, profile, data):
            marker_path(root, chapter).unlink(missing_ok=True)
    if not site_is_whole(root):
        (root / "book" / "_build" / "site.json").unlink(missing_ok=True)


def published_results(root: Path) -> list[str]:
    """List the results of the runs that are kept with the book, relative to the root."""
    return listed((root / "book" / "published").glob("*/*/results.json"), root)


def published_files(root: Path) -> list[str]:
    """List what pages take from kept runs: records, results, indexes of figures and tables.

    An index holds the names and captions of what stands beside it, and is written anew with it.
    """
    kept = root / "book" / "published"
    return listed([*kept.glob("*/*/*.json"), *kept.glob("*/*/*/index.json")], root)


def size_records(root: Path) -> list[str]:
    """List the small records of networks at their published size, and the table of their steps."""
    return listed((root / "book" / "published_size").glob("*.*"), root)


def modules(root: Path, *names: str) -> list[str]:
    """List modules by their names in ``fetal_book``, such as ``runs/stage.py``."""
    return listed((code_root(root) / "fetal_book" / name for name in names), root)


def with_reference(root: Path) -> list[str]:
    """List the chapters of which runs are kept with the book."""
    return sorted({path.split("/")[2] for path in published_results(root)})


def page_makers(root: Path) -> list[str]:
    """List the modules that write pages from runs and from what people wrote."""
    code = code_root(root)
    found = [*(code / "fetal_book" / "site").glob("*.py"), code / "fetal_lib" / "data" / "kinds.py"]
    found.append(code / "fetal_book" / "runs" / "results.py")
    return listed(found, root)


def phantom_files() -> list[str]:
    """List what shows phantoms in the book, relative to the root: pictures and slices."""
    from fetal_book.site.phantom_gallery import GALLERIES, VIEWERS

    names = [*(f"{name}.png" for name in GALLERIES), *(f"{name}.html" for name in VIEWERS)]
    return [f"book/generated/phantoms/{name}" for name in names]


def phantom_sources(root: Path) -> list[str]:
    """List what the pictures of phantoms depend on, relative to the root."""
    code = code_root(root)
    files = [*(code / "fetal_phantoms").rglob("*.py")]
    site = code / "fetal_book" / "site"
    files += [site / "phantom_gallery.py", site / "slice_viewer.py"]
    files.append(code / "fetal_lib" / "plots" / "pictures.py")
    return listed(files, root)


def site_sources(root: Path) -> list[str]:
    """List what the site is made of: pages, styles, published runs, documented code."""
    book = root / "book"
    own = [
        path
        for path in book.rglob("*")
        if path.is_file() and path.relative_to(book).parts[0] not in MADE
    ]
    hidden = ("__pycache__", ".ipynb_checkpoints")
    kept = [path for path in own if not any(part in hidden for part in path.parts)]
    code = [path for name in SHOWN_CODE for path in (code_root(root) / name).rglob("*.py")]
    return listed([*kept, *code], root)


def _modules_of_last_run(folder: Path) -> list[Path] | None:
    record = finished_run(folder)
    if record is None:
        return None
    return [path for path in map(module_file, record.modules) if path is not None]
