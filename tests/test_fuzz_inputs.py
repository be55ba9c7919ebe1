"""Damaged tables, parameters and manifests: what they hold, or one error meant for the user."""

from __future__ import annotations

import math

import pytest
import yaml
from damaged_files import changes_near, fuzz, mutated
from hypothesis import given
from hypothesis import strategies as st

from fetal_book.parameters.base import ParameterError
from fetal_book.parameters.chapters import CHAPTERS, get_chapter
from fetal_book.parameters.parse import parse_assignments
from fetal_book.parameters.resolve import resolve_parameters
from fetal_lib.data.catalogue import manifest_folder, manifest_names, read_manifest
from fetal_lib.data.manifest import ManifestError
from fetal_lib.predict.pixel_sizes import read_pixel_sizes
from fetal_lib.readers.delimited import TableReadError

pytestmark = pytest.mark.slow
FUZZ = fuzz(400)
SIZES = "filename;pixel size(mm);ga_days\n000_HC.png;0,1312;141\nbäuch 2.png;0,2;\n".encode()
VALUES = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["none", "[]", "{}", "null", "true", "1e999", "٣", "..", "/", "\0", "quick"]),
)


@given(changes=changes_near(0.5))
@FUZZ
def test_a_damaged_table_of_sizes(tmp_path, changes):
    path = tmp_path / "sizes.csv"
    path.write_bytes(mutated(SIZES, changes))
    try:
        sizes = read_pixel_sizes(path)
    except TableReadError as error:
        assert str(error).startswith(path.name)
    else:
        assert all(math.isnan(one) or 0 < one < math.inf for one in sizes.by_name.values())


@pytest.mark.parametrize("chapter", CHAPTERS)
@given(data=st.data())
@FUZZ
def test_damaged_parameters(chapter, data):
    cls = get_chapter(chapter).parameters_class()
    names = st.one_of(st.sampled_from(sorted(cls.model_fields)), st.text(max_size=8))
    chosen = data.draw(st.dictionaries(names, VALUES, max_size=4))
    try:
        values = parse_assignments(cls, [f"{name}={value}" for name, value in chosen.items()])
        resolve_parameters(get_chapter(chapter), "smoke", values)
    except ParameterError as error:
        assert str(error)


@pytest.mark.parametrize("name", ["hc18", "oasis1"])
@given(changes=changes_near(0.9))
@FUZZ
def test_damaged_manifests(tmp_path, name, changes):
    assert name in manifest_names()
    path = tmp_path / f"{name}.yml"
    path.write_bytes(mutated((manifest_folder() / f"{name}.yml").read_bytes(), changes))
    try:
        assert read_manifest(path).name == name
    except ManifestError as error:
        assert str(error).startswith(str(path))


@given(cells=st.recursive(st.one_of(st.none(), st.booleans(), st.text()), st.lists, max_leaves=9))
@FUZZ
def test_yaml_of_any_shape_is_no_manifest(tmp_path, cells):
    path = tmp_path / "hc18.yml"
    path.write_text(yaml.safe_dump(cells), encoding="utf-8")
    with pytest.raises(ManifestError):
        read_manifest(path)
