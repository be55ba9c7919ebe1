"""Names of every data set give the group that must stay on one side of a split."""

from __future__ import annotations

import pytest
from made_up_scans import real_data

from fetal_lib.data import groups

HASH = "rf.3801581fd5b2aea9f6e53a0455a86f34"


@pytest.mark.parametrize(
    ("rule", "together", "apart"),
    [
        ("hc18", ["010_HC.png", "010_2HC.png", "x/010_4HC_Annotation.png"], "011_HC.png"),
        (
            "source_stem",
            [
                f"Copy-of-anold-chiari-malformation-16e_aug_5_png_jpg.{HASH}.jpg",
                f"anold-chiari-malformation-16e_aug_2_png.{HASH[:-1]}0.jpg",
                f"anold-chiari-malformation-16e_png.{HASH}.jpg",
                "anold-chiari-malformation-16e.png",
            ],
            "anold-chiari-malformation-16f.png",
        ),
        (
            "source_stem",
            [f"Patient00709_Plane3_1_of_3_png.{HASH}.jpg", "Patient00709_Plane3_1_of_3.png"],
            "Patient00709_Plane3_2_of_3.png",
        ),
        (
            "fetal_planes",
            [f"Patient00709_Plane3_1_of_3_png.{HASH}.jpg", "Patient00709_Plane2_2_of_2.png"],
            "Patient00710_Plane3_1_of_3.png",
        ),
        (
            "brain_anomalies",
            [
                f"mild-ventriculomegaly-18b-1-_png.{HASH}.jpg",
                "mild-ventriculomegaly-18b.png",
                "mild-ventriculomegaly18c_aug_3.png",
            ],
            "mild-ventriculomegaly-19b.png",
        ),
        ("brain_anomalies", ["vein-of-galen-40b2.png", "vein-of-galen-40i.png"], "m-magna-40i.png"),
        (
            "brain_anomalies",
            ["encephalocele-4-32a.png", "encephalocele-4-32c.png"],
            "encephalocele-6-32a.png",
        ),
        (
            "oasis1",
            ["OAS1_0061_MR1", "disc1/OAS1_0061_MR2", "OAS1_0061_MR1_mpr-1.nii.gz"],
            "OAS1_0062_MR1",
        ),
        (
            "ixi",
            ["IXI002-Guys-0828-T1.nii.gz", "IXI002-Guys-0828-PD.nii.gz"],
            "IXI012-HH-1211-T1.nii.gz",
        ),
        (
            "bids",
            [
                "sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz",
                "sub-01/anat/sub-01_run-2_T2w.nii.gz",
                "sub-01",
            ],
            "sub-010",
        ),
    ],
)
def test_frames_of_one_origin_share_a_group_and_others_do_not(rule, together, apart):
    found = groups.groups_of(together, rule)
    assert len(set(found)) == 1
    assert groups.groups_of([apart], rule)[0] not in found


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("hc18", "head.png"),
        ("fetal_planes", "plane3_Patient00709.png"),
        ("oasis1", "OAS2_0001_MR1"),
        ("ixi", "IX002-Guys.nii.gz"),
        ("bids", "subject-01/T1w.nii.gz"),
        ("bids", "sub-01/anat/sub-02_T1w.nii.gz"),
    ],
)
def test_a_name_that_does_not_follow_the_rule_is_refused(rule, name):
    with pytest.raises(ValueError, match="Rename the file, or use another group rule"):
        groups.RULES[rule](name)


def test_all_bad_names_are_told_together():
    with pytest.raises(ValueError, match=r"2 do not follow the rule 'hc18': a.png, b.png"):
        groups.groups_of(["010_HC.png", "a.png", "b.png"], "hc18")


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(ValueError, match="received 'hc19'; it must be one of .*'hc18'"):
        groups.groups_of([], "hc19")


def test_links_join_groups_whatever_their_order():
    linked = [("d", "c"), ("b", "a"), ("c", "b")]
    assert set(groups.join_groups(list("abcde"), linked)) == {"a", "e"}
    assert groups.join_groups(list("ab"), []) == ["a", "b"]


def test_a_linked_group_without_cases_still_joins_its_partners():
    assert groups.join_groups(["a", "c", "d"], [("a", "b"), ("b", "c")]) == ["a", "a", "d"]


def test_real_names_give_the_numbers_of_groups_that_are_documented():
    heads, brains = real_data("hc18"), real_data("fetal_us_abnormalities")
    if heads is None or brains is None:
        pytest.skip("the real data are not there: set FETAL_TEST_DATA to their folder")
    names = [p.name for p in heads.glob("training_set/*HC.png")]
    assert len(names) == 746 and len(set(groups.groups_of(names, "hc18"))) == 604
    names = [p.name for p in brains.glob("*/images/*.jpg")]
    assert len(names) == 420 and len(set(groups.groups_of(names, "source_stem"))) == 210
    normal = [name for name in names if name.startswith("Patient")]
    assert len(set(groups.groups_of(normal, "fetal_planes"))) == 31
