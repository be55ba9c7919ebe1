"""All that the library says about ellipses: the shape, its fits, and drawn outlines."""

from fetal_lib.geometry.fit import (
    ellipse_from_mask,
    ellipse_from_probs,
    fit_ellipse,
    fit_ellipse_robust,
)
from fetal_lib.geometry.outline import ellipse_from_outline, fill_outline
from fetal_lib.geometry.shape import Ellipse, head_circumference_mm, ramanujan_perimeter

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
