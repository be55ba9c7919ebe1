"""What follows from the sizes of one examination, as lines and as a DICOM Structured Report."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fetal_lib.growth import hadlock, intergrowth_size, intergrowth_weight
from fetal_lib.growth.bpd_convention import outer_inner_mm
from fetal_lib.growth.examination import AGE_UNKNOWN, Examination, Size, examine

SIZES = {
    "BPD": Size(90, 88, 92),
    "OFD": Size(115, 113, 117),
    "HC": Size(330, 324, 336),
    "TAD": Size(106, 103, 109),
    "APAD": Size(110, 107, 113),
    "AC": Size(340, 328, 352),
    "FL": Size(70, 67, 73),
}
WEEKS = 38.0


@pytest.fixture(scope="module")
def whole() -> Examination:
    return examine(SIZES, ga_days=7 * WEEKS)


def test_values_are_those_of_the_formulas_that_are_named(whole: Examination) -> None:
    assert whole.find("weight", "AC, FL, BPD, HC").value == hadlock.efw_g(340, 70, 90, 330)
    assert whole.find("weight", "AC, HC").value == intergrowth_weight.efw_g(340, 330)
    assert whole.find("age", "HC", "Hadlock").value == pytest.approx(
        7 * hadlock.ga_weeks("HC", 330)
    )
    ages = [hadlock.ga_weeks(m, SIZES[m].mm) for m in ("HC", "BPD", "AC", "FL")]
    assert whole.find("age", "HC, BPD, AC, FL").value == pytest.approx(7 * np.mean(ages))
    assert whole.find("centile", "AC").value == intergrowth_size.centile("AC", 340, WEEKS)
    assert whole.find("ratio", "HC/AC").value == 330 / 340
    assert not any(line.reason for line in whole.quantities)


def test_intervals_follow_those_of_the_sizes(whole: Examination) -> None:
    age = whole.find("age", "HC", "Hadlock")
    assert (age.low, age.high) == tuple(7 * hadlock.ga_weeks("HC", mm) for mm in (324, 336))
    ratio, rng = whole.find("ratio", "HC/AC"), np.random.default_rng(1)
    drawn = rng.normal(330, 6 / 1.645, 200_000) / rng.normal(340, 12 / 1.645, 200_000)
    assert (ratio.low, ratio.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=2e-3)
    weight, shape = whole.find("weight", "AC, FL, BPD, HC"), 200_000
    head, ac, fl = rng.normal(size=(3, shape)) / 1.645
    drawn = hadlock.efw_g(340 + 12 * ac, 70 + 3 * fl, 90 + 2 * head, 330 + 6 * head)
    assert (weight.low, weight.high) == pytest.approx(np.quantile(drawn, [0.05, 0.95]), rel=0.01)


def test_each_formula_gets_bpd_in_its_own_convention() -> None:
    """Hadlock's are made for outer to inner, INTERGROWTH-21st's for outer to outer."""
    outer, inner = 90.0, outer_inner_mm(90.0)
    for convention, bpd in (("outer-outer", outer), ("outer-inner", inner)):
        found = examine(SIZES | {"BPD": Size(bpd)}, 7 * WEEKS, convention)
        assert found.find("size", "BPD").value == bpd
        age = found.find("age", "BPD", "Hadlock").value
        assert age == pytest.approx(7 * hadlock.ga_weeks("BPD", inner))
        centile = found.find("centile", "BPD").value
        assert centile == pytest.approx(intergrowth_size.centile("BPD", outer, WEEKS))
    with pytest.raises(ValueError, match="convention: received 'inner'"):
        examine(SIZES, convention="inner")


def test_what_is_missing_is_named_and_nothing_is_made_of_it() -> None:
    found = examine({"HC": Size(280), "AC": Size(230, 225, 235)})
    assert found.find("weight", "AC, FL").reason == "FL not measured"
    assert found.find("centile", "AC").reason == AGE_UNKNOWN
    assert not found.flags
    assert math.isnan(found.find("weight", "AC, HC").low), "HC has no interval"
    assert examine({"FL": Size(5.0)}).find("age", "FL").reason.startswith("mm: received 5")
    with pytest.raises(ValueError, match="'Hc' is no size; known are .*HC"):
        examine({"Hc": Size(280)})


def test_flags_need_a_known_age_and_name_the_consensus() -> None:
    small = examine({"HC": Size(300), "AC": Size(265)}, ga_days=7 * WEEKS)
    assert small.flags[0] == "SGA (< 10th centile)"
    assert any("AC < 3rd centile" in flag and "Delphi" in flag for flag in small.flags)
    large = examine({"HC": Size(360), "AC": Size(400)}, ga_days=7 * WEEKS)
    assert large.flags == ("LGA (> 90th centile)", "EFW > 4000 g")


@pytest.fixture(scope="module")
def report(whole: Examination, tmp_path_factory: pytest.TempPathFactory):
    """The report, read by another library than the one that wrote it."""
    from highdicom.sr import srread

    from fetal_lib.predict.structured_report import write_report

    return srread(write_report(whole, tmp_path_factory.mktemp("sr") / "report.dcm"))


def numbers(container) -> list[tuple[str, str, float, str]]:
    """Return (code, meaning, value, unit) of all NUM items below, bounds of intervals left out."""
    found = []
    for item in container.get("ContentSequence", []):
        name = item.ConceptNameCodeSequence[0]
        if item.ValueType == "NUM" and item.RelationshipType == "CONTAINS":
            measured = item.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
            found.append((name.CodeValue, name.CodeMeaning, float(measured.NumericValue), unit))
        found += numbers(item)
    return found


def test_report_is_of_template_5000_and_holds_each_size_by_its_loinc_code(report) -> None:
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "5000"
    codes = ("11820-8", "11851-3", "11984-2", "11862-0", "11818-2", "11979-2", "11963-6")
    held = {code: (value, unit) for code, _, value, unit in numbers(report)}
    for code, size in zip(codes, SIZES.values(), strict=True):
        assert held[code] == (size.mm, "mm")


def test_report_holds_weights_ages_ratios_and_centiles(report, whole: Examination) -> None:
    by_meaning: dict[str, list[float]] = {}
    for _, meaning, value, _ in numbers(report):
        by_meaning.setdefault(meaning, []).append(value)
    expected = [line.value for line in whole.quantities if line.group == "weight"]
    assert by_meaning["Estimated Weight"] == pytest.approx(expected, rel=1e-5)
    assert by_meaning["HC/AC"] == pytest.approx([330 / 340], rel=1e-5)
    assert len(by_meaning["Gestational Age"]) == 4
    assert len(by_meaning["Growth Percentile Rank"]) == 5
    assert by_meaning["EFW percentile rank"] == pytest.approx(
        [whole.find("centile", "EFW").value], rel=1e-5
    )


def test_report_takes_patient_and_evidence_from_the_images_and_refuses_two_patients(
    whole: Examination, tmp_path
) -> None:
    from highdicom.sr import srread
    from pydicom.dataset import Dataset

    from fetal_lib.predict.structured_report import write_report

    def image(patient: str, number: int) -> Dataset:
        made = Dataset()
        made.PatientID, made.PatientName = patient, "Made^Up"
        made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
        made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.6.1", f"1.2.3.4.{number}"
        return made

    path = write_report(whole, tmp_path / "r.dcm", [image("p1", 1), image("p1", 2)])
    read = srread(path)
    assert (read.PatientID, read.StudyInstanceUID) == ("p1", "1.2.3")
    evidence = read.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert [one.ReferencedSOPInstanceUID for one in evidence.ReferencedSOPSequence] == [
        "1.2.3.4.1",
        "1.2.3.4.2",
    ]
    with pytest.raises(ValueError, match="more than one PatientID"):
        write_report(whole, tmp_path / "r.dcm", [image("p1", 1), image("p2", 2)])
