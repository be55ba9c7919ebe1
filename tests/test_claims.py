"""The sources' claims beside the runs: what is printed, of which run, and what is refused."""

import json

import pytest
import yaml
from test_book import BOOK, PROJECT, ROW, write_run

from fetal_lib.book.claims import ClaimsError, read_sources
from fetal_lib.book.claims_page import write_claims
from fetal_lib.parameters.chapters import CHAPTERS
from fetal_lib.runs.published import published_runs

SOURCE = {
    "chapter": "04_head_circumference",
    "source": "003",
    "title": "Heads",
    "verdict": "It did not hold.",
    "claims": [
        {
            "measure": "Error",
            "reported": "none",
            "found": "40.7 mm (notebook)",
            "published": "1.77 mm",
            "ours": [{"model": "unet", "metric": "adf_mm"}],
            "protocol": [{"model": "old", "metric": "adf_mm"}],
        }
    ],
    "flaws": [{"flaw": "Cheating", "metric": "adf_mm", "flawed": "old", "honest": "unet"}],
}


def millimetres(model, split, value, **more):
    """Return a result row of an error in millimetres."""
    row = {"model": model, "split": split, "metric": "adf_mm", "value": value, "unit": "mm"}
    return ROW | row | {"higher_is_better": False, "ci95": None} | more


@pytest.fixture
def pages(tmp_path):
    """Write a project with one source and two runs; return the two pages."""
    book = tmp_path / "book"
    shown = tmp_path / "runs" / "book" / "04_head_circumference"
    write_run(shown, millimetres("unet", "test", 5.0), millimetres("old", "protocol", 3.0))
    published = book / "published" / "04_head_circumference" / "hc18-quick"
    row = millimetres("unet", "test", 2.1, data="hc18", ci95=[1.8, 2.4], n=146)
    write_run(published, row, data="hc18")
    (book / "sources.yml").write_text(yaml.safe_dump([SOURCE]), encoding="utf-8")
    write_claims(tmp_path, ["04_head_circumference"])
    generated = book / "generated"
    return [(generated / f"{n}.md").read_text("utf-8") for n in ("against_sources", "leak_ladder")]


def test_patients_come_before_phantoms_and_each_number_leads_to_its_run(pages):
    lines = dict(line.strip("| ").split(" | ", 1) for line in pages[0].splitlines() if "**" in line)
    real, made_up = lines["**Ours, honest protocol**"].split("<br>")
    protocol = lines["**Ours, the source's protocol**"]
    assert "### Error" in pages[0]
    assert real.startswith("**hc18**: unet, `adf_mm` 2.10 mm (1.80 to 2.40, n 146)")
    assert "published/04_head_circumference/hc18-quick/record.json" in real
    assert made_up.startswith("phantoms: unet, `adf_mm` 5.00 mm (n 9)")
    assert "runs/04_head_circumference/record.json" in made_up
    assert protocol.startswith("phantoms: old, `adf_mm` 3.00 mm")


def test_a_rung_needs_both_protocols_on_the_same_data(pages):
    assert "## Cheating (source 003)" in pages[1]
    rungs = [line for line in pages[1].splitlines() if "record.json" in line]
    assert len(rungs) == 1 and rungs[0].startswith("| phantoms, ")
    assert rungs[0].endswith("| 9 | 3.00 mm | 5.00 mm | 2.00 mm better than it is |")


def test_a_source_without_a_run_says_so(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "sources.yml").write_text(yaml.safe_dump([SOURCE]), encoding="utf-8")
    write_claims(tmp_path, [])
    generated = tmp_path / "book" / "generated"
    assert "no run in this book yet" in (generated / "against_sources.md").read_text("utf-8")
    assert "No run in this book" in (generated / "leak_ladder.md").read_text("utf-8")


def test_an_unknown_metric_is_refused(tmp_path):
    bad = json.loads(json.dumps(SOURCE).replace("adf_mm", "adf_cm"))
    (tmp_path / "sources.yml").write_text(yaml.safe_dump([bad]), encoding="utf-8")
    with pytest.raises(ClaimsError, match="received 'adf_cm'"):
        read_sources(tmp_path)


def test_all_five_sources_are_listed_each_with_a_chapter():
    sources = read_sources(BOOK)
    assert [source.chapter for source in sources] == list(CHAPTERS)
    assert [source.source for source in sources] == ["000", "001", "002", "003", "004"]


def test_what_answers_a_claim_is_in_the_published_runs():
    assert PROJECT.is_dir()
    for source in read_sources(BOOK):
        runs = [run for run in published_runs(source.chapter) if "phantom" not in run.name]
        rows = {(row["model"], row["metric"]) for run in runs for row in run.rows}
        wanted = {(a.model, a.metric) for claim in source.claims for a in claim.ours}
        assert not runs or wanted <= rows, wanted - rows
