"""Draw the person of a phantom: age, sex, head size, and deviations that no age explains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fetal_phantoms.adult_brain.norms import (
    GRAY_SHARE_SD,
    MIN_AGE_YEARS,
    NWBV_SD,
    VENTRICLES_LOG_SD,
    check_age_and_sex,
    published_curves,
)

OLDEST_DRAWN_YEARS = 90.0
MAX_Z = 2.5  # deviations are cut here, so that no brain outgrows its head


@dataclass(frozen=True)
class Person:
    """Describe a made-up person and the volumes that the phantom must have, in mL.

    `csf_ml` counts all fluid, ventricles included; `z` holds the deviations in SD by name.
    """

    age_years: float
    sex: str
    tiv_ml: float
    ventricles_ml: float
    csf_ml: float
    gray_ml: float
    white_ml: float
    z: dict[str, float]


def draw_person(
    rng: np.random.Generator, age_years: float | None = None, sex: str | None = None
) -> Person:
    """Draw a person; the deviations do not depend on the age or sex that is asked for."""
    drawn_age = float(rng.uniform(MIN_AGE_YEARS, OLDEST_DRAWN_YEARS))
    drawn_sex = "FM"[int(rng.integers(2))]
    age_years = drawn_age if age_years is None else age_years
    sex = drawn_sex if sex is None else sex
    check_age_and_sex(age_years, sex)
    return _with_volumes(float(age_years), sex, _draw_deviations(rng))


def _draw_deviations(rng: np.random.Generator) -> dict[str, float]:
    head, brain, other, gray = (_cut_normal(rng) for _ in range(4))
    ventricles = -0.4 * brain + math.sqrt(1 - 0.4**2) * other  # small brains have wide ones
    return {"tiv": head, "nwbv": brain, "ventricles": ventricles, "gray_share": gray}


def _cut_normal(rng: np.random.Generator) -> float:
    value = rng.standard_normal()
    while abs(value) > MAX_Z:
        value = rng.standard_normal()
    return float(value)


def _with_volumes(age_years: float, sex: str, z: dict[str, float]) -> Person:
    norm = published_curves(age_years, sex)
    tiv_ml = norm.tiv_ml + z["tiv"] * norm.tiv_sd_ml
    brain_ml = tiv_ml * (norm.nwbv + z["nwbv"] * NWBV_SD)
    head_size = tiv_ml / norm.tiv_ml
    ventricles_ml = norm.ventricles_ml * head_size * math.exp(z["ventricles"] * VENTRICLES_LOG_SD)
    ventricles_ml = min(ventricles_ml, 0.6 * (tiv_ml - brain_ml))
    gray_share = norm.gray_share + z["gray_share"] * GRAY_SHARE_SD
    return Person(
        age_years=age_years,
        sex=sex,
        tiv_ml=tiv_ml,
        ventricles_ml=ventricles_ml,
        csf_ml=tiv_ml - brain_ml,
        gray_ml=brain_ml * gray_share,
        white_ml=brain_ml * (1.0 - gray_share),
        z=z,
    )
