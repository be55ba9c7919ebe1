"""All of the INTERGROWTH-21st standards that the library has: size, age from size, weight."""

from fetal_lib.growth.intergrowth_age import (
    FL_MM_RANGE,
    HC_MM_RANGE,
    TCD_MM_RANGE,
    ga_days_from_hc,
    ga_days_from_hc_fl,
    ga_weeks_from_tcd,
)
from fetal_lib.growth.intergrowth_size import centile, mean_mm, sd_mm, size_mm, z_score
from fetal_lib.growth.intergrowth_tables import (
    BRAIN_GA_WEEKS_RANGE,
    GA_WEEKS_RANGE,
    MEASURES,
    Standard,
    standard,
)
from fetal_lib.growth.intergrowth_weight import (
    EFW_G_RANGE,
    EFW_GA_WEEKS_RANGE,
    efw_at_z,
    efw_centile,
    efw_g,
    efw_z,
)

__all__ = [
    "BRAIN_GA_WEEKS_RANGE",
    "EFW_GA_WEEKS_RANGE",
    "EFW_G_RANGE",
    "FL_MM_RANGE",
    "GA_WEEKS_RANGE",
    "HC_MM_RANGE",
    "MEASURES",
    "Standard",
    "TCD_MM_RANGE",
    "centile",
    "efw_at_z",
    "efw_centile",
    "efw_g",
    "efw_z",
    "ga_days_from_hc",
    "ga_days_from_hc_fl",
    "ga_weeks_from_tcd",
    "mean_mm",
    "sd_mm",
    "size_mm",
    "standard",
    "z_score",
]
