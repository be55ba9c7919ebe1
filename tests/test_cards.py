"""Model cards and data sheets: numbers from runs and manifests only, and nothing left out."""

import hashlib
import json

import pytest
import yaml
from test_book import BOOK, PROJECT, ROW, write_run

from fetal_book.app.shelf import SHIPPED
from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.runs.published import published_runs
from fetal_book.site.cards import (
    ModelText,
    facts_table,
    failures,
    read_cards,
    sources,
    write_model_cards,
)
from fetal_book.site.claims import read_sources
from fetal_book.site.data_sheets import sheet, write_data_sheets
from fetal_book.site.shown_runs import ShownRun
from fetal_lib.data.catalogue import manifest_names, read_manifest
from fetal_lib.errors import UserError

MODEL = {
    "name": "head_circumference",
    "title": "Heads",
    "chapter": "04_head_circumference",
    "shipped": "head_circumference",
    "made_by": "hc18-quick",
    "scored_as": "{network}",
    "subgroups": "by_trimester",
    "command": "predict hc",
    "intended": "Teaching.",
    "not_seen": "Anything else.",
    "limits": ["One.", "Two."],
    "fails": ["Often."],
}
SPEC = {"network": "unet", "relative_half_width": 0.031863, "trained_on": "hc18", "norms": {"a": 1}}


@pytest.fixture
def page(tmp_path):
    """Write a project with a shipped model and a run's model; return the cards."""
    book = tmp_path / "book"
    published = book / "published" / "04_head_circumference" / "hc18-quick"
    other = ROW | {"model": "mean", "value": 0.123456, "data": "hc18"}
    write_run(published, ROW | {"data": "hc18"}, other, data="hc18", profile="quick")
    (published / "tables").mkdir()
    (published / "tables" / "by_trimester.csv").write_text("trimester,ADF (mm)\nfirst,1.70672\n")
    shown = tmp_path / "runs" / "book" / "04_head_circumference"
    write_run(shown, ROW | {"value": 0.5, "ci95": None})
    for folder in (shown / "model", tmp_path / "fetal_lib/pretrained/head_circumference"):
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps(SPEC))
        (folder / "weights.npz").write_bytes(b"weights")
    (book / "cards.yml").write_text(yaml.safe_dump({"models": [MODEL], "phantoms": []}))
    write_model_cards(tmp_path, ["04_head_circumference"])
    return (book / "generated" / "model_cards.md").read_text("utf-8")


def test_shipped_and_own_model_have_cards_of_their_own_with_the_numbers_of_their_runs(page):
    head, shipped, own = page.split("### Heads: ")
    assert "Limits\n: - One.\n  - Two.\n" in head and "Anything else." in head
    assert "{ref}`run hc18-quick <run-04-hc18-quick>`" in shipped
    assert "| unet | 0.972 (0.970 to 0.974) | 9 |" in shipped and "0.123" not in page
    assert "| first | 1.71 |" in shipped and "`relative_half_width` | 0.0319" in shipped
    assert "7 bytes, SHA-256" in shipped and "norms" not in page
    assert "| unet | 0.500 | 9 |" in own and "proves the wiring only" in own
    assert "phantoms" in own and "phantoms" not in shipped


def test_a_card_shows_the_figure_that_its_run_has_and_says_where_it_is_made_up(tmp_path):
    text = ModelText(**MODEL | {"figure": "worst"})
    kept = tmp_path / "book" / "published" / "04_head_circumference" / "hc18-quick"
    shown = tmp_path / "runs" / "book" / "04_head_circumference"
    for folder, data in ((kept, "hc18"), (shown, "phantom")):
        write_run(folder, ROW, data=data)
        (folder / "figures").mkdir()
        words = {"worst": {"caption": "The worst.", "alt": "Heads."}}
        (folder / "figures" / "index.json").write_text(json.dumps(words))
    real, made_up = (ShownRun(tmp_path, folder) for folder in (kept, shown))
    assert failures(text, real) == ""  # its caption alone is no figure
    for folder in (kept, shown):
        (folder / "figures" / "worst.png").touch()
    assert failures(text, real).splitlines() == [
        "```{figure} ../published/04_head_circumference/hc18-quick/figures/worst.png",
        ":name: fig-card-head-circumference-kept",
        ":alt: Heads.",
        "",
        f"**hc18.** The worst. From {real.link}.",
        "```",
    ]
    assert "**Phantoms, made up.** The worst." in failures(text, made_up)
    assert "../runs/04_head_circumference/figures" in failures(text, made_up)
    assert failures(ModelText(**MODEL), real) == ""


def test_a_model_without_a_run_says_so(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "cards.yml").write_text(
        yaml.safe_dump({"models": [MODEL], "phantoms": []})
    )
    write_model_cards(tmp_path, [])
    page = (tmp_path / "book" / "generated" / "model_cards.md").read_text("utf-8")
    assert "No run in this book has saved this model yet." in page


