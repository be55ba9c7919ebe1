"""Manifests: the shipped ones are sound, broken ones say what is wrong."""

import pytest
import yaml

from fetal_lib.data.manifest import (
    ManifestError,
    data_folder,
    load_manifest,
    manifest_folder,
    manifest_names,
    read_manifest,
)

GOOD = yaml.safe_load((manifest_folder() / "hc18.yml").read_text(encoding="utf-8"))


def write(tmp_path, **changes):
    path = tmp_path / "hc18.yml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", manifest_names())
def test_shipped_manifests_keep_the_schema(name):
    assert load_manifest(name).name == name


def test_hc18_states_the_published_sizes_and_checksums():
    manifest = load_manifest("hc18")
    table = manifest.file("training_set_pixel_size_and_HC.csv")
    assert (table.bytes, table.md5) == (33_688, "c0761518fece2bd2d2ad4218f2cd9777")
    images = manifest.file("training_set.zip")
    assert images.bytes == 132_926_838 and images.unpack
    assert sum(file.bytes for file in manifest.files) == 176_488_085
    assert manifest.access == "open" and manifest.licence == "CC-BY-4.0"
    for file in manifest.files:
        assert file.url == f"https://zenodo.org/records/1327317/files/{file.name}?download=1"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"access": "free"}, "access: Input should be 'open', 'registration' or 'request'"),
        ({"files": []}, "files is empty"),
        ({"files": GOOD["files"][:1] * 2}, "training_set.zip more than once"),
        ({"files": [{**GOOD["files"][0], "md5": "abc"}]}, "files.0.md5"),
        ({"files": [{**GOOD["files"][0], "name": "../x.zip"}]}, "files.0.name"),
        ({"files": [{**GOOD["files"][0], "bytes": 0}]}, "files.0.bytes"),
        ({"files": [{**GOOD["files"][0], "url": "file:///x"}]}, "files.0.url"),
        ({"access": "request"}, "how_to is empty"),
        ({"name": "hc19"}, "must equal the file's name"),
        ({"licence": ""}, "licence"),
    ],
)
def test_a_broken_manifest_names_the_field(tmp_path, changes, message):
    with pytest.raises(ManifestError, match=message.replace(".", r"\.")):
        read_manifest(write(tmp_path, **changes))


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [", ""])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(ManifestError, match=r"x\.yml"):
        read_manifest(path)


def test_an_unknown_name_gets_a_near_match():
    with pytest.raises(ManifestError, match="did you mean 'hc18'"):
        load_manifest("HC-18")


def test_an_unknown_file_lists_the_known_ones():
    with pytest.raises(ManifestError, match=r"its files are: training_set\.zip"):
        load_manifest("hc18").file("train.zip")


def test_data_folder_needs_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("FETAL_DATA", str(tmp_path))
    assert data_folder("hc18") == tmp_path / "hc18"
    monkeypatch.delenv("FETAL_DATA")
    with pytest.raises(ManifestError, match="FETAL_DATA is not set"):
        data_folder("hc18")


def test_the_project_folder_can_be_stated(monkeypatch, tmp_path):
    monkeypatch.setenv("FETAL_PROJECT", str(tmp_path))
    with pytest.raises(ManifestError, match="no folder data_manifests"):
        manifest_folder()
