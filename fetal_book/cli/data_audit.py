"""What `fetal-lib data audit` looks at in each layout, and how it is printed and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.data.audit.report import AuditReport
    from fetal_lib.data.manifest import Manifest

SHOWN = ("check", "verdict", "finding")


@dataclass(frozen=True)
class AuditPlan:
    """Hold the cases of a folder and the columns that the audit is asked about.

    Attributes
    ----------
    cases : DataFrame, one row an image or volume.
    images : a column of paths, or an iterable of gray images (H, W); None looks at no picture.
    label, group, part, source, metadata : columns, see ``audit_cases``.
    """

    cases: pd.DataFrame
    images: Iterable[Any] | str | None
    label: str
    group: str
    part: str | None = None
    source: str | None = None
    metadata: tuple[str, ...] = field(default=())


def _varied(cases: pd.DataFrame, columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that are there and have more than one known value."""
    return tuple(c for c in columns if c in cases.columns and cases[c].nunique() > 1)


def _heads(folder: Path) -> AuditPlan:
    from fetal_lib.sets.head_images import read_table

    return AuditPlan(
        read_table(folder), "image_path", "hc_mm", "examination", metadata=("pixel_size_mm",)
    )


def _planes(folder: Path) -> AuditPlan:
    from fetal_lib.sets.fetal_planes import read_table

    cases = read_table(folder)
    return AuditPlan(
        cases, "image_path", "plane", "subject", "split", "machine", _varied(cases, ["operator"])
    )


def _anomalies(folder: Path) -> AuditPlan:
    from fetal_lib.sets.brain_anomalies import read_cases

    cases = read_cases(folder)
    part, source = ("part" if _varied(cases, ["part"]) else None), _varied(cases, ["source"])
    return AuditPlan(
        cases,
        "image_path",
        "label",
        "subject",
        part,
        "source" if source else None,
        _varied(cases, ["ga_days", "pixel_size_mm"]),
    )


def _clinical(folder: Path) -> AuditPlan:
    from fetal_lib.sets.clinical_ultrasound import read_table

    cases = read_table(folder)
    known = [c for c in ("hc_mm", "ac_mm", "ga_days") if cases[c].notna().all()]
    label = known[0] if known else "structure"
    return AuditPlan(
        cases, "image_path", label, "subject", metadata=_varied(cases, ["pixel_size_mm"])
    )


def _bids(folder: Path, fetal: bool) -> AuditPlan:
    """Plan for volumes: the age by subject; pictures are the middle axial slices."""
    import pandas as pd

    from fetal_lib.data.layouts import bids
    from fetal_lib.data.layouts.base import relative

    flavour = bids.FETAL_FLAVOUR if fetal else bids.ADULT_FLAVOUR
    ages, label = _ages(folder / bids.TABLE_NAME, "participant_id", tuple(flavour.ages))
    rows = [
        {"image": relative(path, folder), "image_path": path, "subject": name, label: age}
        for name, age in ages.items()
        for path in bids.volumes_of(folder / name, flavour)
    ]
    if not rows:
        raise ValueError(f"{folder}: no {flavour.contrast} volume of a subject with an age")
    cases = pd.DataFrame(rows)
    return AuditPlan(cases, _middle_slices(cases["image_path"]), label, "subject")


def _slices(folder: Path) -> AuditPlan:
    """Plan for JPEG slices: the patient is the group, whatever the plane."""
    import pandas as pd

    from fetal_lib.data.layouts import slices
    from fetal_lib.data.layouts.base import relative

    ages, label = _ages(slices.table_path(folder), "patient_id", tuple(slices.NUMBERS))
    rows = [
        {"image": relative(path, folder), "image_path": path, "subject": name, label: age}
        for name, age in ages.items()
        for plane in slices.PLANES
        for path in slices.slices_of(folder, name, plane)
    ]
    if not rows:
        raise ValueError(f"{folder}: no slice of a patient with an age")
    return AuditPlan(pd.DataFrame(rows), "image_path", label, "subject")


def _ages(path: Path, subject: str, columns: tuple[str, ...]) -> tuple[dict[str, float], str]:
    """Return the age of each subject, and the column that it is from."""
    from fetal_lib.data.layouts.tables import Number, read_table

    rules = {column: Number(0, 400, "days, weeks or years") for column in columns}
    table = read_table(path, (subject,), rules)
    label = next((column for column in columns if column in table.columns), None)
    if label is None or subject not in table.columns:
        message = "; ".join(item.message for item in table.problems[:3]) or "no such column"
        raise ValueError(f"{path}: no ages ({message}); `fetal-lib data verify` lists all problems")
    ages = {row.text[subject]: row.number[label] for row in table.rows}
    return {name: age for name, age in ages.items() if name and age is not None}, label


