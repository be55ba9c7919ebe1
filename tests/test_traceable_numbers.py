"""Every number of the results pages leads by one link to the part of the run that made it."""

import re
import shutil

import pytest
from test_book import BOOK, ROW, write_run

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.site.claims_page import write_claims
from fetal_book.site.results_page import write_results

CHAPTER = list(CHAPTERS)[3]
LINK = re.compile(r"\{ref\}`([^<`]+) <(run-[a-z0-9_.-]+)>`")
BOLD = re.compile(r"\*\*(-?[\d,.]+)(?: [^*]*)?\*\*")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Write the pages of the kept runs and of a run on phantoms, by name."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(BOOK / "published", root / "book" / "published")
    shutil.copy(BOOK / "sources.yml", root / "book" / "sources.yml")
    rows = [
        ROW | {"model": "vgg16_mask", "metric": "adf_mm", "unit": "mm", "split": "test"},
        ROW | {"model": "vgg16_mask_pixel_size", "metric": "adf_mm", "unit": "mm", "ci95": None},
        ROW | {"model": "unet", "metric": "adf_mm", "unit": "mm", "n": None},
    ]
    write_run(root / "runs" / "book" / CHAPTER, *rows)
    write_results(root, [CHAPTER])
    write_claims(root, [CHAPTER])
    generated = root / "book" / "generated"
    names = ("results", "against_sources", "leak_ladder")
    return {name: (generated / f"{name}.md").read_text("utf-8") for name in names}


def records(pages):
    """Return the links to the records of the runs that a label leads to, by label."""
    parts = re.split(r"^\((run-[a-z0-9_.-]+)\)=$", pages["results"], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_run_that_is_shown_offers_its_record_where_the_links_lead(pages):
    parts = records(pages)
    kept = list((BOOK / "published").glob("*/*/record.json"))
    assert len(kept) > 5 and len(parts) == len(kept) + 1  # one is made up
    for label, text in parts.items():
        head = text.partition("{dropdown}")[0]
        assert re.search(r"\{download\}`record\.json <\S+/record\.json>`", head), label
        assert "| **Code** |" in head and "| **Profile, seed** |" in head


def test_every_number_of_the_page_of_all_numbers_leads_to_its_own_run(pages):
    count = 0
    for label, text in records(pages).items():
        rows = [line.strip("|").split(" | ") for line in text.splitlines() if " | " in line]
        cells = [one for row in rows for one in row[1:-1] if "{ref}" in one]
        assert cells, label
        for one in cells:
            assert [label] == [found for _, found in LINK.findall(one)], one
            assert re.match(r"\{ref\}`-?[\d,.]+ ", one), one
        count += len(cells)
    assert count > 200


def test_every_number_against_the_sources_stands_beside_the_link_to_its_run(pages):
    known, page = records(pages), pages["against_sources"]
    rows = [line for line in page.splitlines() if line.startswith("| **Ours")]
    numbers = [one for row in rows for one in row.strip("| ").split(" | ")[1].split("<br>")]
    numbers = [one for one in numbers if one != "no run yet"]
    assert len(numbers) > 30
    for one in numbers:
        links = [label for _, label in LINK.findall(one)]  # two runs may share a fit
        assert links and known.keys() >= set(links), one
    texts = [line for line in page.splitlines() if line.startswith(": ")]
    bold = [m for line in texts for m in BOLD.finditer(line)]
    linked = [m for line in texts for m in LINK.findall(line) if not m[0].startswith("run ")]
    assert len(bold) > 2 and len(linked) > 10 and len(bold) + len(linked) > 20
    assert all(label in known and re.match(r"-?\d", number) for number, label in linked)
    for found in bold:
        after = found.string[found.end() :]
        assert re.match(r" \([^{)]*\{ref\}`run [^`]+<run-[^`]+>`", after), found.string


def test_every_rung_leads_to_its_run(pages):
    known, page = records(pages), pages["leak_ladder"]
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    rows = [row for row in rows if row.split(" | ")[1] not in ("n", "The flaw makes it")]
    assert len(rows) > 10
    for row in rows:
        assert [label in known for _, label in LINK.findall(row)] == [True], row


def test_every_figure_says_which_run_drew_it(pages):
    known, page = records(pages), pages["against_sources"]
    figures = re.findall(r"```\{figure\} .*?```\n", page, re.DOTALL)
    assert len(figures) >= 4
    for text in figures:
        assert re.search(r":alt: \S", text)
        (label,) = [label for _, label in LINK.findall(text)]
        assert label in known
