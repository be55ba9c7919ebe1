"""Tables that pandas prints, as tables of the page."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("sphinx")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "book" / "_ext"))

from docutils import nodes
from exhibit_tables import is_number, is_printed_table, read_table

TABLE = pd.DataFrame({"model": ["unet", "mean"], "dice": [0.97, 0.5], "n": [9, 9]})


def texts(table: nodes.table, part: type) -> list[list[str]]:
    found = next(iter(table.findall(part)))
    return [[entry.astext() for entry in row] for row in found]


def test_frame_keeps_its_header_index_and_cells() -> None:
    table = read_table(TABLE.set_index("model").to_html())
    assert texts(table, nodes.thead) == [["model", "dice", "n"]]
    assert texts(table, nodes.tbody) == [["unet", "0.97", "9"], ["mean", "0.50", "9"]]
    assert [spec["stub"] for spec in table.findall(nodes.colspec)] == [1, 0, 0]


def test_styled_frame_without_index_has_no_stub() -> None:
    pytest.importorskip("jinja2")
    table = read_table(TABLE.style.hide(axis="index").format(precision=1).to_html())
    assert texts(table, nodes.tbody)[0] == ["unet", "1.0", "9"]
    assert [spec["stub"] for spec in table.findall(nodes.colspec)] == [0, 0, 0]


def test_spans_of_a_grouped_header_and_index_are_kept() -> None:
    wide = TABLE.assign(part="test").pivot(index="part", columns="model", values=["dice", "n"])
    head = next(iter(read_table(wide.to_html()).findall(nodes.thead)))
    assert [entry.get("morecols", 0) for entry in head[0]] == [0, 1, 1]
    deep = TABLE.set_index(["n", "model"])
    body = next(iter(read_table(deep.to_html()).findall(nodes.tbody)))
    assert body[0][0]["morerows"] == 1 and len(body[1]) == len(body[0]) - 1


def test_numbers_are_marked_for_alignment_and_words_are_not() -> None:
    row = next(iter(read_table(TABLE.to_html(index=False)).findall(nodes.tbody)))[0]
    assert [entry["classes"] for entry in row] == [[], ["number"], ["number"]]
    table = read_table(TABLE.to_html())
    head, first = (next(iter(table.findall(part)))[0] for part in (nodes.thead, nodes.tbody))
    assert [entry["classes"] for entry in first] == [[], [], ["number"], ["number"]]
    assert [entry["classes"] for entry in head] == [[], [], ["number"], ["number"]]


def test_an_interval_may_stand_below_its_number_so_that_a_table_of_many_columns_fits() -> None:
    scores = pd.DataFrame({"dice": ["0.97 (0.95 to 0.99)"], "note": ["a (b)"]})
    table = read_table(scores.to_html(index=False))
    assert texts(table, nodes.tbody) == [["0.97 (0.95 to 0.99)", "a (b)"]]
    (interval,) = table.findall(nodes.inline)
    assert (interval.astext(), interval["classes"]) == (" (0.95 to 0.99)", ["interval"])


def test_names_of_an_index_join_the_header() -> None:
    table = read_table(TABLE.groupby("model")[["dice"]].mean().to_html())
    assert texts(table, nodes.thead) == [["model", "dice"]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0.97 (0.95 to 0.99)", True), ("-1.2e-05", True), ("1,234", True), ("12.5 %", True)),
        *(("± 3", True), ("", False), ("04_x", False), ("91 x 109", False), ("1 of 3", False)),
    ],
)
def test_number_is_told_from_text(text: str, number: bool) -> None:
    assert is_number(text) == number


def test_html_with_a_script_stays_as_it_is() -> None:
    plain = nodes.raw("", TABLE.to_html(), format="html")
    assert is_printed_table(plain)
    assert not is_printed_table(nodes.raw("", "<table></table><script></script>", format="html"))


def test_frame_without_rows_and_columns_says_so() -> None:
    pytest.importorskip("jinja2")
    table = read_table(pd.DataFrame().style.hide(axis="index").to_html())
    assert texts(table, nodes.tbody) == [["no rows"]]
