"""The page for users of the library: its code runs as it stands, and prints what it says."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
from test_book import BOOK

PAGE = BOOK / "howto" / "from_python.md"
BLOCKS = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_each_block_of_the_page_prints_what_stands_below_it():
    text = PAGE.read_text("utf-8")
    blocks = BLOCKS.findall(text)
    assert len(blocks) == text.count("```python") == 6
    names: dict[str, object] = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == expected
