"""An examination as a DICOM Structured Report, after template TID 5000 (OB-GYN ultrasound).

Written with pydicom, whose dictionary gives the codes: sizes in the sections for fetal biometry
(TID 5005) and long bones (TID 5006), ratios in theirs (TID 5004), weights and the age together in
the summary of the fetus (TID 5003). Of a size there are the bounds of its interval, the age that
Hadlock's formula gives, and the centile where an age was known. A quantity that was not computed
is left out: a report states what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fetal_lib.growth.examination import BY_HADLOCK, Examination, Quantity

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.sr.coding import Code

SIZE_CODES = {
    "BPD": "BiparietalDiameter",
    "OFD": "OccipitalFrontalDiameter",
    "HC": "HeadCircumference",
    "TAD": "TransverseAbdominalDiameter",
    "APAD": "AnteriorPosteriorAbdominalDiameter",
    "AC": "AbdominalCircumference",
    "FL": "FemurLength",
}
RATIO_CODES = {
    "HC/AC": "HCAC",
    "FL/AC": "FLAC",
    "FL/BPD": "FLBPD",
    "FL/HC": "FLHC",
    "cephalic index (BPD/OFD)": "CephalicIndex",
}
WEIGHT_CODES = {
    "AC, FL": "EFWByACFLHadlock1985",
    "AC, FL, BPD": "EFWByACBPDFLHadlock1985",
    "AC, FL, HC": "EFWByACFLHCHadlock1985",
    "AC, FL, BPD, HC": "EFWByACBPDFLHCHadlock1985",
}
UNITS = {
    "mm": ("mm", "millimeter"),
    "days": ("d", "day"),
    "g": ("g", "gram"),
    "": ("1", "no units"),
    "%": ("%", "percent"),
}
CITATIONS = {
    "weight": "Stirnemann et al. 2017, INTERGROWTH-21st, DOI 10.1002/uog.17347",
    "centile": "Papageorghiou et al. 2014, INTERGROWTH-21st, DOI 10.1016/S0140-6736(14)61490-2",
}
CAUTION = "Measured by a program for research and teaching. Not for clinical decisions."


def write_report(
    examination: Examination,
    path: str | Path,
    images: Sequence[Dataset] = (),
    made: datetime | None = None,
) -> Path:
    """Write an examination as a DICOM Structured Report.

    Parameters
    ----------
    examination : Examination
    path : str or Path
        Of the file, ``.dcm``.
    images : sequence of Dataset
        The DICOM images that were measured: patient, study and references are theirs. Without
        one the report is of no patient, in a study of its own.
    made : datetime, optional
        Date and time of the report; now by default.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the images are of two patients or two studies.
    """
    from pydicom.sr.codedict import codes

    report = _header(images, made or datetime.now().astimezone())
    report.update(_item("CONTAINER", codes.DCM.OBGYNUltrasoundProcedureReport))
    report.ContentTemplateSequence = [_dataset(MappingResource="DCMR", TemplateIdentifier="5000")]
    report.ContentSequence = [
        _coded("HAS CONCEPT MOD", codes.DCM.LanguageOfContentItemAndDescendants, _english()),
        _coded("HAS OBS CONTEXT", codes.DCM.ObserverType, codes.DCM.Device),
        _observer(report),
        *_sections(examination),
    ]
    path = Path(path)
    report.save_as(path, enforce_file_format=True)
    return path


def _sections(examination: Examination) -> Iterable[Dataset]:
    from pydicom.sr.codedict import codes

    found = [line for line in examination.quantities if not line.reason]
    groups = {name: _group(found, name) for name in SIZE_CODES}
    ratios = [
        _number(getattr(codes.cid12004, RATIO_CODES[line.name]), line)
        for line in found
        if line.group == "ratio"
    ]
    yield _container(codes.DCM.Summary, [_container(codes.DCM.FetusSummary, _summary(found))])
    if ratios:
        yield _container(codes.DCM.FetalBiometryRatios, ratios)
    soft = [group for name, group in groups.items() if group and name != "FL"]
    if soft:
        yield _container(codes.DCM.FetalBiometry, soft)
    if groups["FL"]:
        yield _container(codes.DCM.FetalLongBones, [groups["FL"]])


def _summary(found: Sequence[Quantity]) -> list[Dataset]:
    from pydicom.sr.codedict import codes

    items = [_text(codes.DCM.Comment, CAUTION)]
    for line in found:
        if line.group == "weight":
            if line.name in WEIGHT_CODES:
                formula = getattr(codes.cid12014, WEIGHT_CODES[line.name])
                source = _coded("INFERRED FROM", codes.DCM.Equation, formula)
            else:
                source = _text(codes.DCM.EquationCitation, CITATIONS["weight"], "INFERRED FROM")
            items.append(_number(codes.cid12019.EstimatedWeight, line, source))
        elif line.group == "age" and line.source.endswith("mean"):
            items.append(_number(codes.cid12019.CompositeUltrasoundAge, line))
        elif line.group == "centile" and line.name == "EFW":
            items.append(_number(codes.cid12019.EFWPercentileRank, line, unit="%"))
    return items


def _group(found: Sequence[Quantity], name: str) -> Dataset | None:
    """Return the biometry group of a size (TID 5008): the size, its age, its centile."""
    from pydicom.sr.codedict import codes

    items = []
    for line in found:
        if line.name != name:
            continue
        if line.group == "size":
            items.append(_number(getattr(codes.cid12005, SIZE_CODES[name]), line))
        elif line.group == "age" and line.source == BY_HADLOCK:
            formula = getattr(codes.cid12013, f"{name}Hadlock1984")
            source = _coded("INFERRED FROM", codes.DCM.Equation, formula)
            items.append(_number(codes.cid12019.GestationalAge, line, source))
        elif line.group == "centile":
            cited = codes.DCM.TableOfValuesCitation
            source = _text(cited, CITATIONS["centile"], "INFERRED FROM")
            items.append(_number(codes.DCM.GrowthPercentileRank, line, source, unit="%"))
    return _container(codes.DCM.BiometryGroup, items) if items else None


def _number(name: Code, line: Quantity, *source: Dataset, unit: str = "") -> Dataset:
    from pydicom.sr.codedict import codes

    item, below = _item("NUM", name, "CONTAINS"), list(source)
    item.MeasuredValueSequence = [_measured(line.value, unit or line.unit)]
    widths = {
        codes.cid225.RangeOfLowerMeasurementUncertainty: line.value - line.low,
        codes.cid225.RangeOfUpperMeasurementUncertainty: line.high - line.value,
    }
    for code, width in widths.items():
        if math.isfinite(width):
            bound = _item("NUM", code, "HAS PROPERTIES")
            bound.MeasuredValueSequence = [_measured(width, unit or line.unit)]
            below.append(bound)
    if below:
        item.ContentSequence = below
    return item


def _measured(value: float, unit: str) -> Dataset:
    from pydicom.sr.coding import Code

    code, meaning = UNITS[unit]
    units = _code(Code(code, "UCUM", meaning))
    return _dataset(MeasurementUnitsCodeSequence=[units], NumericValue=f"{value:.6g}")


def _container(name: Code, items: Sequence[Dataset]) -> Dataset:
    container = _item("CONTAINER", name, "CONTAINS")
    container.ContentSequence = list(items)
    return container


def _coded(relation: str, name: Code, value: Code) -> Dataset:
    item = _item("CODE", name, relation)
    item.ConceptCodeSequence = [_code(value)]
    return item


def _text(name: Code, value: str, relation: str = "CONTAINS") -> Dataset:
    item = _item("TEXT", name, relation)
    item.TextValue = value
    return item


def _item(kind: str, name: Code, relation: str = "") -> Dataset:
    item = _dataset(ValueType=kind, ConceptNameCodeSequence=[_code(name)])
    if kind == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    if relation:
        item.RelationshipType = relation
    return item


def _code(code: Code) -> Dataset:
    return _dataset(
        CodeValue=code.value,
        CodingSchemeDesignator=code.scheme_designator,
        CodeMeaning=code.meaning[:64],
    )


def _english() -> Code:
    from pydicom.sr.coding import Code

    return Code("en", "RFC5646", "English")


def _observer(report: Dataset) -> Dataset:
    from pydicom.sr.codedict import codes

    item = _item("UIDREF", codes.DCM.DeviceObserverUID, "HAS OBS CONTEXT")
    item.UID = report.SeriesInstanceUID
    return item


def _header(images: Sequence[Dataset], made: datetime) -> Dataset:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, generate_uid

    for keyword in ("PatientID", "StudyInstanceUID"):
        if len({str(image.get(keyword, "")) for image in images}) > 1:
            raise ValueError(
                f"images: they are of more than one {keyword}. A report is of one examination: "
                "give the images of one fetus and day."
            )
    first = images[0] if images else _dataset()
    report = _dataset(
        SOPClassUID=ComprehensiveSRStorage,
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID=first.get("StudyInstanceUID", generate_uid()),
        SeriesInstanceUID=generate_uid(),
        Modality="SR",
        SeriesNumber="1",
        InstanceNumber="1",
        ContentDate=made.strftime("%Y%m%d"),
        ContentTime=made.strftime("%H%M%S"),
        Manufacturer="fetal-lib",
        SoftwareVersions=version("fetal-lib"),
        CompletionFlag="COMPLETE",
        VerificationFlag="UNVERIFIED",
        PreliminaryFlag="PRELIMINARY",
        PerformedProcedureCodeSequence=[],
        ReferencedPerformedProcedureStepSequence=[],
    )
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(report, keyword, first.get(keyword, ""))
    for keyword in ("StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(report, keyword, first.get(keyword, ""))
    report.ReferringPhysicianName = first.get("ReferringPhysicianName", "")
    if images:
        report.CurrentRequestedProcedureEvidenceSequence = [_evidence(images)]
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return report


def _evidence(images: Sequence[Dataset]) -> Dataset:
    by_series: dict[str, list[Dataset]] = {}
    for image in images:
        reference = _dataset(
            ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID
        )
        by_series.setdefault(image.SeriesInstanceUID, []).append(reference)
    series = [
        _dataset(SeriesInstanceUID=uid, ReferencedSOPSequence=references)
        for uid, references in by_series.items()
    ]
    return _dataset(StudyInstanceUID=images[0].StudyInstanceUID, ReferencedSeriesSequence=series)


def _dataset(**elements: object) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made
