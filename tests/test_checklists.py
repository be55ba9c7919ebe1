"""The reporting checklists: every item is there, and every link leads to a heading that exists."""

import json
import re

import pytest
from test_book import BOOK, PROJECT

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.site.checklists import (
    anchors,
    chapter_anchors,
    checklist,
    link,
    read_checklist,
    write_checklists,
)
from fetal_book.site.evidence import EvidenceError, evidence
from fetal_lib.errors import UserError

TRIPOD_PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef"}
TRIPOD_PARTS |= {20: "abc", 23: "ab", 27: "abc"}
ITEMS = {
    "claim": [str(n) for n in range(1, 45)],
    "tripod_ai": [f"{n}{part}" for n in range(1, 28) for part in TRIPOD_PARTS.get(n, [""])],
}


def chapter_of(number):
    return next(chapter for chapter in CHAPTERS if chapter.startswith(f"{number}_"))


def page_text(target):
    """Return the Markdown of a page, or of a chapter's notebook."""
    if target.endswith(".md"):
        return (BOOK / target).read_text("utf-8")
    lines = (PROJECT / "notebooks" / f"{chapter_of(target)}.py").read_text("utf-8").splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines if line.startswith("# "))


@pytest.mark.parametrize("name", ITEMS)
def test_every_item_of_the_paper_is_answered_in_order(name):
    assert [one.item for one in read_checklist(BOOK, name)] == ITEMS[name]


@pytest.mark.parametrize("name", ITEMS)
def test_every_link_leads_to_a_page_and_heading_that_exist(name):
    for one in read_checklist(BOOK, name):
        for target in one.where:
            page, _, anchor = target.partition("#")
            text = page_text(page)
            assert not anchor or anchor in anchors(text), f"{one.item}: {target}"


@pytest.mark.parametrize("name", ITEMS)
def test_every_table_line_and_record_that_is_named_exists(name):
    proofs = [one for item in read_checklist(BOOK, name) for one in item.proof]
    assert len(proofs) >= 10
    for one in proofs:
        text = evidence(one, set(CHAPTERS))
        if text.startswith("{numref}"):
            _, number, words = one.split("-", 2)
            source = (PROJECT / "notebooks" / f"{chapter_of(number)}.py").read_text("utf-8")
            saved = f'"{words.replace("-", "_")}"'
            assert one in source or saved in source, one
        elif one.startswith("code:"):
            path, line = re.search(r"`(fetal_[^`]+\.py)`, line (\d+)", text).groups()
            found = (PROJECT / path).read_text("utf-8").splitlines()[int(line) - 1]
            assert re.match(rf"(def|class) {one.rpartition('.')[2]}\b", found)
        else:
            for file in re.findall(r"<\.\./(published/[^>]+)>", text):
                assert (BOOK / file).is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("code:fetal_lib.metrics.intervals.nothing", "defines no nothing"),
        ("record:04_head_circumference/no-such", "is not kept with the book"),
        ("chapter 4", "it must be tab-NN-name"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(name, words):
    with pytest.raises(EvidenceError, match=words):
        evidence(name, set())


def test_a_project_without_reference_runs_names_them_and_leads_nowhere(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("FETAL_PROJECT", str(tmp_path))
    assert "does not keep" in evidence("record:04_head_circumference/hc18-quick", set())
    assert "`fetal_lib/models/unet.py`, line" in evidence(
        "code:fetal_lib.models.unet.get_unet", set()
    )


@pytest.mark.parametrize("name", ITEMS)
def test_what_is_not_done_or_not_applicable_has_a_reason(name):
    items = read_checklist(BOOK, name)
    assert {"not done", "not applicable"} <= {one.state for one in items}
    assert all(len(one.says.split()) >= 2 and one.says.endswith(".") for one in items)


def test_the_page_counts_the_states_and_links(tmp_path):
    headings = {name: anchors(page_text(name[:2])) for name in CHAPTERS}
    text = checklist(read_checklist(BOOK, "claim"), headings)
    assert (
        text.startswith("Of 44 items: ")
        and len(re.findall(r"^\| \d+ \| ", text, re.MULTILINE)) == 44
    )
    assert "[chapter 04, training](../notebooks/04_head_circumference.ipynb#training)" in text
    write_checklists(tmp_path, [])
    assert (tmp_path / "book" / "generated" / "claim.md").read_text("utf-8") == "No items.\n"


def test_a_chapter_without_a_page_is_named_and_not_linked():
    headings = {"04_head_circumference": {"data"}}
    assert link("02#training", headings) == "chapter 02, training (not yet built)"


def test_a_heading_that_the_shown_run_lacks_is_not_linked(tmp_path):
    folder = tmp_path / "runs" / "book" / "04_head_circumference"
    folder.mkdir(parents=True)
    cells = [{"cell_type": "markdown", "source": ["# Heads\n", "\n", "## Training"]}]
    cells.append({"cell_type": "code", "source": "# ## Data"})
    (folder / "executed.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    headings = {"04_head_circumference": chapter_anchors(tmp_path, "04_head_circumference")}
    page = "../notebooks/04_head_circumference.ipynb"
    assert link("04#training", headings) == f"[chapter 04, training]({page}#training)"
    assert link("04#data", headings) == f"[chapter 04]({page})"


def test_anchors_are_those_that_myst_makes():
    from myst_parser.mdit_to_docutils.base import default_slugify

    for title in (
        '"One of these two", and "I don\'t know"',
        "By trimester, and in days",
        "A-B: c_d",
    ):
        assert anchors(f"## {title}\n") == {default_slugify(title)}


def test_an_item_with_another_state_is_refused(tmp_path):
    (tmp_path / "checklists").mkdir()
    entry = "- {item: '1', section: a, text: b, state: perhaps, where: [intro.md], says: c.}\n"
    (tmp_path / "checklists" / "claim.yml").write_text(entry)
    with pytest.raises(UserError, match="perhaps"):
        read_checklist(tmp_path, "claim")
