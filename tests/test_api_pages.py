"""The reference: every public definition, its signature as written, and text that stays text."""

import shutil
import subprocess
import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from test_book import BOOK, PROJECT

ROOMS = {path.stem: path.read_text("utf-8") for path in (BOOK / "api").glob("*.md")}
INCLUDED = "```{{eval-rst}}\n.. include:: /generated/autoapi/{}/index.rst\n```\n"
NOT_SHOWN = {"files", "pretrained"}
MODULE = '''
"""Scores of *two* masks.

References
----------
Berg A, Doe J. A score that
nobody needs. 1950. doi:10.1175/1520(1950)078<0001>2.0
Doe J. Another one. 1951.
"""

from dataclasses import dataclass, field

from pydantic import BaseModel

LIMIT = 3
"""The largest |count|."""

def score(a: int, b: dict[str, int] = {"x": 1}, *, c: str = "a, b", number: float = 0.5) -> float:
    """Compute 2 |A| / (|A| + |B|) of ``a`` and b_, see `other`.

    Parameters
    ----------
    a, b : int
        Counts,
        both positive.
    c : words that run on;
        more of them.
    number : float, in mm.

    Returns
    -------
    float in [0, 1]: of the pair, or
    NaN where there is none.

    Raises
    ------
    ValueError
        If ``a`` is negative.

    Examples
    --------
    >>> score(1)
    0.5
    """

def _hidden():
    """Never shown."""

def silent():
    pass

class Thing(ValueError):
    """Hold it."""

    def __init__(self, name: str, size_mm: float = 1.0) -> None:
        self.name = name

    @property
    def shown(self) -> str:
        """What is shown."""

@dataclass
class Pair:
    """Hold two.

    Attributes
    ----------
    left, right : int
        Both whole.
    """

    left: int
    right: list[int] = field(default_factory=list)

class Entry(BaseModel):
    """Hold what a file says."""

    path: str
    size: int = 0
'''


