"""A chapter's page begins with real data: what its reference runs found, and never phantoms."""

import json
import shutil
from pathlib import Path

from test_book import write_run
from test_claims import SOURCE, millimetres

from fetal_book.runs.case_gallery import Tile, gallery_html
from fetal_book.runs.exhibits import save_gallery
from fetal_book.runs.record import read_record
from fetal_book.runs.stage import reference_part
from fetal_book.site.reference_part import write_reference_parts

CHAPTER = "04_head_circumference"
SPLIT = "image,examination,part\na,1,train\nb,1,train\nc,2,test\n"
RESULTS = "model,n,adf_mm\nunet,9,2.10 (1.80 to 2.40)\n"


def written(root, folder, *rows, data):
    """Write a kept run with tables; return the part of its chapter."""
    run = root / "book" / "published" / CHAPTER / folder
    write_run(run, *rows, data=data)
    (run / "tables").mkdir()
    (run / "tables" / "split.csv").write_text(SPLIT)
    (run / "tables" / "results.csv").write_text(RESULTS)
    released = {"hc18": [{"words": "all of it", "images": 9, "groups": 5}]}
    (root / "book" / "released.yml").write_text(json.dumps(released))
    html = gallery_html([Tile(b"", "a.png", "right", {"Dice": (0.9, "0.9")})], "heads", "Heads.")
    save_gallery(run, html, "heads", "Heads.")
    (run / "tables" / "index.json").write_text(json.dumps({"results": {"caption": "All models."}}))
    (root / "book" / "sources.yml").write_text(json.dumps([SOURCE]))
    write_reference_parts(root, [])
    return (root / "book" / "generated" / "reference" / f"{CHAPTER}.md").read_text("utf-8")


def test_a_run_on_scans_shows_who_was_in_its_scores_and_whether_its_code_is_old(tmp_path):
    text = written(tmp_path, "kept", millimetres("unet", "test", 2.1, data="hc18"), data="hc18")
    assert text.startswith("### Learnt from hc18: run kept\n")
    counts = "| all of it | 9 | 5 |\n| train | 2 | 1 |\n| test | 1 | 1 |\n| together | 3 | 2 |"
    assert counts in text
    own = 'id="gallery-04-kept-heads"'
    assert own in text and "Right and wrong cases: heads of the test part, run kept" in text
    assert "```{table} All models: hc18, run kept." in text and "2.10 (1.80 to 2.40)" in text
    assert "**Made by older code**" in text
    assert f"<../published/{CHAPTER}/kept/record.json>" in text


def test_a_run_of_two_sets_names_both_and_tells_who_was_in_by_its_own_table(tmp_path):
    own = millimetres("unet", "test", 2.1, data="hc18")
    covered = own | {"metric": "coverage", "unit": "", "value": 0.8}
    written(tmp_path, "joined", own, covered, data="hc18")
    run = tmp_path / "book" / "published" / CHAPTER / "joined"
    record = json.loads((run / "record.json").read_text())
    record["parameters"] = {"also": {"value": "sets/a_clinic"}, "coverage": {"value": 0.9}}
    (run / "record.json").write_text(json.dumps(record))
    table = 'source,"left out, why",adf_mm\nhc18,2 blurred,3.0\n'
    (run / "tables" / "who_was_in.csv").write_text(table)
    (tmp_path / "data_manifests").mkdir()
    shutil.copy(
        Path(__file__).parents[1] / "data_manifests" / "hc18.yml", tmp_path / "data_manifests"
    )
    write_reference_parts(tmp_path, [])
    text = (tmp_path / "book" / "generated" / "reference" / f"{CHAPTER}.md").read_text("utf-8")
    assert "what is drawn from them: `hc18` CC-BY-4.0.\n" in text
    assert text.startswith("### Learnt from hc18 and a_clinic: run joined\n")
    assert "| source | left out, why | ADF (mm) |" in text and "| hc18 | 2 blurred |" in text
    assert "| train |" not in text and "their intervals, 0.9 promised: unet 0.800" in text


def test_of_a_run_that_learnt_from_phantoms_only_what_it_met_elsewhere_is_shown(tmp_path):
    rows = millimetres("unet", "test", 1.1), millimetres("unet", "external", 7.7, data="hc18")
    text = written(tmp_path, "kept", *rows, data="phantom")
    assert "Scored on hc18, which it did not learn from: run kept." in text
    assert (
        "| Model | `adf_mm`, mm ↓ | n |" in text
        and "| unet | {ref}`7.70 <" in text
        and "1.10" not in text
        and "Who was in" not in text
    )
    assert "Right and wrong" not in text  # these heads are phantoms


def test_the_page_says_which_of_the_two_a_reader_looks_at(tmp_path):
    written(tmp_path, "kept", millimetres("unet", "test", 2.1, data="hc18"), data="hc18")
    shown = tmp_path / "runs" / "book" / CHAPTER
    write_run(shown, millimetres("unet", "test", 5.0))
    text = reference_part(read_record(shown), tmp_path / "book")
    assert text.index("## What it does on real data") < text.index("../generated/reference/04_")
    assert text.endswith("## The chapter, on phantoms")
    assert reference_part(read_record(shown), tmp_path) == ""
