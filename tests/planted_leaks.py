"""Made-up sets of cases with one leak each, planted on purpose, and one without.

They say what the audit can see. The pictures are smooth blobs with speckle, no anatomy; groups of
two frames share their blobs, as repeat frames of an examination do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fetal_lib.data.splits.shares import split_by_class

if TYPE_CHECKING:
    import pandas as pd

    from fetal_lib.data.audit.report import AuditReport

SIDE = 96
LEAKS = (
    "exact duplicates",
    "near-duplicates",
    "mirrored duplicates",
    "groups",
    "file order",
    "pixel_size_mm",
    "image size",
    "border text",
    "source",
)
"""Leaks that can be planted; :func:`expected_check` says which check finds each."""


def planted_cases(
    leak: str | None = None, n_groups: int = 120, seed: int = 0, numeric: bool = False
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Make a set of cases with one planted leak, or a clean one.

    Parameters
    ----------
    leak : str or None
        One of ``LEAKS``.
    n_groups : int
        Each has one or two images; their label is ``a``, ``b`` or ``c``.
    seed : int
    numeric : bool
        Whether the label is a number instead of a class.

    Returns
    -------
    cases : DataFrame
        ``image, patient, label, part, source, pixel_size_mm``, in random order.
    images : list of ndarray, uint8

    Raises
    ------
    ValueError
        If there is no such leak.

    Examples
    --------
    >>> cases, images = planted_cases("border text", n_groups=30)
    >>> len(cases) == len(images), images[0].shape
    (True, (96, 96))
    """
    if leak is not None and leak not in LEAKS:
        raise ValueError(f"leak: received {leak!r}; it must be None or one of {LEAKS}.")
    rng = np.random.default_rng(seed)
    cases, images = _clean(rng, n_groups, seed, numeric)
    if leak is not None:
        PLANTERS[leak](cases, images, rng)
    return cases, images


def expected_check(leak: str) -> str:
    """Return the name of the check that must find a planted leak.

    >>> expected_check("mirrored duplicates")
    'near-duplicates'
    """
    return "near-duplicates" if leak == "mirrored duplicates" else leak


def verdict_of(report: AuditReport, check: str) -> str:
    """Return the verdict of a check that was made, by its name."""
    return report.findings.set_index("check").loc[check, "verdict"]


def _clean(
    rng: np.random.Generator, n_groups: int, seed: int, numeric: bool
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    import pandas as pd

    kind = rng.choice(["a", "b", "c"], n_groups, p=[0.5, 0.3, 0.2])
    size = rng.integers(1, 3, n_groups)
    group = rng.permutation(np.repeat(np.arange(n_groups), size))
    part_of = split_by_class(np.arange(n_groups), kind, {"test": 0.25, "val": 0.1}, seed)
    number = rng.normal(200, 50, n_groups)
    cases = pd.DataFrame(
        {
            "image": [f"{i:04d}.png" for i in range(len(group))],
            "patient": [f"P{g:04d}" for g in group],
            "label": number[group] if numeric else kind[group],
            "part": part_of[group],
            "source": rng.choice(["north", "south"], n_groups)[group],
            "pixel_size_mm": rng.uniform(0.06, 0.2, n_groups)[group],
        }
    )
    blobs = [rng.uniform(0, 150, (7, 7)) for _ in range(n_groups)]
    return cases, [_picture(blobs[g] + rng.normal(0, 45, (7, 7)), rng) for g in group]


def _picture(blobs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw smooth blobs, speckle, and a caption at a random place of the upper border."""
    import cv2

    smooth = cv2.resize(blobs.clip(0, 150).astype(np.float32), (SIDE, SIDE))
    speckle = cv2.GaussianBlur(rng.rayleigh(1, (SIDE, SIDE)).astype(np.float32), (0, 0), 1)
    image = (smooth * speckle * 0.8).clip(0, 200).astype(np.uint8)
    _write(image, int(rng.integers(4, SIDE - 30)), 9)
    return image


def _write(image: np.ndarray, x: int, y: int) -> None:
    import cv2

    cv2.putText(image, "ABC", (x, y), cv2.FONT_HERSHEY_PLAIN, 0.7, 255)


def _ranks(cases: pd.DataFrame) -> np.ndarray:
    """Return the label as a number in [0, 1]."""
    order = np.unique(cases["label"].to_numpy(), return_inverse=True)[1]
    return order / max(1, order.max())


def _twin_rows(cases: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    train = np.flatnonzero(cases["part"] == "train")[:6]
    return train, np.flatnonzero(cases["part"] == "test")[:6]


def _plant_twins(change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    def plant(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
        for first, second in zip(*_twin_rows(cases), strict=True):
            images[second] = change(images[first])

    return plant


def _brighter(image: np.ndarray) -> np.ndarray:
    return (image * 1.1 + 6).clip(0, 255).astype(np.uint8)


def _plant_torn(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
    cases["part"] = rng.permutation(cases["part"].to_numpy())


def _plant_order(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
    order = np.argsort(_ranks(cases) + rng.normal(0, 0.1, len(cases)), kind="stable")
    images[:] = [images[i] for i in order]
    cases.iloc[:] = cases.iloc[order].to_numpy()


def _plant_pixel_size(
    cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator
) -> None:
    cases["pixel_size_mm"] = 0.06 + 0.1 * _ranks(cases) + rng.normal(0, 0.01, len(cases))


def _plant_size(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
    for i, rank in enumerate(_ranks(cases)):
        wide = int(round(4 + 24 * rank + rng.normal(0, 1.5)))
        images[i] = np.pad(images[i], ((0, 0), (0, max(0, wide))))


def _plant_text(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
    for image, rank in zip(images, _ranks(cases), strict=True):
        if rank + rng.normal(0, 0.15) > 0.4:
            _write(image, SIDE - 34, SIDE - 3)


def _plant_source(cases: pd.DataFrame, images: list[np.ndarray], rng: np.random.Generator) -> None:
    cases["source"] = np.where(_ranks(cases) > 0.4, "north", "south")


PLANTERS: dict[str, Callable] = {
    "exact duplicates": _plant_twins(np.copy),
    "near-duplicates": _plant_twins(_brighter),
    "mirrored duplicates": _plant_twins(lambda image: image[:, ::-1].copy()),
    "groups": _plant_torn,
    "file order": _plant_order,
    "pixel_size_mm": _plant_pixel_size,
    "image size": _plant_size,
    "border text": _plant_text,
    "source": _plant_source,
}
