"""Names of every data set give the group that must stay on one side of a split."""

from __future__ import annotations

import pytest
from made_up_scans import real_data

from fetal_lib.data.groups import anomaly_case, hc18_examination, planes_patient, source_stem

HASH = "rf.3801581fd5b2aea9f6e53a0455a86f34"


@pytest.mark.parametrize(
    ("rule", "together", "apart"),
    [
        (hc18_examination, ["010_HC.png", "010_2HC.png", "x/010_4HC_Annotation.png"], "011_HC.png"),
        (
            source_stem,
            [
                f"Copy-of-anold-chiari-malformation-16e_aug_5_png_jpg.{HASH}.jpg",
                f"anold-chiari-malformation-16e_aug_2_png.{HASH[:-1]}0.jpg",
                f"anold-chiari-malformation-16e_png.{HASH}.jpg",
                "anold-chiari-malformation-16e.png",
            ],
            "anold-chiari-malformation-16f.png",
        ),
        (
            source_stem,
            [f"Patient00709_Plane3_1_of_3_png.{HASH}.jpg", "Patient00709_Plane3_1_of_3.png"],
            "Patient00709_Plane3_2_of_3.png",
        ),
        (
            planes_patient,
            [f"Patient00709_Plane3_1_of_3_png.{HASH}.jpg", "Patient00709_Plane2_2_of_2.png"],
            "Patient00710_Plane3_1_of_3.png",
        ),
        (
            anomaly_case,
            [
                f"mild-ventriculomegaly-18b-1-_png.{HASH}.jpg",
                "mild-ventriculomegaly-18b.png",
                "mild-ventriculomegaly18c_aug_3.png",
            ],
            "mild-ventriculomegaly-19b.png",
        ),
        (anomaly_case, ["vein-of-galen-40b2.png", "vein-of-galen-40i.png"], "m-magna-40i.png"),
        (
            anomaly_case,
            ["encephalocele-4-32a.png", "encephalocele-4-32c.png"],
            "encephalocele-6-32a.png",
        ),
    ],
)
def test_frames_of_one_origin_share_a_group_and_others_do_not(rule, together, apart):
    found = set(map(rule, together))
    assert len(found) == 1
    assert rule(apart) not in found


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (hc18_examination, "head.png"),
        (planes_patient, "plane3_Patient00709.png"),
    ],
)
def test_a_name_that_does_not_follow_the_rule_is_refused(rule, name):
    with pytest.raises(ValueError, match="Rename the file"):
        rule(name)


def test_real_names_give_the_numbers_of_groups_that_are_documented():
    heads, brains = real_data("hc18"), real_data("fetal_us_abnormalities")
    names = [p.name for p in heads.glob("training_set/*HC.png")]
    assert len(names) == 746 and len(set(map(hc18_examination, names))) == 604
    names = [p.name for p in brains.glob("*/images/*.jpg")]
    assert len(names) == 420 and len(set(map(source_stem, names))) == 210
    normal = [name for name in names if name.startswith("Patient")]
    assert len(set(map(planes_patient, normal))) == 31
