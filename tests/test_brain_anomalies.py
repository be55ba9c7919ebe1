"""One path table for brain anomaly sets in every export format, with the classes put right."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_scans import save, scan

from fetal_lib.data import anomaly_names as names
from fetal_lib.data.anomaly_names import LABELS
from fetal_lib.data.bad_files import BadFilesError
from fetal_lib.data.layouts.brain_anomalies import iter_images, read_cases

# As Roboflow's page and the source's label map spell them.
ROBOFLOW_CLASSES = (
    "anold-chiari-malformation",
    "arachnoid-cyst",
    "cerebellah-hypoplasia",
    "colphocephaly",
    "encephalocele",
    "holoprosencephaly",
    "hydracenphaly",
    "intracranial-hemorrdge",
    "intracranial-tumor",
    "m-magna",
    "mild-ventriculomegaly",
    "moderate-ventriculomegaly",
    "normal",
    "polencephaly",
    "severe-ventriculomegaly",
    "vein-of-galen",
)
HASH = "rf.03909b08f96c4a392a2cf038b783f343"
SET = {  # file name: (part, class as the set writes it)
    f"Copy-of-colphocephaly_29c_aug_1_png_jpg.{HASH}.jpg": ("train", "colphocephaly"),
    f"colphocephaly-29b_png.{HASH}.jpg": ("test", "colphocephaly"),
    f"m-magna-29n_aug_2_png.{HASH}.jpg": ("valid", "m-magna"),
    f"Patient00709_Plane3_1_of_3_png.{HASH}.jpg": ("train", "normal"),
}


def write_images(folder, place="{part}"):
    for i, (name, (part, kind)) in enumerate(SET.items()):
        save(folder / place.format(part=part, kind=kind) / name, scan(i, (48, 64)))


def write_class_folders(folder):
    write_images(folder, "{part}/{kind}")


def write_one_hot(folder):
    write_images(folder)
    for part in ("train", "valid", "test"):
        rows = [f"filename, {', '.join(ROBOFLOW_CLASSES)}"]
        for name, (where, kind) in SET.items():
            if where == part:
                rows.append(f"{name}, {', '.join(str(int(c == kind)) for c in ROBOFLOW_CLASSES)}")
        (folder / part / "_classes.csv").write_text("\n".join(rows) + "\n")


def write_coco(folder):
    write_images(folder)
    kinds = [{"id": 0, "name": "brain", "supercategory": "none"}]
    kinds += [{"id": i + 1, "name": c.replace("-", " ")} for i, c in enumerate(ROBOFLOW_CLASSES)]
    for part in ("train", "valid", "test"):
        here = [(n, kind) for n, (where, kind) in SET.items() if where == part]
        images = [{"id": i, "file_name": n} for i, (n, _) in enumerate(here)]
        boxes = [
            {"id": 2 * i + j, "image_id": i, "category_id": 1 + ROBOFLOW_CLASSES.index(kind)}
            for i, (_, kind) in enumerate(here)
            for j in range(2)
        ]
        content = {"images": images, "annotations": boxes, "categories": kinds}
        (folder / part / "_annotations.coco.json").write_text(json.dumps(content))


def write_yolo(folder):
    write_images(folder, "{part}/images")
    (folder / "data.yaml").write_text(f"nc: 16\nnames: {list(ROBOFLOW_CLASSES)}\n")
    for name, (part, kind) in SET.items():
        labels = folder / part / "labels"
        labels.mkdir(exist_ok=True)
        line = f"{ROBOFLOW_CLASSES.index(kind)} 0.5 0.5 0.4 0.4\n"
        (labels / name.replace(".jpg", ".txt")).write_text(2 * line)


WRITERS = {
    "class_folders": write_class_folders,
    "one_hot": write_one_hot,
    "coco": write_coco,
    "yolo": write_yolo,
}


def write_phantoms(folder):
    rows = [
        ("Patient00000_Plane1.png", "normal", "Patient00000"),
        ("Patient00000_Plane2.png", "normal", "Patient00000"),
        ("Patient00001_Plane1.png", LABELS[-1], "Patient00001"),
    ]
    for i, (name, _, _) in enumerate(rows):
        save(folder / "images" / name, scan(i, (48, 64)))
        save(folder / "lesions" / name, scan(i, (48, 64)))
    table = pd.DataFrame(rows, columns=["image", "label", "patient"])
    table["lesion"] = table["image"]
    table.assign(ga_days=150.5, pixel_size_mm=1.06).to_csv(folder / "cases.csv", index=False)


def test_the_classes_are_those_of_the_phantoms():
    phantoms = pytest.importorskip("fetal_phantoms.anomalies.labels")
    assert len(LABELS) == 16 and set(phantoms.LABELS) == set(LABELS)


def test_every_misspelt_class_has_a_label_of_its_own():
    assert {names.label_of(name) for name in ROBOFLOW_CLASSES} == set(LABELS)
    assert all(names.label_of(label) == label for label in LABELS)


def test_spellings_are_not_shared_between_classes():
    spellings = [s for group in names.SPELLINGS.values() for s in group]
    assert len(set(spellings)) == len(spellings) == len(names.BY_SPELLING)


def test_an_unknown_class_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="'porencefaly': .* did you mean 'porencephaly'"):
        names.label_of("porencefaly")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("anold-chiari-maformation-26b_png.jpg", "chiari"),
        ("intracnanial-hemorrdge-22d_png.jpg", "hem"),
        ("hydracenphay_15j_png.jpg", "hydranencephaly"),
        ("encephalocele1-23a.png", "encephalocele"),
        ("encephalocele33f-image.png", "encephalocele"),
        ("mild-ventriculomegaly19b.png", "mild"),
        ("cerebellah-hypoplasia.png", "cerebellar"),
    ],
)
def test_a_file_name_tells_its_class(file, words):
    label = names.label_of_file(file)
    assert words in label and label in LABELS


@pytest.mark.parametrize("kind", WRITERS)
def test_all_formats_give_the_same_table(tmp_path, kind):
    WRITERS[kind](tmp_path)
    cases = read_cases(tmp_path)
    assert cases["image"].tolist() == sorted(SET)
    by_image = cases.set_index("image")
    for name, (part, written) in SET.items():
        row = by_image.loc[name]
        assert row["label"] == row["fine_label"] == names.label_of(written)
        assert row["part"] == {"valid": "val"}.get(part, part)
        assert row["image_path"].is_file()
    colpo = by_image[by_image["label"] == names.label_of("colphocephaly")]
    assert colpo["subject"].nunique() == 1 and colpo["source_stem"].nunique() == 2
    assert set(by_image["source"]) == {"case_gallery", "planes_database"}


def test_images_come_in_the_order_of_the_table(tmp_path):
    write_one_hot(tmp_path)
    cases = read_cases(tmp_path)
    images = list(iter_images(cases))
    assert [image.shape for image in images] == [(48, 64)] * 4
    assert min(image.std() for image in images) > 5


def test_phantoms_keep_their_patients_lesions_and_ages(tmp_path):
    write_phantoms(tmp_path)
    assert "phantom" not in set(read_cases(tmp_path)["source"])  # scans may come in this layout
    (tmp_path / "phantom.json").write_text("{}")
    cases = read_cases(tmp_path)
    assert cases["subject"].tolist() == ["Patient00000", "Patient00000", "Patient00001"]
    assert set(cases["source"]) == {"phantom"}
    assert cases["label"].tolist() == ["normal", "normal", LABELS[-1]]
    assert all(path.is_file() for path in cases["lesion_path"])
    assert cases["ga_days"].tolist() == [150.5] * 3 and set(cases["pixel_size_mm"]) == {
        1.06
    }  # as small phantoms have


def test_names_that_repeat_in_two_folders_are_told_apart(tmp_path):
    for kind in ("normal", "encephalocele"):
        save(tmp_path / kind / "001.png", scan())
    cases = read_cases(tmp_path)
    assert cases["image"].tolist() == ["encephalocele/001.png", "normal/001.png"]
    assert set(cases["part"]) == {""} and set(cases["source"]) == {"unknown"}


def test_all_that_is_wrong_is_named_together(tmp_path):
    write_yolo(tmp_path)
    boxes = [tmp_path / SET[n][0] / "labels" / n.replace(".jpg", ".txt") for n in SET]
    boxes[0].unlink()
    boxes[1].write_text("")
    boxes[2].write_text("99 .5 .5 1 1\n")
    boxes[3].write_text("0 .5 .5 1 1\n1 .5 .5 1 1\n")
    with pytest.raises(BadFilesError, match=r"4 file\(s\)") as caught:
        read_cases(tmp_path)
    text = str(caught.value)
    for name, what in (
        ("Copy-of-colphocephaly", "in labels/"),
        ("colphocephaly-29b", "no class"),
        ("m-magna", "the classes are 0 to 15"),
        ("Patient00709", "2 classes"),
    ):
        assert any(name in line and what in line for line in text.splitlines()), (name, what)


def test_one_hot_rows_without_files_and_unknown_classes_are_named(tmp_path):
    write_one_hot(tmp_path)
    (tmp_path / "test" / "_classes.csv").write_text("filename, glioma\nabsent.jpg, 1\n")
    path = tmp_path / "valid" / next(n for n in SET if n.startswith("m-magna"))
    path.write_bytes(b"")
    with pytest.raises(BadFilesError) as caught:
        read_cases(tmp_path)
    assert "absent.jpg" in str(caught.value) and f"{path.name}: 0 bytes" in str(caught.value)


def test_an_unknown_class_folder_is_named(tmp_path):
    save(tmp_path / "normal" / "1.png", scan())
    save(tmp_path / "glioma" / "2.png", scan())
    with pytest.raises(BadFilesError, match="class 'glioma': none of the 16"):
        read_cases(tmp_path)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("_classes.csv", b"\xff\xfe"),
        ("_classes.csv", b""),
        ("_classes.csv", b"file, normal\na.png, 1\n"),
        ("_classes.csv", b"filename, normal\na.png, yes\n"),
        ("_annotations.coco.json", b"{"),
        ("_annotations.coco.json", b"[]"),
        ("_annotations.coco.json", b'{"images": [{"id": 1}], "categories": [], "annotations": []}'),
        ("cases.csv", b"image,label\na.png,normal\n"),
        ("cases.csv", b"image,label,patient\n../../a.png,normal,P1\n"),
        ("cases.csv", b"image,label,patient\na.png,,P1\n"),
    ],
)
def test_damaged_tables_give_no_traceback_of_another_kind(tmp_path, file, content):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(BadFilesError):
        read_cases(tmp_path)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(WRITERS)), st.data())
def test_mutated_tables_give_a_table_or_one_named_error(kind, data):
    with TemporaryDirectory() as place:
        folder = Path(place)
        WRITERS[kind](folder)
        files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".jpg"]
        if not files:  # class folders have no table
            return
        path = data.draw(st.sampled_from(files))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, max(0, len(content) - 1)))
            cut = data.draw(st.integers(0, 3))
            content[at : at + cut] = data.draw(st.binary(max_size=3))
        path.write_bytes(content)
        try:
            cases = read_cases(folder)
        except ValueError as error:
            assert str(error).startswith("data=")
        else:
            assert set(cases["label"]) <= set(LABELS) and 0 < len(cases) <= len(SET)


def test_a_damaged_data_yaml_is_named(tmp_path):
    write_yolo(tmp_path)
    for text in ("names: 3\n", "nc: 2\n", "names: [a\n", ""):
        (tmp_path / "data.yaml").write_text(text)
        with pytest.raises(BadFilesError, match="data.yaml: no list of class names"):
            read_cases(tmp_path)


def test_folders_without_a_set_say_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match="none of the known formats; it must hold cases.csv"):
        read_cases(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        read_cases(tmp_path / "nowhere")


def test_images_that_cannot_be_read_are_named_at_the_end(tmp_path):
    write_class_folders(tmp_path)
    cases = read_cases(tmp_path)
    for i in (1, 3):
        cases["image_path"][i].write_bytes(b"no image")
    seen = []
    with pytest.raises(BadFilesError) as caught:
        seen.extend(iter_images(cases))
    assert len(seen) == 1
    assert all(cases["image"][i] in str(caught.value) for i in (1, 3))
