"""The sources' claims beside the runs: what is printed, of which run, and what is refused."""

import json
import re

import pytest
import yaml
from test_book import BOOK, PROJECT, ROW, write_run

from fetal_book.parameters.chapters import CHAPTERS
from fetal_book.runs.published import published_runs
from fetal_book.site.claims import NUMBER, Source, read_sources
from fetal_book.site.claims_page import figures, filled, write_claims
from fetal_book.site.shown_runs import shown_runs
from fetal_lib.errors import UserError

SOURCE = {
    "chapter": "04_head_circumference",
    "source": "003",
    "title": "Heads",
    "claimed": "Nothing.",
    "holds": "It errs by [[unet adf_mm]].",
    "differs": "The old one scored [[old adf_mm protocol]], another one [[gone adf_mm]].",
    "figures": [{"name": "agreement", "shows": "A point a head."}],
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
SOURCE["flaws"][0]["note"] = "tuned to it"


CHAPTER = "04_head_circumference"
PAGES = ("against_sources", "leak_ladder")

SIDE_ROWS = {
    "gaussian_process_outer_folds",
    "gaussian_process_training_set",
    "linear_outer_folds",
    "linear_two_fold_worst",
    "ofd_by_mean",
    "sfcn_no_eval_best_epoch_on_test",
    "sfcn_no_eval_epoch_of_other_half",
    "trees_outer_folds",
    "trees_training_set",
    "unet_heads_of_both",
    "unet_heads_of_fetal_biometry_fp",
    "unet_heads_of_hc18",
}
"""Second examples of a flaw that is on the ladder, and a network asked at the other hospital, which
is no flaw; the forest is no source's."""


def millimetres(model, split, value, **more):
    """Return a result row of an error in millimetres."""
    row = {"model": model, "split": split, "metric": "adf_mm", "value": value, "unit": "mm"}
    return ROW | row | {"higher_is_better": False, "ci95": None} | more


SHOWN = millimetres("unet", "test", 5.0), millimetres("old", "protocol", 3.0)


OF_NEW_RUNS = {"sfcn_eval_epoch_of_other_half"}
"""Rows that runs with age networks have since their epoch is chosen by others, too."""


def show(root, *rows, kept=(), name="hc18-quick", data="hc18", **record):
    """Write a project with one source, a shown run and a kept one; return the two pages."""
    book = root / "book"
    book.mkdir(exist_ok=True)
    if rows:
        write_run(root / "runs" / "book" / CHAPTER, *rows, **record)
    if kept:
        write_run(book / "published" / CHAPTER / name, *kept, data=data)
    (book / "sources.yml").write_text(yaml.safe_dump([SOURCE]), encoding="utf-8")
    write_claims(root, [CHAPTER] if rows else [])
    return [(book / "generated" / f"{n}.md").read_text("utf-8") for n in PAGES]


def answers(page):
    """Return the rows of a page's tables of answers by their bold beginning."""
    return dict(line.strip("| ").split(" | ", 1) for line in page.splitlines() if "| **" in line)


@pytest.fixture
def pages(tmp_path):
    """Write a project with one source and two runs; return the two pages."""
    row = millimetres("unet", "test", 2.1, data="hc18", ci95=[1.8, 2.4], n=146)
    return show(tmp_path, *SHOWN, kept=[row])


def test_real_data_and_phantoms_have_rows_of_their_own_and_each_number_leads_to_its_run(pages):
    lines = answers(pages[0])
    real = lines["**Ours, honest protocol, real data**"]
    made_up = lines["**Ours, honest protocol, phantoms**"]
    assert "{dropdown} Claim by claim, reported and measured: 1 table" in pages[0]
    assert "```{table} Error: reported and measured." in pages[0]
    assert real == (
        "**hc18**: unet, `adf_mm` 2.10 mm (1.80 to 2.40, n 146), "
        "{ref}`run hc18-quick <run-04-hc18-quick>`, which proves the wiring only"
    )
    assert made_up.startswith("phantoms: unet, `adf_mm` 5.00 mm (n 9), {ref}`run smoke-phantom <")
    assert lines["**Ours, the source's protocol, real data**"] == "no run yet"
    assert lines["**Ours, the source's protocol, phantoms**"].startswith("phantoms: old, ")


def test_the_text_on_a_source_takes_its_numbers_from_the_runs_real_data_first(pages):
    assert "errs by **2.10 mm** (1.80 to 2.40, n 146, hc18, {ref}`run hc18-quick" in pages[0]
    assert "The old one scored **3.00 mm** (n 9, phantoms, {ref}`run smoke-phantom" in pages[0]
    assert "another one (no run yet)." in pages[0]


def test_the_numbers_of_one_sentence_are_of_one_run_where_it_has_them_all(pages, tmp_path):
    runs = shown_runs(tmp_path, ["04_head_circumference"])
    compared = filled("From [[unet adf_mm]] to [[old adf_mm protocol]]. Or [[unet adf_mm]].", runs)
    first, second = compared.split(" Or ")
    label = "run-04-smoke-phantom-shown"
    assert first.startswith(f"From {{ref}}`5.00 mm <{label}>` to {{ref}}`3.00 mm <{label}>`. ")
    assert f"(Both on phantoms, n 9, {{ref}}`run smoke-phantom <{label}>`" in first
    assert second.startswith("**2.10 mm** (1.80 to 2.40, n 146, hc18, ")


def test_the_same_numbers_of_two_runs_are_told_once_with_both(pages, tmp_path):
    book, name = tmp_path / "book", "04_head_circumference"
    again = book / "published" / name / "again"
    write_run(again, *SHOWN)
    write_claims(tmp_path, [name])
    texts = [(book / "generated" / f"{n}.md").read_text("utf-8") for n in PAGES]
    smoke = ", which proves the wiring only"
    both = f"{{ref}}`run smoke-phantom <run-04-smoke-phantom-shown>`{smoke} and {{ref}}`run again "
    assert texts[0].count(f"phantoms: unet, `adf_mm` 5.00 mm (n 9), {both}") == 1
    assert texts[1].count("3.00 mm") == 1 and "In other runs" not in texts[1]


def test_a_flaw_in_further_runs_stands_below_the_table_of_all_flaws(pages, tmp_path):
    other = millimetres("unet", "test", 5.5), millimetres("old", "protocol", 3.0)
    write_run(tmp_path / "book" / "published" / CHAPTER / "again", *other)
    write_claims(tmp_path, [CHAPTER])
    page = (tmp_path / "book" / "generated" / "leak_ladder.md").read_text("utf-8")
    before, after = page.split("## In other runs\n")
    assert "2.00 mm better" in before and "2.50 mm better" in after and "again" not in before


def test_templates_of_an_atlas_have_no_interval(tmp_path):
    outside = millimetres("unet", "external", 7.7, data="crl_atlas", ci95=[6.0, 9.0], n=15)
    page, _ = show(tmp_path, *SHOWN, outside)
    assert "templates of **crl_atlas**: unet, `adf_mm` 7.70 mm (n 15)" in page


def test_a_difference_that_the_digits_do_not_show_is_called_none(tmp_path):
    rows = millimetres("old", "protocol", 5.0004), millimetres("unet", "test", 5.0)
    page = show(tmp_path, *rows)[1]
    assert "| no different | 5.00 mm | 5.00 mm |" in page and "0.000" not in page


def test_every_run_that_is_named_has_its_part_among_all_numbers(pages, tmp_path):
    from fetal_book.site.results_page import write_results

    write_results(tmp_path, ["04_head_circumference"])
    numbers = (tmp_path / "book" / "generated" / "results.md").read_text("utf-8")
    labels = re.findall(r"^\((.+)\)=$", numbers, re.MULTILINE)
    assert len(labels) == len(set(labels)) == 2
    assert set(re.findall(r"`run [^<]+ <([^>]+)>`", "".join(pages))) == set(labels)
    for place in ("published/04_head_circumference/hc18-quick", "runs/04_head_circumference"):
        assert f"<{place}/record.json>" in numbers and f"<{place}/results.json>" in numbers


def save_figures(run, *names):
    """Write figures of a run, and their words."""
    folder = run.folder / "figures"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.png").touch()
    words = {name: {"caption": f"The {name}.", "alt": f"A plot of {run.data}."} for name in names}
    (folder / "index.json").write_text(json.dumps(words), encoding="utf-8")


def source_with(*pictures):
    """Return the source with other figures."""
    return Source.model_validate(SOURCE | {"figures": list(pictures)})


def test_the_figure_is_that_of_real_data_and_has_words(pages, tmp_path):
    runs = shown_runs(tmp_path, ["04_head_circumference"])
    source = read_sources(tmp_path / "book")[0]
    assert figures(source, runs) == []
    for run in runs:
        save_figures(run, "agreement")
    (text,) = figures(source, runs)
    assert "published/04_head_circumference/hc18-quick/figures/agreement.png" in text
    assert ":name: fig-source-003-agreement" in text and ":alt: A plot of hc18." in text
    link = "{ref}`run hc18-quick <run-04-hc18-quick>`"
    assert f"**hc18.** The agreement. A point a head. From {link}" in text
    assert "**Phantoms, made up.** The agreement." in figures(source, runs[1:])[0]


def test_pictures_of_single_cases_are_of_phantoms(pages, tmp_path):
    runs = shown_runs(tmp_path, ["04_head_circumference"])
    source = source_with({"name": "heat_maps", "shows": "Heat.", "of_phantoms": True})
    save_figures(runs[0], "heat_maps")
    assert not runs[0].phantom and figures(source, runs) == []
    save_figures(runs[1], "heat_maps")
    (text,) = figures(source, runs)
    assert "**Phantoms, made up.** The heat_maps. Heat." in text


def test_a_figure_stands_in_where_the_run_of_real_data_lacks_the_other(pages, tmp_path):
    runs = shown_runs(tmp_path, ["04_head_circumference"])
    boxes = {"name": "boxes", "shows": "Boxes."}
    source = source_with(boxes, {"name": "bars", "shows": "Bars.", "instead_of": "boxes"})
    save_figures(runs[0], "bars")
    save_figures(runs[1], "boxes", "bars")
    texts = figures(source, runs)
    assert ["**Phantoms, made up.** The boxes" in texts[0], "**hc18.** The bars" in texts[1]] == [
        True,
        True,
    ]
    save_figures(runs[0], "boxes", "bars")
    (text,) = figures(source, runs)
    assert "**hc18.** The boxes. Boxes." in text
    assert figures(source, []) == []


def test_a_model_of_phantoms_on_other_data_has_a_row_of_its_own(tmp_path):
    outside = millimetres("unet", "external", 5.3, data="hc18", ci95=[4.4, 6.2], n=746)
    kept = millimetres("unet", "test", 2.1, data="hc18"), millimetres("unet", "external", 0.7)
    page, _ = show(tmp_path, millimetres("unet", "test", 2.6), outside, kept=kept)
    lines = answers(page)
    carried = lines["**Ours, learnt from phantoms and scored on other data**"]
    assert carried.startswith("**hc18**: unet, `adf_mm` 5.30 mm (4.40 to 6.20, n 746), ")
    assert carried.count("{ref}") == 1 and "0.700 mm" not in page
    assert "5.30" not in lines["**Ours, honest protocol, real data**"]
    assert "5.30" not in lines["**Ours, honest protocol, phantoms**"]


def test_individuals_blended_from_an_atlas_are_neither_real_data_nor_phantoms(tmp_path):
    rows = [
        millimetres("unet", "test", 1.1, data="spina_bifida_atlas"),
        millimetres("old", "protocol", 0.4, data="spina_bifida_atlas"),
        millimetres("unet", "external", 7.7, data="crl_atlas"),
    ]
    data = "spina_bifida_atlas"
    page, ladder = show(tmp_path, *SHOWN, kept=rows, name="of-an-atlas", data=data)
    lines = answers(page)
    assert lines["**Ours, honest protocol, real data**"] == "no run yet"
    blends = lines["**Ours, honest protocol, blends of atlas templates**"]
    assert blends.startswith("individuals blended from templates of **spina_bifida_atlas**: unet, ")
    carried = lines["**Ours, learnt from blends of an atlas and scored on other data**"]
    assert carried.startswith("templates of **crl_atlas**: unet, `adf_mm` 7.70 mm")
    assert "It errs by **5.00 mm** (n 9, phantoms, " in page  # before blends, whose folds flatter
    assert "## All flaws, blends of atlas templates" in ladder and "real data" not in ladder


def test_a_rung_needs_both_protocols_on_the_same_data(pages):
    rungs = [line for line in pages[1].splitlines() if line.startswith("| 003: ")]
    assert len(rungs) == 1 and "**hc18**" not in pages[1]
    picture, table = pages[1].split("```\n\n", 1)
    assert picture.startswith("```{figure} generated/leak_ladder.png\n")
    assert table.startswith("## All flaws, phantoms\n")
    words = "| 2.00 mm better than it is | 3.00 mm | 5.00 mm | phantoms, {ref}`run "
    assert rungs[0].startswith(f"| 003: Cheating (`adf_mm`)<br>*Tuned to it.* {words}")
    assert "All flaws, real data" not in pages[1]


def test_a_rung_shows_the_interval_of_both_numbers(tmp_path):
    flawed = millimetres("old", "protocol", 3.0, ci95=[2.5, 3.5])
    honest = millimetres("unet", "test", 5.0, ci95=[4.0, 6.5])
    page = show(tmp_path, flawed, honest)[1]
    assert "| 2.00 mm better than it is | 3.00 mm (2.50 to 3.50) | 5.00 mm (4.00 to 6.50) |" in page


def test_a_source_without_a_run_says_so(tmp_path):
    page, ladder = show(tmp_path)
    assert "no run in this book yet" in page
    assert "Nothing." in page and "It errs" not in page  # a sentence without its number is left out
    assert "No run in this book" in ladder


@pytest.mark.parametrize("broken", ['"metric": "adf_mm"', "[[unet adf_mm]]"])
def test_an_unknown_metric_is_refused(tmp_path, broken):
    bad = json.loads(json.dumps(SOURCE).replace(broken, broken.replace("adf_mm", "adf_cm")))
    (tmp_path / "sources.yml").write_text(yaml.safe_dump([bad]), encoding="utf-8")
    with pytest.raises(UserError, match="received 'adf_cm'"):
        read_sources(tmp_path)


def test_all_five_sources_are_listed_each_with_a_chapter():
    sources = read_sources(BOOK)
    assert [source.chapter for source in sources] == list(CHAPTERS)[:5]
    assert [source.source for source in sources] == ["000", "001", "002", "003", "004"]


def published_row(chapter, run, model, metric, split="test"):
    """Return a row of a reference run."""
    rows = next(one for one in published_runs(chapter) if one.name == run).rows
    return next(r for r in rows if (r["model"], r["metric"], r["split"]) == (model, metric, split))


def test_what_the_text_says_of_source_000_holds_in_the_reference_run():
    name = ("01_gestational_age", "phantom-to-spina-bifida")
    network = published_row(*name, "vgg16_attention", "mae_days")
    assert published_row(*name, "brain_volume", "mae_days")["ci95"][1] < network["ci95"][0]
    assert network["ci95"][1] < published_row(*name, "slice_measures", "mae_days")["ci95"][0]
    outside = [published_row(*name, m, "mae_days", "external") for m in ("vgg16_attention", "mean")]
    assert outside[0]["value"] > outside[1]["value"]  # it does not carry over
    assert {row["data"] for row in outside} == {"spina_bifida_atlas"}
    leaking = published_row(*name, "vgg16_source_protocol", "mae_days", "protocol")
    assert (
        leaking["value"]
        < published_row(*name, "vgg16_same_samples", "mae_days", "protocol")["value"]
    )


def test_every_name_of_a_row_in_the_sources_is_a_row_of_a_reference_run():
    for source in read_sources(BOOK):
        found = {
            (row["model"], row["metric"], row["split"])
            for run in published_runs(source.chapter)
            for row in run.rows
        }
        texts = source.claimed + source.holds + source.differs
        wanted = {(*place.split(), "test")[:3] for place in NUMBER.findall(texts)}
        for claim in source.claims:
            wanted |= {(a.model, a.metric, a.split or "test") for a in claim.ours}
            wanted |= {(a.model, a.metric, a.split or "protocol") for a in claim.protocol}
        for flaw in source.flaws:
            wanted |= {(flaw.flawed, flaw.metric, flaw.flawed_split)}
            wanted |= {(flaw.honest, flaw.metric, flaw.honest_split)}
        wanted = {row for row in wanted if row[0] not in OF_NEW_RUNS}
        assert not found or wanted <= found, wanted - found


def test_every_flaw_that_a_reference_run_re_enacts_is_on_the_ladder_or_answers_a_claim():
    for source in read_sources(BOOK):
        named = {name for flaw in source.flaws for name in (flaw.flawed, flaw.honest)}
        named |= {answer.model for claim in source.claims for answer in claim.protocol}
        rows = [row for run in published_runs(source.chapter) for row in run.rows]
        enacted = {row["model"] for row in rows if row["split"] == "protocol"}
        assert enacted - named <= SIDE_ROWS, enacted - named


def test_what_the_text_says_of_source_003_holds_in_the_reference_run():
    name = ("04_head_circumference", "hc18-quick")
    without = published_row(*name, "vgg16_mask", "adf_mm")
    sized = published_row(*name, "vgg16_mask_pixel_size", "adf_mm")
    assert sized["ci95"][1] < without["ci95"][0]  # the pixel size, not the features
    network = published_row(*name, "unet", "adf_mm")
    assert network["value"] < sized["value"]


def test_what_the_text_says_of_source_004_holds_in_the_reference_run():
    name = ("05_brain_age", "oasis1-quick")
    volumes = published_row(*name, "volumes_linear", "mae_years")
    for network in ("resnext", "sfcn"):  # hard to beat: neither network is clearly better
        assert published_row(*name, network, "mae_years")["ci95"][1] > volumes["ci95"][0]
    maps = published_row(*name, "maps_gaussian", "mae_years")
    assert maps["ci95"][1] < volumes["ci95"][0]
    straight = published_row(*name, "linear_training_set", "mae_years", "protocol")
    assert abs(straight["value"] - volumes["value"]) < 0.5
    trees = published_row(*name, "trees_training_set", "mae_years", "protocol")
    on_new = published_row(*name, "volumes_gradient_boosting", "mae_years")
    assert trees["value"] < 0.01 * on_new["value"]


def test_every_source_shows_figures_that_its_chapter_makes():
    for source in read_sources(BOOK):
        text = (PROJECT / "notebooks" / f"{source.chapter}.py").read_text("utf-8")
        made = {one.name for one in source.figures if f'"{one.name}"' in text}
        replaced = {one.instead_of for one in source.figures if one.name in made}
        assert {one.name for one in source.figures} <= made | replaced, source.chapter


def test_who_only_looks_sees_every_kind_of_figure():
    shows = {s.source: " ".join(one.shows for one in s.figures) for s in read_sources(BOOK)}
    kinds = {"000": "Heat-maps", "001": "95 % band", "002": "Box plots", "003": "Bland-Altman"}
    assert all(words in shows[source] for source, words in kinds.items())
    assert "a point a subject" in shows["004"] and "predicted over its true age" in shows["000"]


def test_what_answers_a_claim_is_in_the_published_runs():
    assert PROJECT.is_dir()
    for source in read_sources(BOOK):
        runs = [run for run in published_runs(source.chapter) if "phantom" not in run.name]
        rows = {(row["model"], row["metric"]) for run in runs for row in run.rows}
        wanted = {(a.model, a.metric) for claim in source.claims for a in claim.ours}
        assert not runs or wanted <= rows, wanted - rows
