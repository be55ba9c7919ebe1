"""Exercises and slides: every answer prints what stands below it; slides show figures, not text."""

import contextlib
import io
import re

import pytest
from bs4 import BeautifulSoup
from test_book import BOOK

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.site.npm_package import get_package_files
from fetal_book.site.slides import slide_cells, write_slides
from fetal_book.site.slides_offline import LOCK
from fetal_lib.errors import UserError
from fetal_lib.files.atomic import write_json

BLOCKS = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.mark.parametrize("chapter", list(CHAPTERS)[:5])
def test_each_chapter_has_three_exercises_whose_answers_are_folded_and_hold(chapter):
    text = (BOOK / "exercises" / f"{chapter}.md").read_text("utf-8")
    asked = re.findall(r"^:::\{exercise\}\n:label: (\S+)$", text, re.MULTILINE)
    folded = r"^::::\{solution\} (\S+)\n:class: dropdown\n(.*?)\n::::$"
    answers = re.findall(folded, text, re.DOTALL | re.MULTILINE)
    assert (
        asked
        == [label for label, _ in answers]
        == [f"exercise-{chapter[:2]}-{k}" for k in (1, 2, 3)]
    )
    for _, answer in answers:
        ((code, expected),) = BLOCKS.findall(answer)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, {})
        assert printed.getvalue() == expected


def cells():
    figure = {"output_type": "display_data", "data": {"image/png": PNG}, "metadata": {}}
    said = {"output_type": "stream", "name": "stdout", "text": "hello"}
    code = {"cell_type": "code", "metadata": {}, "execution_count": 1, "id": "b"}
    return [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Heads\n\nLong text."},
        code | {"source": "secret = 1", "outputs": [said]},
        code | {"id": "c", "source": "draw()", "outputs": [said, figure]},
    ]


def test_headings_and_exhibits_are_slides_and_text_is_for_the_speaker():
    kinds = [one["metadata"]["slideshow"]["slide_type"] for one in slide_cells(cells())]
    assert kinds == ["slide", "notes", "subslide"]


@pytest.mark.slow
def test_slides_hold_their_figures_and_no_code_and_ask_no_host(tmp_path):
    try:
        get_package_files(LOCK)
    except UserError as error:
        pytest.skip(str(error))
    notebook = {"cells": cells(), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    write_json(tmp_path / "run" / "executed.ipynb", notebook)
    out = write_slides(tmp_path / "run", "04_head_circumference", tmp_path / "slides.html")
    text = out.read_text("utf-8")
    assert PNG in text and "draw()" not in text and "Long text." in text
    page = BeautifulSoup(text, "html.parser")
    assert page.select("script[src], link[href], iframe[src]") == [] and "@import" not in text
    assert "Reveal.initialize" in text
