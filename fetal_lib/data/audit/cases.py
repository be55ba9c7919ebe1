"""The leak audit of a set of cases: duplicates, torn groups, and clues that know the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.audit.association import commonest_by_source, score_source
from fetal_lib.data.audit.clues import score_clue
from fetal_lib.data.audit.labels import is_number
from fetal_lib.data.audit.looks import Looks, look_at
from fetal_lib.data.audit.report import (
    AuditReport,
    Finding,
    clue_finding,
    finding_of_score,
    findings_table,
)
from fetal_lib.data.audit.sides import (
    alike_findings,
    find_alike,
    group_finding,
    group_rule_finding,
    pairs_table,
    torn_groups,
)
from fetal_lib.data.audit.table import (
    FILE_ORDER,
    Cases,
    clue_columns,
    order_column,
    read_columns,
)
from fetal_lib.data.bad_files import stream
from fetal_lib.readers.image import read_gray

if TYPE_CHECKING:
    import pandas as pd

N_SHOWN = 12
NO_PARTS = "no part was named"
NO_IMAGES = "no images were given"


def audit_cases(
    cases: pd.DataFrame,
    images: Iterable[np.ndarray] | str | None = None,
    *,
    label: str,
    group: str,
    part: str | None = None,
    source: str | None = None,
    metadata: Sequence[str] = (),
    order: str = FILE_ORDER,
    name: str = "image",
    seed: int = 0,
) -> AuditReport:
    """Look for everything that lets a model cheat, before it is trained.

    Checks, by the name they have in the table: ``exact duplicates`` and ``near-duplicates``
    (perceptual hash; also of mirrored and turned images) across parts; ``groups`` across parts;
    ``group rule`` (do groups hold together what looks alike?); the label predicted on held-out
    groups from ``file order``, from each column of ``metadata``, from ``image size``, from
    ``border text`` (thin bright strokes in the outer eighth) and ``border grey``; and ``source``
    (is the class tied to where the image comes from?). Without parts, duplicates are sought
    across groups, and are a warning.

    Parameters
    ----------
    cases : DataFrame
        One row an image.
    images : iterable of ndarray (H, W) uint8, or str, or None
        In the order of the rows; a generator is used up, one image held at a time. A string
        names a column of paths.
    label : str
        Column: a number (floats, or more than 20 whole numbers) or a class.
    group : str
        Column: what must stay on one side, such as the patient.
    part, source : str or None
        Columns: part of the split; hospital, machine or collection.
    metadata : sequence of str
        Columns that might give the label away, such as ``pixel_size_mm``.
    order : str
        ``"file order"`` for the order of the rows, else a column, numbers or text to sort by.
    name : str
        Column with the images' names.
    seed : int

    Returns
    -------
    AuditReport

    Raises
    ------
    ValueError
        If columns are missing or hold empty cells, names stand twice, images are of another
        number or type, or files cannot be read (all are named).

    Examples
    --------
    >>> import pandas as pd
    >>> cases = pd.DataFrame({"image": [f"{i:03d}.png" for i in range(60)]})
    >>> cases["patient"] = np.arange(60) // 2
    >>> cases["hc_mm"] = np.linspace(80, 340, 60)
    >>> cases["part"] = np.where(np.arange(60) % 7 == 0, "test", "train")
    >>> report = audit_cases(cases, label="hc_mm", group="patient", part="part")
    >>> report.findings[["check", "verdict"]].values.tolist()
    [['groups', 'leak'], ['file order', 'leak']]
    """
    others = [*metadata, *([] if order == FILE_ORDER else [order])]
    table = read_columns(cases, name, label, group, part, source, others)
    looks = _looks(cases, images)
    if looks is not None and len(looks.sizes) != len(table):
        raise ValueError(
            f"images: received {len(looks.sizes)} for {len(table)} cases; give one per row, in "
            "the order of the rows."
        )
    torn = torn_groups(table) if table.part is not None else _no_torn()
    across = table.group if table.part is None else table.part
    alike = None if looks is None else find_alike(looks, across)
    rows = _side_findings(table, looks, alike, torn)
    clues = _clues(cases, looks, order, metadata)
    clue_rows, not_checked = _clue_findings(table, clues, seed)
    rows += clue_rows + _source_findings(table, not_checked, seed)
    _note_missing(table, looks, not_checked)
    pairs = pairs_table(table, alike)
    return AuditReport(findings_table(rows), pairs, torn, not_checked, _thumbs(table, looks, pairs))


def _looks(cases: pd.DataFrame, images: Iterable[np.ndarray] | str | None) -> Looks | None:
    if images is None:
        return None
    if not isinstance(images, str):
        return look_at(images)
    if images not in cases.columns:
        raise ValueError(f"images={images!r}: no such column; found {list(cases.columns)}.")
    return look_at(stream(cases[images], read_gray, "images"))


def _no_torn() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["group", "parts", "n", "labels"])


def _side_findings(table: Cases, looks: Looks | None, alike, torn: pd.DataFrame) -> list[Finding]:
    rows = [] if alike is None else alike_findings(table, alike)
    if table.part is not None:
        rows.append(group_finding(table, torn))
        rows += [] if looks is None else [group_rule_finding(table, looks)]
    return rows


def _clues(
    cases: pd.DataFrame, looks: Looks | None, order: str, metadata: Sequence[str]
) -> list[tuple[str, np.ndarray, str]]:
    """Return name, columns and words of all that might know the label."""
    place = "its place in the list" if order == FILE_ORDER else f"the order of {order}"
    clues = [(order, order_column(cases, order), place)]
    clues += [(column, clue_columns(cases[column]), column) for column in metadata]
    return clues + ([] if looks is None else _image_clues(looks))


def _image_clues(looks: Looks) -> list[tuple[str, np.ndarray, str]]:
    return [
        ("image size", looks.sizes, "height and width"),
        ("border text", looks.rim_ink, "text-like strokes in the border strip"),
        ("border grey", looks.rim_grey, "the grey of the border strip"),
    ]


def _clue_findings(
    table: Cases, clues: list[tuple[str, np.ndarray, str]], seed: int
) -> tuple[list[Finding], dict[str, str]]:
    rows, not_checked = [], {}
    for check, features, words in clues:
        score = score_clue(features, table.label, table.group, seed)
        if score is None:
            not_checked[check] = f"{table.label_name} has one value, or there are few groups"
        else:
            rows.append(clue_finding(check, words, table.label_name, score))
    return rows, not_checked


def _source_findings(table: Cases, not_checked: dict[str, str], seed: int) -> list[Finding]:
    if table.source is None:
        not_checked["source"] = "no source was named"
        return []
    score = score_source(table.source, table.label, table.group, seed)
    if score is None:
        not_checked["source"] = f"there is one source, or {table.label_name} has one value"
        return []
    n_sources = len(set(table.source))
    text = f"{table.label_name} and {n_sources} sources: {score.measure} {score.value:.2f}"
    text += f" (by chance up to {score.chance:.2f})"
    if not is_number(table.label):
        right, plain = commonest_by_source(table.source, table.label)
        text += f"; each source's commonest class is right for {right} of {score.n} images, "
        text += f"the commonest of all for {plain}"
    return [finding_of_score("source", text, score)]


def _note_missing(table: Cases, looks: Looks | None, not_checked: dict[str, str]) -> None:
    if table.part is None:
        not_checked["groups"] = NO_PARTS
    if looks is None:
        checks = ("exact duplicates", "near-duplicates", "group rule")
        not_checked |= dict.fromkeys(
            (*checks, "image size", "border text", "border grey"), NO_IMAGES
        )


def _thumbs(table: Cases, looks: Looks | None, pairs: pd.DataFrame) -> dict[str, np.ndarray]:
    if looks is None:
        return {}
    shown = pairs.head(N_SHOWN)
    wanted = {*shown["image_a"], *shown["image_b"]}
    return {n: looks.thumbs[i].copy() for i, n in enumerate(table.name) if n in wanted}
