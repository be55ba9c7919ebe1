"""Tables of text: tolerant where there is one reading, else all bad rows are named."""

from __future__ import annotations

import math

import pytest

from fetal_lib.readers.delimited import TableReadError, numbers, read_text_table

LIMITS = {"size": (0.01, 1000, "mm"), "age": (0, 400, "days")}


def read(tmp_path, content: str | bytes, required=("image",), optional=("size", "age")):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = read_text_table(path, required, optional)
    values, problems = numbers(table, LIMITS)
    return table, values, problems


@pytest.mark.parametrize(
    "content",
    [
        "image,size,age\na.png,0.5,140\nb.png,,\n",
        "image;size;age\na.png;0.5;140\nb.png;;\n",
        "image\tsize\tage\na.png\t0.5\t140\nb.png\t\t\n",
        "image;size;age\na.png;0,5;140\nb.png;;\n",
        '"image","size","age"\n"a.png","0,5","140"\n"b.png","",""\n',
        "\ufeffimage,size,age\r\na.png,0.5,140\r\nb.png,NA,nan\r\n",
        "image,size,age\ra.png,0.5,140\rb.png,,",
        "image,size,age\r\na.png,0.5,140\n\n\nb.png,,\r",
        " Image , SIZE,Age,,\n a.png , 0.5 ,140,,\nb.png,-,None,,\n,,,,\n",
        "age,extra,size,image\n140,x,5e-1,a.png\n,,,b.png\n",
        "image;size;age\na.png;0.5;140\nb.png;;\n".encode("utf-16"),
    ],
)
def test_one_table_written_in_many_ways_reads_the_same(tmp_path, content):
    table, values, problems = read(tmp_path, content)
    assert not problems
    assert [row["image"] for row in table.rows] == ["a.png", "b.png"]
    assert values["size"][0] == 0.5 and values["age"][0] == 140
    assert math.isnan(values["size"][1]) and math.isnan(values["age"][1])


def test_a_column_that_is_not_there_is_unknown(tmp_path):
    _, values, problems = read(tmp_path, "image\na.png\nb.png\n")
    assert not problems and all(math.isnan(x) for x in values["size"])


def test_names_keep_their_zeros_and_letters(tmp_path):
    table, _, _ = read(tmp_path, "image,size\n007,1\nFötus α.png,2\n")
    assert [row["image"] for row in table.rows] == ["007", "Fötus α.png"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("a;1,234", "line 2: size is '1,234', a thousand or a decimal comma"),
        ("a;0,5\nb;0.5", "line 2: size is '0,5', and other numbers have decimal points"),
        ("a;1.234,5", "line 2: size is '1.234,5', no number"),
        ("a;12 mm", "'12 mm', no number"),
        ("a;1_000", "no number"),
        ("a;١٢", "no number"),
        ("a;inf", "no number"),
        ("a;-3", "size is -3; it must be 0.01-1000 mm"),
        ("a;1e9", "size is 1e\\+09; it must be"),
    ],
)
def test_a_number_that_is_not_certain_is_a_problem(tmp_path, rows, found):
    import re

    _, _, problems = read(tmp_path, f"image;size\n{rows}\n")
    assert problems and re.search(found, problems[0])


def test_a_thousand_with_a_sure_comma_beside_it_is_a_decimal(tmp_path):
    _, values, problems = read(tmp_path, "image;size\na;1,234\nb;0,5\n")
    assert not problems and values["size"] == [1.234, 0.5]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "no header"),
        ("\n\n", "no header"),
        ("image,size\n", "no row below the header"),
        ("size,age\n1,2\n", r"column\(s\) \['image'\] missing; found \['size', 'age'\]"),
        ("image,image,size\na,b,1\n", r"\['image'\] stand more than once"),
        ("image;size,age\na;1,2\n", "the header has ',' and ';'"),
        ("image,size\na.png,0,5\n", "line 2 has 3 fields, the header 2: .* with a comma"),
        ("image,size\na.png\nb.png,1,2,3\n", "line 2 has 1 fields.*line 3 has 4 fields"),
        ('image,size\n"a.png,1\n', "line 2: unexpected end"),
        (b"image,size\na\0.png,1\n", "NUL bytes"),
        ("image,size\nFötus.png,1\n".encode("latin-1"), "byte 12 is no UTF-8"),
        (b"PK\x03\x04 sheet", "an Excel or ZIP file; save the sheet as 'CSV UTF-8'"),
        (b"\xff\xfei", "UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content, found):
    with pytest.raises(TableReadError, match=f"table.csv: .*{found}") as raised:
        read(tmp_path, content)
    assert raised.value.problems and raised.value.path == tmp_path / "table.csv"


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(TableReadError, match="a folder"):
        read_text_table(tmp_path, ["image"])
    with pytest.raises(TableReadError, match="absent.csv: no such file"):
        read_text_table(tmp_path / "absent.csv", ["image"])
