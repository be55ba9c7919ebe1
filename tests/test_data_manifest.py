"""Manifests: the shipped ones are sound, broken ones say what is wrong."""

import pytest
import yaml

from fetal_lib.data.catalogue import (
    data_folder,
    load_manifest,
    manifest_folder,
    manifest_names,
    read_manifest,
)
from fetal_lib.data.layouts.registry import LAYOUTS
from fetal_lib.data.manifest import ManifestError

GOOD = yaml.safe_load((manifest_folder() / "hc18.yml").read_text(encoding="utf-8"))


def write(tmp_path, **changes):
    path = tmp_path / "hc18.yml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", manifest_names())
def test_shipped_manifests_keep_the_schema(name):
    assert load_manifest(name).name == name


WANTED = {
    "hc18",
    "fetal_biometry_fp",
    "fetal_planes_db",
    "fetal_brain_anomalies_16",
    "fetal_us_abnormalities",
    "ixi",
    "oasis1",
    "cam_can",
    "feta",
    "crl_atlas",
    "dhcp_fetal_atlas",
    "spina_bifida_atlas",
    "own_bids_fetal",
    "own_bids_adult",
    "own_slices",
    "own_mask_folders",
    "own_clinical_ultrasound",
}


def test_every_data_set_of_the_chapters_has_a_manifest():
    assert set(manifest_names()) >= WANTED


@pytest.mark.parametrize("name", manifest_names())
def test_a_shipped_manifest_names_rooms_that_exist(name):
    manifest = load_manifest(name)
    assert manifest.verifier in LAYOUTS


@pytest.mark.parametrize("name", manifest_names())
def test_a_set_is_cited_and_its_own_layout_is_not_fetched(name):
    manifest = load_manifest(name)
    own = manifest.name.startswith("own_")
    assert own == (manifest.access == "own") == (manifest.url == "none")
    assert own or (manifest.known_problems and len(manifest.citation) > 40)
    assert not own or manifest.columns


@pytest.mark.parametrize("name", ["fetal_brain_anomalies_16", "fetal_us_abnormalities"])
def test_misspelt_classes_are_mapped_as_the_loader_reads_them(name):
    from fetal_lib.data.anomaly_names import OUTSIDE, label_of

    for written, meant in load_manifest(name).class_names.items():
        assert meant == (OUTSIDE.get(written) or label_of(written)), written


def test_the_sixteen_classes_are_all_mapped():
    from fetal_phantoms.anomalies.labels import LABELS

    mapped = load_manifest("fetal_brain_anomalies_16").class_names
    assert len(mapped) == 16 and set(mapped.values()) == set(LABELS)


def test_published_checksums_of_ixi_and_planes_are_stated():
    assert load_manifest("ixi").file("IXI-T1.tar").md5 == "34901a0593b41dd19c1a1f746eac2d58"
    planes = load_manifest("fetal_planes_db").file("FETAL_PLANES_ZENODO.zip")
    assert (planes.md5, planes.bytes) == ("2a5fcc2cefb789bcc0f6c1f73e0ea43f", "unknown")
    assert not load_manifest("ixi").file("IXI.xls").has_checksum


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
        ({"access": "free"}, "access: Input should be 'open', 'registration', 'request' or 'own'"),
        ({"access": "own"}, "files is not empty; a layout for own data"),
        ({"url": "none"}, "only access 'own' may have none, not 'open'"),
        ({"kind": "ct"}, "kind: Input should be 'ultrasound' or 'mri'"),
        ({"chapters": ["six"]}, "chapters.0: String should match pattern"),
        ({"class_names": {"a": ""}}, "class_names.a: String should have at least 1"),
        ({"verifier": "HC 18"}, "verifier: String should match pattern"),
        ({"how_to": "Write to them"}, "how_to: Input should be a valid tuple"),
        ({"files": [{**GOOD["files"][0], "bytes": "many"}]}, "files.0.bytes"),
        ({"files": [{**GOOD["files"][2], "into": "x"}]}, "'into' without 'unpack: true'"),
        ({"files": [{**GOOD["files"][0], "into": "../x"}]}, "files.0.into"),
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
