"""Shapes: see ``fetal_lib.geometry.ellipse``."""

from fetal_lib.geometry.ellipse import (
    Ellipse,
    ellipse_from_mask,
    ellipse_from_outline,
    ellipse_from_probs,
    fill_outline,
    fit_ellipse,
    fit_ellipse_robust,
    head_circumference_mm,
    ramanujan_perimeter,
)

__all__ = [
    "Ellipse",
    "ellipse_from_mask",
    "ellipse_from_outline",
    "ellipse_from_probs",
    "fill_outline",
    "fit_ellipse",
    "fit_ellipse_robust",
    "head_circumference_mm",
    "ramanujan_perimeter",
]
