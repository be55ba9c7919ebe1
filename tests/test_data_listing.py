"""The book's list of data sets is the one that the manifests give."""

from __future__ import annotations

from fetal_lib.data.catalogue import load_manifest, manifest_folder, manifest_names
from fetal_lib.data.layouts.registry import LAYOUTS
from fetal_lib.data.listing import markdown_table

BOOK = manifest_folder().parent / "book"
START, END = "<!-- fetal-lib data list --markdown -->", "<!-- end of the list -->"


def test_the_methods_page_lists_what_the_manifests_say():
    page = (BOOK / "methods" / "data_and_splits.md").read_text("utf-8")
    listed = page.split(START)[1].split(END)[0].strip()
    manifests = [load_manifest(name) for name in manifest_names()]
    assert listed == markdown_table(manifests), "write the output of the command there"


def test_a_table_has_as_many_cells_in_every_row():
    lines = markdown_table([load_manifest(name) for name in manifest_names()]).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {7}
    assert len(lines) == 2 + len(manifest_names())


def test_the_how_to_page_names_the_layouts_for_own_data():
    page = (BOOK / "howto" / "own_data.md").read_text("utf-8")
    assert all(f"`{name}`" in page for name in LAYOUTS)