def _middle_slices(paths: Iterable[Path]) -> Iterable[Any]:
    """Yield the middle axial slice of each volume as uint8 (H, W), one volume in memory."""
    import numpy as np

    from fetal_lib.readers.volume import read_volume

    for path in paths:
        data = read_volume(path).data
        middle = data[:, :, data.shape[2] // 2].T[::-1]
        low, high = np.percentile(middle, (1, 99))
        scaled = (middle - low) / max(float(high - low), 1e-6)
        yield (scaled.clip(0, 1) * 255).astype(np.uint8)


PLANS: dict[str, Callable[[Path], AuditPlan]] = {
    "hc18": _heads,
    "fetal_planes": _planes,
    "labelled_images": _anomalies,
    "yolo_boxes": _anomalies,
    "anomaly_cases": _anomalies,
    "clinical_ultrasound": _clinical,
    "slices": _slices,
    "bids_fetal": partial(_bids, fetal=True),
    "bids_adult": partial(_bids, fetal=False),
}


def audit_target(
    target: str, layout: str | None = None, images: bool = True, seed: int = 0
) -> AuditReport:
    """Audit a named data set, or a folder.

    Parameters
    ----------
    target : name of a data set under FETAL_DATA, or a folder.
    layout : the folder's layout; None tells it from the folder.
    images : whether the pictures are looked at.
    seed : seed of the audit's small models.

    Returns
    -------
    AuditReport

    Raises
    ------
    LayoutError
        If the layout is unknown, or has no label to audit.
    ValueError
        If files cannot be used; all are named.
    """
    from fetal_lib.data.audit.cases import audit_cases
    from fetal_lib.data.layouts.registry import LayoutError, detect_layout, layout_named

    folder, layout = _folder(target, layout)
    chosen = layout_named(layout) if layout else detect_layout(folder)
    if chosen.name not in PLANS:
        raise LayoutError(
            f"layout '{chosen.name}' has no label that could leak; the audit reads "
            f"{', '.join(PLANS)}"
        )
    plan = PLANS[chosen.name](folder)
    return audit_cases(
        plan.cases,
        plan.images if images else None,
        label=plan.label,
        group=plan.group,
        part=plan.part,
        source=plan.source,
        metadata=plan.metadata,
        seed=seed,
    )


def named_set(target: str) -> Manifest:
    """Return the manifest of a target that is no folder.

    Raises
    ------
    ManifestError
        If there is none of that name; the message lists all.
    """
    from fetal_lib.data.catalogue import load_manifest
    from fetal_lib.data.manifest import ManifestError

    try:
        return load_manifest(target)
    except ManifestError as error:
        raise ManifestError(f"{target} is no folder here, and {error}") from error


def _folder(target: str, layout: str | None) -> tuple[Path, str | None]:
    """Return the folder, and for a named set its layout where the folder shows its signs."""
    from fetal_lib.data.catalogue import data_folder
    from fetal_lib.data.layouts.registry import layout_named

    if Path(target).is_dir() or "/" in target or "\\" in target:
        folder = Path(target).expanduser()
    else:
        manifest = named_set(target)
        folder = data_folder(target)
        if layout is None and folder.is_dir() and layout_named(manifest.verifier).detect(folder):
            layout = manifest.verifier
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder; name the one that holds the data set")
    return folder, layout


def print_report(report: AuditReport, table: Callable[[list[tuple[str, ...]]], None]) -> None:
    """Print the findings, what was not checked, and the verdict."""
    found = report.findings[list(SHOWN)].astype(str)
    table([SHOWN, *found.itertuples(index=False, name=None)])
    for check, reason in report.not_checked.items():
        typer.echo(f"not checked: {check} ({reason})")
    n_torn, n_pairs = len(report.torn), len(report.pairs)
    typer.echo(f"verdict: {report.verdict}; {n_pairs} pairs alike, {n_torn} groups torn")


def report_as_dict(report: AuditReport) -> dict[str, Any]:
    """Return the report as plain values for JSON; a number that is not known is null."""
    import json

    return {
        "verdict": report.verdict,
        "findings": json.loads(report.findings.to_json(orient="records")),
        "pairs": json.loads(report.pairs.to_json(orient="records")),
        "torn": json.loads(report.torn.to_json(orient="records")),
        "not_checked": report.not_checked,
    }


def write_report(report: AuditReport, folder: Path) -> list[Path]:
    """Write findings.csv, pairs.csv, torn.csv, audit.json and audit.png into a folder.

    Returns
    -------
    The files that were written.
    """
    from fetal_lib.files.atomic import write_json, write_text
    from fetal_lib.plots.audit import audit_figure

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ("findings", "pairs", "torn"):
        paths.append(folder / f"{name}.csv")
        write_text(paths[-1], getattr(report, name).to_csv(index=False))
    paths.append(folder / "audit.json")
    write_json(paths[-1], report_as_dict(report))
    paths.append(folder / "audit.png")
    audit_figure(report).savefig(paths[-1])
    return paths
