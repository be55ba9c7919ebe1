"""What a caller of the library gave wrongly is named as the caller knows it."""

from __future__ import annotations

import numpy as np
import pytest

from fetal_lib.geometry.callipers import diameters_off, ellipse_from_diameters
from fetal_lib.geometry.ellipse import Ellipse, head_circumference_mm
from fetal_lib.geometry.fit import ellipse_from_mask, ellipse_from_probs
from fetal_lib.metrics.intervals import bootstrap_ci, conformal_quantile, empirical_coverage
from fetal_lib.metrics.selective import abstention_threshold, risk_coverage
from fetal_lib.models.segmentation_networks import build_network

HEAD, LINE, NAN = Ellipse(5, 5, 3, 2, 0), [[0, 0], [4, 0]], [np.nan, 1.0]


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (ellipse_from_mask, [np.zeros((2, 8, 8))], "mask"),
        (ellipse_from_mask, [np.zeros((8, 8))], "mask"),
        (ellipse_from_probs, [np.zeros((2, 8, 8))], "probs"),
        (head_circumference_mm, [HEAD, 0.1], "spacing_xy_mm"),
        (head_circumference_mm, [HEAD, (0.1, -1)], "spacing_xy_mm"),
        (ellipse_from_diameters, [LINE, LINE[0]], "second"),
        (ellipse_from_diameters, [LINE, [[1, 1], [1, 1]]], "first, second"),
        (diameters_off, [LINE[0], LINE], "first"),
        (bootstrap_ci, [NAN], "values"),
        (conformal_quantile, [NAN], "scores"),
        (empirical_coverage, [NAN, 0, 1], "value_true"),
        (risk_coverage, [[0.5, 0.6], [True]], "right"),
        (risk_coverage, [[-3.0], [True]], "confidence"),
        (abstention_threshold, [[[0.5]], [[True]], 0.9], "right"),
    ],
)
def test_message_begins_with_the_argument(function, arguments, named):
    with pytest.raises(ValueError, match=f"^{named}: "):
        function(*arguments)


def test_unknown_network_is_told_of_its_argument_and_the_names():
    with pytest.raises(ValueError, match=r"^name='vnet': no such network; use one of unet, "):
        build_network("vnet")
