"""What `fetal-lib data audit` looks at in a layout, and how it is printed and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from fetal_lib.data.audit.report import AuditReport
    from fetal_lib.data.layouts.base import Layout

SHOWN = ("check", "verdict", "finding")


def audit_folder(folder: Path, layout: Layout, images: bool = True, seed: int = 0) -> AuditReport:
    """Audit the cases that a chapter would read from a folder.

    Parameters
    ----------
    folder, layout : what is audited, and as which layout.
    images : whether the pictures are looked at; of a volume, its middle axial slice.
    seed : seed of the audit's small models.

    Raises
    ------
    LayoutError
        If the layout has no label to audit.
    ValueError
        If files cannot be used; all are named.
    """
    from fetal_lib.data.audit.cases import audit_cases
    from fetal_lib.data.layouts.registry import LAYOUTS, LayoutError

    roles = layout.roles
    if roles is None:
        known = ", ".join(one.name for one in LAYOUTS.values() if one.roles)
        raise LayoutError(
            f"layout '{layout.name}' has no label that could leak; the audit reads {known}. "
            "`fetal-lib data convert` turns images and masks into one of them"
        )
    found = layout.find(folder)
    cases = _one_row_a_picture(found.usable(), folder)
    label = next((column for column in roles.labels if cases[column].notna().all()), None)
    if label is None:
        raise LayoutError(f"no label is known of every case; one of {', '.join(roles.labels)} must")
    looked_at = None
    if images and not {"image_path", "path"}.isdisjoint(cases):
        looked_at = "image_path" if "image_path" in cases else _middle_slices(cases["path"])
    report = audit_cases(
        cases,
        looked_at,
        label=label,
        group=roles.group,
        part=next(iter(_varied(cases, [roles.part])), None),
        source=next(iter(_varied(cases, [roles.source])), None),
        metadata=_varied(cases, roles.metadata),
        seed=seed,
    )
    return replace(report, notes=tuple(found.notes))


def _varied(cases: pd.DataFrame, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are there and have more than one known value."""
    return tuple(c for c in columns if c in cases.columns and cases[c].nunique() > 1)


def _one_row_a_picture(cases: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Name the images of volumes, and give every picture of a patient's planes its own row."""
    from fetal_lib.data.layouts.base import relative
    from fetal_lib.data.layouts.slices import slice_paths
    from fetal_lib.data.plane_slices import PLANES

    if "path" not in cases:
        return cases
    name = "path"
    if "kind" in cases and (cases["kind"] == "slices").all():
        name = "image_path"
        homes = cases["path"]
        pictures = [[path for plane in PLANES for path in slice_paths(h, plane)] for h in homes]
        cases = cases.assign(image_path=pictures).explode("image_path", ignore_index=True)
    return cases.assign(image=[relative(path, folder) for path in cases[name]])


def _middle_slices(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """Yield the middle axial slice of each volume as uint8 (H, W), one volume in memory."""
    import numpy as np

    from fetal_lib.readers.volume import read_volume

    for path in paths:
        data = read_volume(path).data
        middle = data[:, :, data.shape[2] // 2].T[::-1]
        low, high = np.percentile(middle, (1, 99))
        scaled = (middle - low) / max(float(high - low), 1e-6)
        yield (scaled.clip(0, 1) * 255).astype(np.uint8)


def print_report(report: AuditReport, table: Callable[[list[tuple[str, ...]]], None]) -> None:
    """Print the findings, what was left out or not checked, and the verdict."""
    found = report.findings[list(SHOWN)].astype(str)
    table([SHOWN, *found.itertuples(index=False, name=None)])
    if report.notes:
        from fetal_lib.data.report import kind_rows

        table([("kind", "n", "noted: left out, or odd"), *kind_rows(report.notes)])
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
        "notes": [asdict(note) for note in report.notes],
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
