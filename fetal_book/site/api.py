"""Write the library's reference from signatures and docstrings, without importing a module.

Only the text of the modules is read, so that neither TensorFlow nor PyTorch is loaded, and a page
is the same on every machine. Docstrings are in NumPy's style.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from fetal_lib.files.atomic import write_text

ROOMS = {
    **{
        room: f"fetal_lib/{room}"
        for room in (
            *("metrics", "geometry", "growth", "models", "training", "explain", "baselines"),
            *("readers", "data", "sets", "plots", "predict"),
        )
    },
    "phantoms": "fetal_phantoms",
    "runs": "fetal_book/runs",
}
"""Pages of the reference, and the folder that each is made of."""

LINE = 74
MAX_VALUE = 60
LISTED = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
ROLE = re.compile(r":\w+:(?=`)")
DOI = re.compile(r"\b(?:doi|DOI)(?::\s*|\s+)(10\.\d{4,}/[^\s,]+[^\s,;.)])")
LIST_MARK = re.compile(r"^(\s*\d*)([-+.)])(?=\s)", re.MULTILINE)
PAPER = re.compile(r"\n(?=(?:(?:van|von|den|de) )*[A-Z][\w' -]+ [A-Z]{1,4}(?:,|\.| et al))")
"""Where the next paper of a list begins: a name with initials at the start of a line."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources(root: Path) -> list[str]:
    """List the modules that the reference is made of, relative to the root."""
    found = [path for folder in ROOMS.values() for path in (root / folder).rglob("*.py")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def pages() -> list[str]:
    """List the files that are written, below ``book/generated``."""
    return [f"api/{room}.md" for room in ROOMS]


def write_api(root: Path) -> None:
    """Write ``book/generated/api/<room>.md`` for each room."""
    for room, folder in ROOMS.items():
        found = sorted((root / folder).rglob("*.py"))
        texts = [module_text(path, root) for path in found if not path.name.startswith("_")]
        target = root / "book" / "generated" / "api" / f"{room}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, "\n".join(text for text in texts if text) or "Nothing public.\n")


def module_text(path: Path, root: Path) -> str:
    """Write a module's part of the page; empty where nothing in it is public."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    members = list(_public(tree))
    if not members:
        return ""
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    parts = [f"## {escaped(name.partition('.')[2])}\n", f"`from {name} import …`\n"]
    parts.append(docstring_text(ast.get_docstring(tree) or ""))
    parts += [constant for constant in _constants(tree)]
    for node in members:
        parts += [f"### {escaped(node.name)}\n", definition_text(node)]
        if isinstance(node, ast.ClassDef):
            for method in _public(node):
                full = f"{node.name}.{method.name}"
                parts += [f"#### {escaped(full)}\n", definition_text(method)]
    return "\n".join(parts)


def definition_text(node: Definition) -> str:
    """Write a definition's signature and docstring."""
    return f"```python\n{signature(node)}\n```\n\n" + docstring_text(ast.get_docstring(node) or "")


def signature(node: Definition) -> str:
    """Write a signature on one line, or with a line for each argument where it is long."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = ast.unparse(node.args)
    line = f"{node.name}({arguments}){returns}"
    if len(line) <= LINE or not arguments:
        return line
    lines = "".join(f"    {one},\n" for one in _split(arguments))
    return f"{node.name}(\n{lines}){returns}"


def _split(arguments: str) -> list[str]:
    """Split an argument list at the commas that stand outside brackets and quotes."""
    depth, parts, quoted = 0, [""], ""
    for char in arguments:
        if quoted or char in "'\"":
            quoted = "" if char == quoted else quoted or char
        depth += (char in "([{") - (char in ")]}") if not quoted else 0
        if char == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


def docstring_text(text: str) -> str:
    """Turn a docstring in NumPy's style into Markdown.

    Examples
    --------
    >>> print(docstring_text("Add.\\n\\nParameters\\n----------\\nx : int\\n    A number."))
    Add.
    <BLANKLINE>
    **Parameters**
    <BLANKLINE>
    - `x`: int. A number.
    <BLANKLINE>
    """
    first, *rest = SECTION.split(text)
    parts = [_paragraphs(first)] if first.strip() else []
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        written = _section(title, body.strip("\n"))
        parts.append(f"**{title}**\n\n{written}")
    return "\n".join(parts)


def _section(title: str, body: str) -> str:
    if title == "Examples":
        return f"```pycon\n{body}\n```\n"
    if title in LISTED:
        return "\n".join(f"- {entry}" for entry in _entries(title, body)) + "\n"
    if title == "References":
        return "\n".join(f"- {' '.join(escaped(one).split())}" for one in PAPER.split(body)) + "\n"
    return _paragraphs(body)


def _entries(title: str, body: str) -> Iterator[str]:
    """Yield the entries of a list of parameters, each on one line."""
    for block in re.split(r"\n(?=\S)", body):
        head, _, more = block.partition("\n")
        name, colon, kind = head.partition(" : ")
        plain = colon or title in ("Parameters", "Attributes") and " " not in name
        words = [f"`{name}`" if plain or title == "Raises" and " " not in name else escaped(name)]
        words[0] += f": {escaped(kind)}" if kind else ""
        text = " ".join(escaped(more).split())
        if not text:
            yield words[0]
        else:
            yield f"{words[0].rstrip('.')}. {text}" if kind else f"{words[0]}: {text}"


def _paragraphs(text: str) -> str:
    """Write plain text; what is indented by four or more stays as it is set."""
    parts = []
    for part in re.split(r"\n\s*\n", text.strip("\n")):
        if part.startswith("    ") or part.lstrip().startswith(">>>"):
            parts.append(f"```text\n{part}\n```\n")
        else:
            parts.append(escaped(part) + "\n")
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Return text in which nothing but code is set specially; DOIs become links.

    Examples
    --------
    >>> escaped("2 |A| * x in `a_b`, see :func:`dice`. doi:10.1000/xyz123.")
    '2 \\\\|A\\\\| \\\\* x in `a_b`, see `dice`. doi:[10.1000/xyz123](https://doi.org/10.1000/xyz123).'
    """
    parts = CODE.split(ROLE.sub("", text))
    plain = [re.sub(r"([\\*_<>|$\[\]{}~^#])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = [DOI.sub(_doi_link, part) for part in plain]
    return LIST_MARK.sub(r"\1\\\2", "".join(parts))


def _doi_link(found: re.Match[str]) -> str:
    address = quote(re.sub(r"\\(.)", r"\1", found[1]), safe="/.:;-_")
    return f"doi:[{found[1]}](https://doi.org/{address})"


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            if ast.get_docstring(node) and not _overloaded(node):
                yield node


def _overloaded(node: Definition) -> bool:
    return any("overload" in ast.unparse(one) for one in node.decorator_list)


def _constants(tree: ast.Module) -> Iterator[str]:
    """Yield the public constants that have a docstring below them."""
    for node, after in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(after, ast.Expr):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        words = after.value.value if isinstance(after.value, ast.Constant) else None
        if not isinstance(words, str) or not isinstance(target, ast.Name):
            continue
        if target.id.startswith("_") or node.value is None:
            continue
        value = ast.unparse(node.value)
        value = value if len(value) <= MAX_VALUE else "…"
        yield f"`{target.id} = {value}`\n: {' '.join(escaped(words).split())}\n"
