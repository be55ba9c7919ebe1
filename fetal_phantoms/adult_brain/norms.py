"""Volumes of the adult brain by age and sex, as published.

Brain volume is the head's own size (total intracranial volume, TIV) times a ratio: TIV carries
the sex, the ratio carries the age. Which part of the brain is gray, and how large the
ventricles are, follows BrainChart's medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MIN_AGE_YEARS, MAX_AGE_YEARS = 18.0, 96.0  # the ages of OASIS-1
SEXES = ("F", "M")
TIV_ML = {"F": (1409.0, 127.0), "M": (1596.0, 126.0)}  # mean, SD: OASIS-1, n = 316 healthy
NWBV_SD = 0.0232
VENTRICLES_LOG_SD = 0.40
GRAY_SHARE_SD = 0.014  # with TIV and nWBV: GM 9-10 % and WM 10 % between persons

# BrainChart medians in mL; ages between are interpolated.
_CORTEX = {
    "F": ((20, 548), (30, 512), (40, 487), (50, 468), (60, 453), (70, 441), (80, 430), (90, 421)),
    "M": ((20, 602), (30, 564), (40, 536), (50, 515), (60, 498), (70, 485), (80, 473), (90, 464)),
}
_WHITE = {
    "F": ((20, 442), (30, 448), (50, 434), (70, 411), (80, 399), (90, 387)),
    "M": ((20, 497), (30, 504), (50, 487), (70, 462), (80, 448), (90, 435)),
}
_DEEP_GRAY = {"F": ((20, 60), (50, 55), (80, 50)), "M": ((20, 66), (50, 59), (80, 54))}
_VENTRICLES = {
    "F": ((20, 10.9), (30, 12.9), (40, 15.8), (50, 19.8), (60, 25), (70, 32), (80, 40), (90, 51)),
    "M": ((20, 13.6), (30, 15.9), (40, 19.6), (50, 24.5), (60, 31), (70, 39), (80, 50), (90, 63)),
}
# Not in BrainChart's four curves; recalled round figures, used only to split gray from white.
_CEREBELLUM_GRAY = {"F": 100.0, "M": 111.0}
_CEREBELLUM_WHITE_AND_STEM = {"F": 50.0, "M": 56.0}


@dataclass(frozen=True)
class ExpectedVolumes:
    """Hold what is expected of the brain of one age and sex; volumes in mL.

    Attributes
    ----------
    tiv_ml, tiv_sd_ml : mean and SD of the total intracranial volume; the age has no part in it.
    nwbv : brain (gray and white) as a share of the TIV.
    brain_ml : TIV times nWBV.
    ventricles_ml : median of the ventricles.
    gray_share : gray matter as a share of the brain, cerebellum and brainstem included.
    cortex_ml, cerebral_white_ml, deep_gray_ml : BrainChart's medians as they stand.
    """

    tiv_ml: float
    tiv_sd_ml: float
    nwbv: float
    brain_ml: float
    ventricles_ml: float
    gray_share: float
    cortex_ml: float
    cerebral_white_ml: float
    deep_gray_ml: float


def check_age_and_sex(age_years: float, sex: str) -> None:
    """Refuse an age or a sex that the curves do not cover, with a ValueError."""
    if not (isinstance(age_years, int | float | np.number) and math.isfinite(age_years)):
        raise ValueError(f"age_years is {age_years!r}; it must be a number of years")
    if not MIN_AGE_YEARS <= age_years <= MAX_AGE_YEARS:
        raise ValueError(
            f"age_years is {age_years:g}; the curves cover {MIN_AGE_YEARS:g}-{MAX_AGE_YEARS:g} "
            "years: give an adult's age, in years"
        )
    if sex not in SEXES:
        raise ValueError(f"sex is {sex!r}; it must be 'F' or 'M', as in participants.tsv")


def nwbv_mean(age_years: float) -> float:
    """Return the normalised whole-brain volume expected at an age: brain as a share of TIV.

    nWBV = 0.84717 + 5.04e-4 age - 2.28e-5 age², a fit to 316 healthy subjects of OASIS-1.

    Examples
    --------
    >>> round(nwbv_mean(20), 3), round(nwbv_mean(80), 3)
    (0.848, 0.742)
    """
    return 0.84717 + 5.04e-4 * age_years - 2.28e-5 * age_years**2


def published_curves(age_years: float, sex: str) -> ExpectedVolumes:
    """Return the volumes that the published curves expect at an age.

    Parameters
    ----------
    age_years : 18-96. BrainChart's medians are read from 20 to 90 and held beyond.
    sex : ``"F"`` or ``"M"``.

    Returns
    -------
    ExpectedVolumes

    Raises
    ------
    ValueError
        If the age lies outside the curves or the sex is none of the two.

    References
    ----------
    Marcus DS et al. Open Access Series of Imaging Studies (OASIS). J Cogn Neurosci
    2007;19:1498-1507. doi:10.1162/jocn.2007.19.9.1498 (TIV, nWBV).
    Bethlehem RAI et al. Brain charts for the human lifespan. Nature 2022;604:525-533.
    doi:10.1038/s41586-022-04554-y (cortex, white matter, deep gray matter, ventricles).

    Examples
    --------
    >>> young, old = published_curves(20, "F"), published_curves(80, "F")
    >>> round(young.brain_ml), round(old.brain_ml), young.ventricles_ml, old.ventricles_ml
    (1195, 1045, 10.9, 40.0)
    """
    check_age_and_sex(age_years, sex)
    age_years = float(age_years)
    cortex, white, deep, ventricles = (
        _at(curve[sex], age_years) for curve in (_CORTEX, _WHITE, _DEEP_GRAY, _VENTRICLES)
    )
    all_gray = cortex + deep + _CEREBELLUM_GRAY[sex]
    gray_share = all_gray / (all_gray + white + _CEREBELLUM_WHITE_AND_STEM[sex])
    tiv_ml, tiv_sd_ml = TIV_ML[sex]
    nwbv = nwbv_mean(age_years)
    brain_ml = tiv_ml * nwbv
    return ExpectedVolumes(
        tiv_ml=tiv_ml,
        tiv_sd_ml=tiv_sd_ml,
        nwbv=nwbv,
        brain_ml=brain_ml,
        ventricles_ml=ventricles,
        gray_share=gray_share,
        cortex_ml=cortex,
        cerebral_white_ml=white,
        deep_gray_ml=deep,
    )


def _at(curve: tuple[tuple[float, float], ...], age_years: float) -> float:
    ages, volumes = zip(*curve, strict=True)
    return float(np.interp(age_years, ages, volumes))