def build(root, packages):
    """Build a page on some packages with the book's own settings of the reference."""
    settings = yaml.safe_load((BOOK / "_config.yml").read_text("utf-8"))["sphinx"]["config"]
    prefixes = ("autoapi", "napoleon", "python", "add_module_names", "suppress_warnings")
    own = {name: value for name, value in settings.items() if name.startswith(prefixes)}
    own |= {
        "extensions": ["sphinx.ext.napoleon", "autoapi.extension", "reference"],
        "autoapi_dirs": packages,
        "autoapi_template_dir": str(BOOK / own["autoapi_template_dir"]),
        "exclude_patterns": ["generated/*"],
    }
    lines = [f"import sys; sys.path.append({str(BOOK / '_ext')!r})"]
    lines += [f"{name} = {value!r}" for name, value in own.items()]
    (root / "conf.py").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", root, root / "html"]
    subprocess.run(command, check=True)
    return BeautifulSoup((root / "html" / "index.html").read_text("utf-8"), "html.parser")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Build the reference of one made-up module."""
    root = tmp_path_factory.mktemp("book")
    room = root / "fetal_lib" / "metrics"
    room.mkdir(parents=True)
    (room.parent / "__init__.py").write_text('"""The library."""\n', encoding="utf-8")
    (room / "__init__.py").write_text('"""Scores."""\n', encoding="utf-8")
    (room / "masks.py").write_text(MODULE.lstrip(), encoding="utf-8")
    (room / "_own.py").write_text('"""Own."""\n\ndef f():\n    """Never shown."""\n')
    text = ".. include:: /generated/autoapi/fetal_lib/metrics/index.rst\n"
    (root / "index.rst").write_text(f"Page\n====\n\n{text}", encoding="utf-8")
    return build(root, ["fetal_lib"])


def words(part):
    """Return a text with single spaces and without the marks that lead to a heading."""
    return " ".join(part.get_text().replace("¶", "").split())


def test_what_is_public_and_documented_is_there_and_nothing_else(page):
    names = [one.get("id") for one in page.select("dt.sig")]
    module = "fetal_lib.metrics.masks"
    own = ("LIMIT", "score", "Thing", "Thing.shown", "Pair", "Entry")
    assert sorted(names) == sorted(f"{module}.{name}" for name in own)
    assert "Never shown" not in page.get_text()


def test_signatures_hold_constructors_and_properties_are_properties(page):
    signatures = {one["id"].rpartition(".")[2]: words(one) for one in page.select("dt.sig")}
    assert signatures["Thing"] == "exception Thing(name: str, size_mm: float = 1.0)"
    assert signatures["Pair"] == "class Pair(left: int, right: list[int] = [])"
    assert signatures["Entry"] == "class Entry(path: str, size: int = 0)"
    assert signatures["shown"] == "property shown: str"
    assert signatures["LIMIT"] == "LIMIT = 3"
    assert signatures["score"].startswith("score(a: int, b: dict[str, int] =")
    assert "c: str = 'a, b'," in signatures["score"]


def test_a_docstring_is_text_in_which_only_code_is_code(page):
    text = words(page.find("body"))
    assert "Scores of *two* masks." in text
    assert "Compute 2 |A| / (|A| + |B|) of a and b_, see other." in text
    assert "The largest |count|." in text
    assert "a (int) – Counts, both positive." in text
    assert "b (int) – Counts, both positive." in text
    assert "c – words that run on; more of them." in text and "number (float, in mm)" in text
    assert "Returns: float in [0, 1]: of the pair, or NaN where there is none. Raises:" in text
    assert "Parameters: left (int) – Both whole. right (int) – Both whole." in text
    assert "ValueError – If a is negative." in text
    assert ">>> score(1)\n0.5" in page.select_one("div.doctest").get_text()


def test_papers_are_a_list_and_their_dois_are_links(page):
    papers = [words(one) for one in page.select("li") if "19" in one.get_text()]
    assert papers == [
        "Berg A, Doe J. A score that nobody needs. 1950. doi:10.1175/1520(1950)078<0001>2.0",
        "Doe J. Another one. 1951.",
    ]
    (link,) = page.select('a[href^="https://doi.org/"]')
    assert link["href"] == "https://doi.org/10.1175/1520(1950)078%3C0001%3E2.0"


def test_every_room_has_a_page_and_every_page_a_place_in_the_contents():
    contents = (BOOK / "_toc.yml").read_text("utf-8")
    rooms = {p.parent.name for p in (PROJECT / "fetal_lib").glob("*/__init__.py")} - NOT_SHOWN
    shown = {room: f"fetal_lib/{room}" for room in rooms}
    shown |= {"phantoms": "fetal_phantoms", "runs": "fetal_book/runs/session"}
    assert {"index", *shown} == set(ROOMS)
    for room, folder in shown.items():
        assert ROOMS[room].endswith(INCLUDED.format(folder))
        assert f"- file: api/{room}\n" in contents
        assert f"({room}.md)" in ROOMS["index"]


@pytest.mark.slow
def test_the_reference_of_the_library_names_what_readers_look_for(tmp_path):
    wanted = ("metrics.segmentation.dice", "growth.intergrowth_size.centile")
    for name in ("__init__.py", "metrics", "growth"):
        source = PROJECT / "fetal_lib" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (tmp_path / "fetal_lib").mkdir(exist_ok=True)
        copy(source, tmp_path / "fetal_lib" / name)
    rooms = [f".. include:: /generated/autoapi/fetal_lib/{room}/index.rst" for room in ROOMS]
    text = "\n".join(line for line in rooms if "/metrics/" in line or "/growth/" in line)
    (tmp_path / "index.rst").write_text(f"Page\n====\n\n{text}\n", encoding="utf-8")
    names = {one.get("id") for one in build(tmp_path, ["fetal_lib"]).select("dt.sig")}
    assert {f"fetal_lib.{name}" for name in wanted} <= names
