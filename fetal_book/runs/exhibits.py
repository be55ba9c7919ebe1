"""Figures and tables of a run: saved, so that the same content gives the same bytes, copied, and
told from the outputs of the cells that show them.

A chapter saves what it shows: ``run.save_figure(figure, "name", ...)``, ``run.save_table(table,
"name", ...)``. Caption and alternative text of a page come from there, unless the cell's own
``mystnb`` metadata give others: ``figure``, ``image``, and ``table``, one or a list in the order
shown.
"""

from __future__ import annotations

import ast
import io
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetal_lib.files.atomic import read_json, write_bytes, write_json, write_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NAME_RULE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
PNG_DPI = 150
KINDS = ("tables", "figures", "galleries")
NUMBERS = ("record.json", "results.json")
SHOW_CODE = {"code_prompt_show": "Show the code", "code_prompt_hide": "Hide the code"}
Cell = dict[str, Any]
Index = dict[str, dict[str, Any]]


def save_table(folder: Path, table: pd.DataFrame, name: str, caption: str) -> Path:
    """Write `tables/<name>.csv` (numbers to six significant digits) and its caption.

    An index other than 0, 1, 2, ... is written as the first columns.
    """
    _check(name, caption=caption)
    numbered = type(table.index).__name__ == "RangeIndex"
    text = table.to_csv(index=not numbered, float_format="%.6g", lineterminator="\n")
    path = folder / "tables" / f"{name}.csv"
    write_text(path, text)
    _index(folder / "tables", name, {"caption": caption, "rows": len(table)})
    return path


def save_figure(folder: Path, figure: Figure, name: str, caption: str, alt: str) -> Path:
    """Write `figures/<name>.svg` and `figures/<name>.png`, without dates, and the texts.

    Both are laid out alike, once: to place the parts takes longer than to draw them.
    """
    import matplotlib

    _check(name, caption=caption, alt=alt)
    target = folder / "figures"
    undated = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    settings = {"svg.hashsalt": name, "svg.fonttype": "path"}
    settings |= {"figure.constrained_layout.use": False, "figure.autolayout": False}
    with matplotlib.rc_context(settings):
        engine = figure.get_layout_engine()
        figure.draw_without_rendering()
        box = figure.get_tightbbox().padded(matplotlib.rcParams["savefig.pad_inches"])
        figure.set_layout_engine(None)  # in this context: none at all, not the default one
        for ending, metadata in undated.items():
            content = io.BytesIO()
            figure.savefig(content, format=ending, dpi=PNG_DPI, bbox_inches=box, metadata=metadata)
            write_bytes(target / f"{name}.{ending}", content.getvalue())
        if engine is not None:
            figure.set_layout_engine(engine)
    _index(target, name, {"caption": caption, "alt": alt})
    return target / f"{name}.svg"


def save_gallery(folder: Path, html: str, name: str, caption: str) -> Path:
    """Write `galleries/<name>.html`, a piece of a page, and its caption."""
    _check(name, caption=caption)
    target = folder / "galleries"
    write_text(target / f"{name}.html", html)
    _index(target, name, {"caption": caption})
    return target / f"{name}.html"


def _check(name: str, **texts: str) -> None:
    if not NAME_RULE.fullmatch(name):
        raise ValueError(
            f"name: received {name!r}; it must be lower-case letters and digits joined by "
            "underscores, such as bland_altman"
        )
    for key, text in texts.items():
        if not str(text).strip():
            raise ValueError(f"{key}: received {text!r} for {name}; it must say something")


def _index(folder: Path, name: str, entry: dict[str, Any]) -> None:
    entries = index_of(folder) | {name: entry}
    write_json(folder / "index.json", dict(sorted(entries.items())))


def index_of(folder: Path) -> Index:
    """Return name, caption and more of what a folder of tables or figures holds; empty without."""
    return read_json(folder / "index.json") or {}


def copy_exhibits(run_folder: Path, target: Path) -> None:
    """Copy figures, tables, record and results; what was there before is replaced."""
    target.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        shutil.rmtree(target / kind, ignore_errors=True)
        if (run_folder / kind).is_dir():
            shutil.copytree(run_folder / kind, target / kind)
    for name in NUMBERS:
        shutil.copyfile(run_folder / name, target / name)


def saved_captions(source: str, method: str) -> dict[str, str]:
    """Return names and captions under which a cell saves figures or tables, in their order.

    A caption that is not written out is empty.

    >>> saved_captions('run.save_table(scores, "results", "All models.")', "save_table")
    {'results': 'All models.'}
    """
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return {}
    found = {}
    for call in calls:
        given = dict(zip(("name", "caption"), call.args[1:3], strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords}
        texts = {k: v.value for k, v in given.items() if isinstance(v, ast.Constant)}
        if getattr(call.func, "attr", "") == method and "name" in texts:
            found[texts["name"]] = texts.get("caption", "")
    return found


def label(kind: str, chapter: str, name: str) -> str:
    """Return the name by which pages refer to a figure or table.

    >>> label("tab", "04_head_circumference", "leak_audit")
    'tab-04-leak-audit'
    """
    return f"{kind}-{chapter[:2]}-{name.replace('_', '-')}"


def describe_outputs(cell: Cell, chapter: str, figures: Index, tables: Index) -> None:
    """Give a code cell the captions and alternative texts of what it shows, in place.

    Its metadata gain ``mystnb`` (figure and image) and ``exhibits`` (captions of its tables, in
    order). A cell that draws has its code folded: the figure and its caption carry the argument.
    """
    metadata, source = cell["metadata"], "".join(cell["source"])
    drawn = [name for name in saved_captions(source, "save_figure") if name in figures]
    if not count_shown(cell, "image/"):  # a cell may draw in some runs only
        metadata.get("mystnb", {}).pop("figure", None)
    elif drawn:
        _describe_figure(metadata, chapter, drawn[-1], figures[drawn[-1]])
    own = metadata.get("mystnb", {}).pop("table", None)
    saved = [name for name in saved_captions(source, "save_table") if name in tables]
    shown = count_shown(cell, "text/html")
    entries = [
        {"name": label("tab", chapter, name), "caption": tables[name]["caption"]} for name in saved
    ]
    if own:
        entries = own if isinstance(own, list) else [own]
    if entries and shown:
        metadata["exhibits"] = [None] * max(0, shown - len(entries)) + entries[-shown:]


def _describe_figure(metadata: dict[str, Any], chapter: str, name: str, entry: Any) -> None:
    own = metadata.get("mystnb", {})
    figure = {"name": label("fig", chapter, name), "caption": entry["caption"]}
    image = {"alt": entry["alt"]} | own.get("image", {})
    metadata["mystnb"] = SHOW_CODE | {"figure": figure} | own | {"image": image}
    tags = metadata.get("tags", [])
    if not {"hide-input", "remove-input", "hide-cell", "remove-cell"} & set(tags):
        metadata["tags"] = [*tags, "hide-input"]


def count_shown(cell: Cell, kind: str) -> int:
    """Count a cell's outputs of a MIME type; of HTML, those that hold a table."""
    found = 0
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        texts = ["".join(data[name]) for name in data if name.startswith(kind)]
        found += bool(texts) and (kind != "text/html" or any("<table" in text for text in texts))
    return found
