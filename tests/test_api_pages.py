"""The reference: every public definition, its signature as written, and text that stays text."""

import ast

import pytest
from test_book import BOOK, PROJECT

from fetal_book.site.api import ROOMS, docstring_text, escaped, pages, signature, sources, write_api
from fetal_lib.files.fingerprint import PACKAGES

MODULE = '''
"""Scores of *two* masks."""

LIMIT = 3
"""The largest |count|."""

def score(a: int, b: dict[str, int] = {"x": 1}, *, c: str = "a, b") -> float:
    """Compute 2 |A| / (|A| + |B|), see :func:`other`.

    Parameters
    ----------
    a, b : int
        Counts,
        both positive.

    Returns
    -------
    float in [0, 1].

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

    def show(self) -> None:
        """Show it."""
'''


@pytest.fixture
def page(tmp_path):
    """Write the reference of one made-up module."""
    folder = tmp_path / "fetal_lib" / "metrics"
    folder.mkdir(parents=True)
    (folder / "masks.py").write_text(MODULE.lstrip(), encoding="utf-8")
    (folder / "_own.py").write_text('def f():\n    """Never shown."""\n', encoding="utf-8")
    write_api(tmp_path)
    return (tmp_path / "book" / "generated" / "api" / "metrics.md").read_text("utf-8")


def test_what_is_public_and_documented_is_there_and_nothing_else(page):
    heads = [line for line in page.splitlines() if line.startswith("#")]
    assert heads == ["## metrics.masks", "### score", "### Thing", "#### Thing.show"]
    assert "`LIMIT = 3`\n: The largest \\|count\\|." in page
    assert "Never shown" not in page


def test_a_docstring_becomes_markdown_in_which_only_code_is_code(page):
    assert "Scores of \\*two\\* masks." in page
    assert "Compute 2 \\|A\\| / (\\|A\\| + \\|B\\|), see `other`." in page
    assert "- `a, b`: int. Counts, both positive.\n" in page
    assert "- float in \\[0, 1\\].\n" in page
    assert "- `ValueError`: If ``a`` is negative.\n" in page
    assert "```pycon\n>>> score(1)\n0.5\n```" in page


def test_a_long_signature_has_a_line_for_each_argument_whatever_stands_in_it():
    text = (
        'def f(first: dict[str, int]={"a": 1}, second: str="a, (b", third: float=0.5, *more: int)'
    )
    node = ast.parse(f"{text} -> float: ...").body[0]
    lines = signature(node).splitlines()
    assert lines[0] == "f(" and lines[-1] == ") -> float" and len(lines) == 6
    assert lines[2] == "    second: str='a, (b',"


def test_text_that_looks_like_markdown_stays_text():
    assert escaped("- 3 < x[0] < {5}") == "\\- 3 \\< x\\[0\\] \\< \\{5\\}"
    assert escaped("AAAI\n2015. Then") == "AAAI\n2015\\. Then"
    assert escaped("doi:10.1175/1520(1950)078<0001>2.0") == (
        "doi:[10.1175/1520(1950)078\\<0001\\>2.0]"
        "(https://doi.org/10.1175/1520%281950%29078%3C0001%3E2.0)"
    )
    assert docstring_text("") == ""


def test_every_room_has_a_page_and_every_page_a_place_in_the_contents():
    contents = (BOOK / "_toc.yml").read_text("utf-8")
    for room in ROOMS:
        assert f"generated/api/{room}.md" in (BOOK / "api" / f"{room}.md").read_text("utf-8")
        assert f"- file: api/{room}\n" in contents
    assert len(pages()) == len(ROOMS)
    assert all(
        any(path.startswith(f"{folder}/") for path in sources(PROJECT)) for folder in ROOMS.values()
    )


def test_the_reference_of_the_library_names_what_readers_look_for(tmp_path):
    for name in PACKAGES:
        (tmp_path / name).symlink_to(PROJECT / name)
    write_api(tmp_path)
    folder = tmp_path / "book" / "generated" / "api"
    for room, names in {
        "metrics": ("dice", "ece"),
        "growth": ("centile",),
        "models": ("unet",),
    }.items():
        text = (folder / f"{room}.md").read_text("utf-8")
        assert all(f" {name}" in text or f".{name}" in text for name in names), room
        assert len(text) < 400_000
