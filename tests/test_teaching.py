"""Exercises and slides: every answer prints what stands below it; slides show exhibits first."""

import contextlib
import io
import re

import pytest
from bs4 import BeautifulSoup
from test_book import BOOK

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.parameters.project import project_root
from fetal_book.site.npm_package import get_package_files
from fetal_book.site.slide_deck import Deck, lead
from fetal_book.site.slides import write_slides
from fetal_book.site.slides_offline import LOCK
from fetal_book.site.slides_reference import add_reference_runs
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


def laid_out(deck):
    return [
        (one["metadata"]["slideshow"]["slide_type"], "".join(one["source"]))
        for one in deck.finish()
    ]


def test_a_heading_has_its_first_paragraph_and_an_exhibit_its_section_caption_and_notes():
    deck = Deck("phantoms")
    deck.add(cells())
    deck.add([text_cell("**Figure 1.** Sizes."), text_cell("Said of Table 1.\n\n- a\n- b")])
    deck.add([text_cell("Last words.")])
    section = "#### Heads\n\n*phantoms*"
    assert laid_out(deck) == [
        ("slide", "# Heads"),
        ("-", "Long text."),
        ("subslide", section),
        ("-", "draw()"),
        ("-", "**Figure 1.** Sizes."),
        ("subslide", section),
        ("-", "- a\n- b"),
        ("notes", "Said of Table 1."),
        ("notes", "Last words."),
    ]


def text_cell(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def test_what_to_take_away_is_shown_rather_than_the_table_of_facts_or_a_list():
    away = "**What to take away.** Much."
    assert lead(["| a |", "Words.", away]) == away
    assert lead(["| a |", "Words."]) == lead(["- a", "Words."]) == lead([]) == ""


def test_reference_runs_come_with_their_pictures_and_every_model_of_their_results():
    deck = Deck("phantoms")
    assert add_reference_runs(deck, project_root(), "04_head_circumference")
    found = deck.finish()
    texts = ["".join(one["source"]) for one in found]
    assert "### Learnt from hc18" in texts and deck.about == "phantoms"
    shown = [one["outputs"][0]["data"] for one in found if one["cell_type"] == "code"]
    assert sum("image/png" in data for data in shown) >= 2
    table = next(data["text/html"] for data in shown if "text/html" in data)
    assert "unet" in table and "ellipse_fit" in table
    assert not add_reference_runs(Deck(""), project_root(), "99_no_chapter")


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
    assert "Learnt from hc18" in text
    page = BeautifulSoup(text, "html.parser")
    assert page.select("script[src], link[href], iframe[src]") == [] and "@import" not in text
    assert "Reveal.initialize" in text
