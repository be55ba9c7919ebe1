"""Read and write the pages that changed, and those only: the others stand as the last build wrote
them.

Sphinx tells by change times what to read, and a file that was made anew with the same content has a
new one: here pages are told by their content. Sphinx also leaves a page as it was where another
changed its title, a number of a figure or the place of a reference. So what pages have in common
is hashed, and where it differs from that of the last build all pages are written again, into an
empty folder.
"""

from __future__ import annotations

import pickle
import re
import shutil
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes

SHARED = (
    "titles", "longtitles", "tocs", "toc_secnumbers", "toc_fignumbers", "toctree_includes",
    "images", "dlfiles",
)  # fmt: skip
"""What one page may take from another, beside the domains: titles, headings, numbers, names of
files."""
NOT_SHARED = ("c", "cpp")
"""Domains of languages that no page of the book is about; they hold no plain values."""
INDEX = "search.pickle"
INDEXED = (
    "_titles", "_filenames", "_mapping", "_title_mapping", "_all_titles", "_index_entries",
)  # fmt: skip
"""What the index of the search knows of pages; what Sphinx itself writes of it is less."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def note_newer(app: Any, env: Any, added: set[str], changed: set[str], removed: set[str]) -> list:
    """Keep the names of pages that are to be read for a file's change time alone."""
    app.newer_pages = set(changed)
    return []


def drop_same(app: Any, env: Any, docnames: list[str]) -> None:
    """Take out the pages that were read from files of the same content."""
    known = getattr(env, "read_from", {})
    same = {
        name
        for name in app.newer_pages.intersection(known)
        if Path(env.doctreedir, f"{name}.doctree").is_file()
        and known[name] == content_of(env, name)
    }
    docnames[:] = [name for name in docnames if name not in same]
    app.read_pages = list(docnames)


def write_all_or_changed(app: Any, env: Any) -> list[str]:
    """Return all pages if what they have in common is not as in the last build; else the first."""
    known = getattr(env, "read_from", {})
    read = {name: content_of(env, name) for name in app.read_pages}
    env.read_from = {name: known[name] for name in known if name in env.found_docs} | read
    now = shared(app, env)
    if getattr(env, "shared_by_pages", None) == now:
        app.builder.load_indexer = partial(load_index, app)
        return [app.config.root_doc]  # with no page to write Sphinx would copy no style either
    env.shared_by_pages = now
    made = {Path(one).name for one in app.config.html_static_path}  # by extensions, a moment ago
    for path in Path(app.outdir).glob("*"):
        if path.is_dir() and path.name not in made:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()
    return sorted(env.found_docs)


def load_index(app: Any, docnames: set[str]) -> None:
    """Give the index of the search what it knew of the pages that are not written now."""
    indexer, stay = app.builder.indexer, set(app.env.all_docs) - set(docnames)
    for name, known in pickle.loads(Path(app.doctreedir, INDEX).read_bytes()).items():
        setattr(indexer, name, known)
    indexer.prune(stay)
    indexer._index_entries = {k: v for k, v in indexer._index_entries.items() if k in stay}


def keep_index(app: Any) -> list:
    """Put the index of the search in order, whatever was written first, and keep what it knows."""
    indexer = app.builder.indexer
    for name in INDEXED:
        known = sorted(getattr(indexer, name).items())
        setattr(indexer, name, {k: v for k, v in known if v or "mapping" not in name})
    known = {name: getattr(indexer, name) for name in INDEXED}
    Path(app.doctreedir, INDEX).write_bytes(pickle.dumps(known))
    return []


def content_of(env: Any, name: str) -> str:
    """Hash the files that a page was read from, and the list of references."""
    files = {Path(env.doc2path(name)), *(Path(env.srcdir, one) for one in env.dependencies[name])}
    files |= {Path(env.srcdir, one) for one in getattr(env.config, "bibtex_bibfiles", ())}
    total = sha256()
    for path in sorted(files):
        total.update(str(path).encode())
        total.update(sha256(path.read_bytes()).digest() if path.is_file() else b"none")
    return total.hexdigest()


def shared(app: Any, env: Any) -> str:
    """Hash what pages have in common: what one takes from another, styles and scripts, the day."""
    known = {name: getattr(env, name) for name in SHARED}
    known |= {name: data for name, data in env.domaindata.items() if name not in NOT_SHARED}
    folders = [Path(app.confdir, one) for one in app.config.html_static_path]
    static = sorted(path for one in folders for path in one.rglob("*") if path.is_file())
    total = sha256(plain(known).encode())
    total.update(datetime.now(UTC).date().isoformat().encode())
    for path in static:
        total.update(str(path).encode() + sha256(path.read_bytes()).digest())
    return total.hexdigest()


def plain(value: Any) -> str:
    """Write a value so that equal ones have equal texts, whatever process made them.

    >>> plain({"b": {2, 1}, "a": (None,)})
    "{'a':[None],'b':{1,2}}"
    """
    if isinstance(value, nodes.Node):
        return value.pformat()
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{plain(k)}:{plain(v)}" for k, v in value.items())) + "}"
    if isinstance(value, set | frozenset):
        return "{" + ",".join(sorted(map(plain, value))) + "}"
    if isinstance(value, tuple) and hasattr(value, "_asdict"):  # where on a page it stands is
        value = [one for name, one in value._asdict().items() if name != "line"]  # nobody else's
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(plain, value)) + "]"
    return ADDRESS.sub("", repr(value))


def setup(app: Any) -> dict[str, bool]:
    """Register the hooks with Sphinx: that of what is shared after numbers of figures are given."""
    app.newer_pages, app.read_pages = set(), []
    app.connect("env-get-outdated", note_newer)
    app.connect("env-before-read-docs", drop_same, priority=900)
    app.connect("env-get-updated", write_all_or_changed, priority=900)
    app.connect("html-collect-pages", keep_index, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
