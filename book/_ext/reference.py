"""Prepare docstrings for the reference: plain text, in which nothing but code is set specially.

AutoAPI reads the text of the modules and imports none, so that neither TensorFlow nor PyTorch is
loaded. Napoleon turns the sections into fields after this.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from astroid.manager import AstroidManager

# Reading their sources for the bases of our classes takes most of the time and shows nothing; a
# model of pydantic would show the base's own constructor instead of its fields.
NOT_FOLLOWED = {"torch", "torch.nn", "keras", "keras.layers", "tensorflow", "lightning", "monai"}
NOT_FOLLOWED |= {"pydantic", "pydantic.main", "numpy", "pandas", "scipy", "matplotlib", "PIL"}
CODE_OR_BULLET = r"(`+[^`]+`+|^ *\* )"
MARKS = re.compile(rf"{CODE_OR_BULLET}|([*|]|(?<=\w)_(?!\w))")
REFERENCES = re.compile(r"(?<=References\n----------\n)(.+?)(?=\n\n\w+\n---|\Z)", re.DOTALL)
PAPER = re.compile(r"\n(?=(?:(?:van|von|den|de) )*[A-Z][\w' -]+ [A-Z]{1,4}(?:,|\.| et al))")
"""Where the next paper of a list begins: a name with initials at the start of a line."""
FIELDS = re.compile(
    r"(?<=(?:Parameters|Attributes)\n----------\n)(.+?)(?=\n\n\w+\n---|\Z)", re.DOTALL
)
RETURNS = re.compile(r"^Returns\n-------\n(.+?)(?=\n\n\w+\n---|\Z)", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^(\S.*?) : (.+)((?:\n    .*|\n(?=\n    ))*)", re.MULTILINE)
SENTENCE = re.compile(r"[;,]$|; |\. [A-Z]|^(?:an? |the |what |which |whether |how |names |where )")
"""A sentence, or the beginning of one, where a type is written."""
DOI = re.compile(r"\b(?:doi|DOI)(?::\s*|\s+)(10\.\d{4,}/[^\s,]+[^\s,;.)])")


def prepare(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape what would be taken for markup, tell types from sentences, and list the papers."""
    plain = [line if line.lstrip().startswith((">>>", "...")) else escaped(line) for line in lines]
    text = "\n".join(plain)
    if "Parameters\n---" not in text:  # those of a data class are its arguments
        text = text.replace("Attributes\n----------\n", "Parameters\n----------\n")
    text = FIELDS.sub(lambda section: FIELD.sub(field, section[0]), text)
    text = RETURNS.sub(returned, text)
    lines[:] = REFERENCES.sub(listed, text).split("\n")


def field(found: re.Match[str]) -> str:
    """Write an argument so that its brackets hold a type, not the first line of a sentence."""
    names, kind, more = found.groups()
    first = more.strip()[:1]
    if SENTENCE.search(kind) or (more and (first.islower() or first.isdigit())):
        text = f"\n    {kind}{more}"
    else:
        text = f" : {kind.removesuffix('.')}{more}"
    return "\n".join(name + text for name in names.split(", "))


def returned(found: re.Match[str]) -> str:
    """Write what is returned: values by name or a type as they are, sentences as sentences."""
    lines = found[1].rstrip().split("\n")
    first = [line for line in lines if line and not line.startswith(" ")]
    if all(FIELD.match(line) for line in first):
        return f"Returns\n-------\n{FIELD.sub(field, found[1])}"
    if len(first) == 1 and len(lines) > 1 and ":" not in first[0]:
        return found[0]
    return f"\n:returns: {' '.join(' '.join(lines).split())}"


def escaped(line: str) -> str:
    """Put a backslash before each mark outside code."""
    return MARKS.sub(lambda found: found[1] or f"\\{found[2]}", line)


def listed(found: re.Match[str]) -> str:
    """Write the papers of a section as a list."""
    papers = (" ".join(paper.split()) for paper in PAPER.split(found[0]))
    return "\n".join(f"- {DOI.sub(doi_link, paper)}" for paper in papers) + "\n"


def doi_link(found: re.Match[str]) -> str:
    """Write a DOI as a link."""
    address = found[1].replace("\\", "").replace("<", "%3C").replace(">", "%3E")
    shown = found[1].replace("<", r"\<")
    return f"`doi:{shown} <https://doi.org/{address}>`__"


def read_installed_packages(app: Any, config: Any) -> None:
    """Read the packages where they are installed, if the project itself has none."""
    named = config.autoapi_dirs
    if not any((Path(app.confdir) / folder).is_dir() for folder in named):
        config.autoapi_dirs = [str(find_package(Path(folder).name)) for folder in named]


def find_package(name: str) -> Path:
    """Return the folder of a package, which is not imported.

    >>> find_package("fetal_lib").name
    'fetal_lib'
    """
    return Path(find_spec(name).submodule_search_locations[0])


def setup(app: Any) -> dict[str, bool]:
    """Register the hook with Sphinx, before Napoleon's."""
    AstroidManager().module_denylist |= NOT_FOLLOWED
    app.connect("config-inited", read_installed_packages, priority=100)
    app.connect("autodoc-process-docstring", prepare, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