def test_a_shipped_model_that_no_run_made_shows_the_card_of_its_training(tmp_path):
    own = {**MODEL, "shipped": "finder", "made_by": "", "scored_as": ""}
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "cards.yml").write_text(yaml.safe_dump({"models": [own], "phantoms": []}))
    write_model_cards(tmp_path, [])
    page = tmp_path / "book" / "generated" / "model_cards.md"
    assert "This model is not shipped yet." in page.read_text("utf-8")
    folder = tmp_path / "fetal_lib" / "pretrained" / "finder"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(SPEC | {"trained_on": "hc18 and phantoms"}))
    (folder / "weights.npz").write_bytes(b"weights")
    (folder / "card.md").write_text("# Finder\n\nTrained on heads.\n\n| Dice | 0.9 |\n")
    write_model_cards(tmp_path, [])
    text = page.read_text("utf-8")
    assert "## Heads\n" in text and "# Finder" not in text
    assert "| Learnt from | hc18 and phantoms |" in text and "7 bytes, SHA-256" in text
    assert text.endswith("Trained on heads.\n\n| Dice | 0.9 |\n")


def test_a_card_with_a_misspelt_entry_is_refused(tmp_path):
    wrong = MODEL | {"limit": ["One."]}
    (tmp_path / "cards.yml").write_text(yaml.safe_dump({"models": [wrong], "phantoms": []}))
    with pytest.raises(UserError, match="limit"):
        read_cards(tmp_path)


def test_every_chapter_and_every_shipped_model_has_a_card():
    models = read_cards(BOOK).models
    scored = [model.chapter for model in models if model.scored_as]
    assert scored == [one.chapter for one in read_sources(BOOK)]
    shipped = {path.parent.name for path in SHIPPED.glob("*/model.json")}
    assert shipped <= {model.shipped for model in models}


@pytest.mark.parametrize("folder", [one.shipped for one in read_cards(BOOK).models if one.shipped])
def test_the_sums_of_what_is_shipped_stand_on_its_card(folder):
    place = PROJECT / "fetal_lib" / "pretrained" / folder
    told = facts_table({}, {}, place)
    learnt = [path for path in place.iterdir() if path.suffix in (".onnx", ".npz")]
    assert learnt and all(hashlib.sha256(one.read_bytes()).hexdigest() in told for one in learnt)


def test_the_run_that_a_card_names_has_the_numbers_of_the_model_that_is_shipped():
    for model in (one for one in read_cards(BOOK).models if one.made_by):
        run = next(one for one in published_runs(model.chapter) if one.name == model.made_by)
        found = {(r["model"], r["metric"]): r["value"] for r in run.rows if r["split"] == "test"}
        lines = (SHIPPED / model.shipped / "card.md").read_text("utf-8").splitlines()
        stated = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
        numbers = {row[0]: row[1] for row in stated if (model.scored_as, row[0]) in found}
        assert len(numbers) >= 5
        for metric, value in numbers.items():
            assert f"{found[model.scored_as, metric]:.4g}" == value, metric


def test_no_number_of_a_run_is_typed_into_a_card():
    for model in read_cards(BOOK).models:
        for text in (model.intended, model.not_seen, *model.limits, *model.fails):
            assert not any(char.isdigit() for char in text.replace("T1", "").replace("T2", "")), (
                text
            )


def test_every_manifest_has_a_sheet_with_licence_group_rule_and_citation(tmp_path):
    (tmp_path / "data_manifests").symlink_to(PROJECT / "data_manifests")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "cards.yml").write_bytes((BOOK / "cards.yml").read_bytes())
    write_data_sheets(tmp_path, [])
    generated = tmp_path / "book" / "generated"
    names = ("data_sheets", "phantom_sheets", "own_layouts")
    public, phantoms, own = ((generated / f"{name}.md").read_text("utf-8") for name in names)
    flat = " ".join((public + own).split())
    for name in manifest_names():
        manifest = read_manifest(PROJECT / "data_manifests" / f"{name}.yml")
        assert f"`{name}`" in flat
        assert " ".join(manifest.subject_rule.split()).replace("|", "\\|") in flat
        for problem in manifest.known_problems:
            assert " ".join(problem.split()).replace("|", "\\|") in flat
        if manifest.access != "own":
            assert manifest.licence in public and f"### {manifest.title}" in public
    assert public.count("Cite as: ") == public.count("### ")
    assert "132,926,838 | SHA-256 `fd20d7909df8" in public
    sizes = "48 (`smoke`), 120 (`quick`), 120 (`long`), 806 (`full`)"
    assert f"| {sizes} phantom examinations |" in phantoms


def test_chapters_link_only_where_there_is_a_page():
    manifest = read_manifest(PROJECT / "data_manifests" / "hc18.yml")
    text = sheet(manifest, ["04_head_circumference"])
    assert "| **Chapters** | 03, [04](../notebooks/04_head_circumference) |" in text


def test_the_kinds_of_phantoms_are_those_of_the_command():
    from fetal_book.cli.phantoms import KINDS

    assert {one.name for one in read_cards(BOOK).phantoms} <= set(KINDS)
    drawn = {chapter for one in read_cards(BOOK).phantoms for chapter in one.chapters}
    assert drawn <= set(CHAPTERS) and {one.chapter for one in read_sources(BOOK)} <= drawn


def test_what_cards_are_made_of_exists():
    assert {"book/cards.yml", "data_manifests/hc18.yml", "book/checklists/claim.yml"} <= set(
        sources(PROJECT)
    )
    assert all((PROJECT / path).is_file() for path in sources(PROJECT))
