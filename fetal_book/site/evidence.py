"""Turn names of tables, lines of code and records into links, for pages that reviewers read.

``tab-04-parts`` is a table or figure of a chapter's page, ``code:fetal_lib.models.unet.get_unet``
the line where a function or class begins, ``record:04_head_circumference/hc18-quick`` the record
and the results of a reference run.
"""

from __future__ import annotations

import ast
import re

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.parameters.project import project_root
from fetal_book.parameters.project_files import code_root
from fetal_book.runs.published import published_folder
from fetal_lib.errors import UserError
from fetal_lib.files.fingerprint import module_file

EXHIBIT = re.compile(r"(tab|fig)-(\d\d)-[a-z0-9-]+")
IN_REFERENCE = ("fetal_lib.", "fetal_phantoms.", "fetal_book.runs.s")
"""What the pages of the reference hold."""
RECORDED = {"record": "record.json", "results": "results.json"}


class EvidenceError(UserError, ValueError):
    """A name leads nowhere; the text says which."""


def evidence(name: str, built: set[str], to_root: str = "../") -> str:
    """Write a name as a link, as far as the chapter that it stands on is built.

    Raises
    ------
    EvidenceError
        If there is no such function, run or kind of name.
    """
    kind, _, rest = name.partition(":")
    if kind == "code":
        return code_link(rest)
    if kind == "record":
        return record_link(rest, to_root)
    match = EXHIBIT.fullmatch(name)
    if match is None:
        raise EvidenceError(
            f"evidence={name!r}: it must be tab-NN-name, fig-NN-name, code:module.name or "
            "record:CHAPTER/RUN"
        )
    chapter = next((one for one in CHAPTERS if one.startswith(f"{match[2]}_")), "")
    shown = chapter in built and is_saved(name, chapter)
    return f"{{numref}}`{name}`" if shown else f"`{name}` of chapter {match[2]}"


def is_saved(name: str, chapter: str) -> bool:
    """Say whether a chapter's text names a table or figure, or saves it under its short name."""
    text = (project_root() / "notebooks" / f"{chapter}.py").read_text(encoding="utf-8")
    short = name.split("-", 2)[2].replace("-", "_")
    return name in text or f'"{short}"' in text


def code_link(dotted: str) -> str:
    """Link a function or class to its page, with the file and the line where it begins."""
    module, _, name = dotted.rpartition(".")
    path = module_file(module)
    found = [] if path is None else ast.parse(path.read_text(encoding="utf-8")).body
    kinds = ast.FunctionDef | ast.ClassDef
    line = next((one.lineno for one in found if isinstance(one, kinds) and one.name == name), 0)
    if path is None or not line:
        raise EvidenceError(f"code:{dotted}: {module or 'no module'} defines no {name}")
    place = f"`{path.relative_to(code_root(project_root())).as_posix()}`, line {line}"
    return f"{{py:obj}}`{name} <{dotted}>` ({place})" if dotted.startswith(IN_REFERENCE) else place


def record_link(run: str, to_root: str) -> str:
    """Link the record and the results of a reference run, ``CHAPTER/RUN``.

    In a project that keeps no reference run at all it is only named.
    """
    chapter, _, name = run.partition("/")
    folder = published_folder(chapter) / name
    if name and not any(published_folder(chapter).parent.glob("*/*/record.json")):
        return f"run {name} of chapter {chapter[:2]}, which this project does not keep"
    missing = [file for file in RECORDED.values() if not (folder / file).is_file()]
    if missing or not name:
        raise EvidenceError(f"record:{run}: {', '.join(missing) or run} is not kept with the book")
    links = (
        f"{{download}}`{words} <{to_root}published/{run}/{file}>`"
        for words, file in RECORDED.items()
    )
    return f"run {name} of chapter {chapter[:2]}: {' and '.join(links)}"
