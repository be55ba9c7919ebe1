"""What the page makes once, so that an answer is quick: a tab's model, the growth chart."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from made_up_app import shelf_of  # noqa: E402
from made_up_models import blank_anomaly_model  # noqa: E402

from fetal_book.app.growth_chart import LIMITS_MM, GrowthChart, growth_chart  # noqa: E402
from fetal_book.app.warm_up import warm_up  # noqa: E402
from fetal_lib.models.unet import get_unet  # noqa: E402
from fetal_lib.predict.head_measure import HC_RANGE_MM  # noqa: E402
from fetal_lib.predict.head_model import HeadModel, HeadModelSpec, load_head_model  # noqa: E402

AGES = (float("nan"), 22.0)


def tiny_head_model():
    return HeadModel(get_unet(32, 32, 2), HeadModelSpec(32, 32, 2, 0.0))


@pytest.mark.parametrize("weeks", AGES)
def test_a_chart_shows_its_head_where_it_lies_and_none_that_came_before(weeks):
    chart = GrowthChart(known=not np.isnan(weeks))
    least = chart.picture(HC_RANGE_MM[0], 2.0, weeks)

    def top(hc_mm):
        return np.flatnonzero((chart.picture(hc_mm, 4.0, weeks) != least).any(axis=(1, 2))).min()

    first, second, third = (int(top(hc_mm)) for hc_mm in (150.0, 250.0, 350.0))
    assert first - second == pytest.approx(second - third, abs=1) and third > 0
    assert first - third > 0.4 * len(least)
    assert np.array_equal(chart.picture(HC_RANGE_MM[0], 2.0, weeks), least)


def test_every_head_that_is_measured_lies_on_the_chart():
    (low, high), (least, most) = LIMITS_MM, HC_RANGE_MM
    spec = load_head_model().spec
    half_mm = [spec.half_widths_mm("head", {"hc_mm": mm})["hc_mm"] for mm in HC_RANGE_MM]
    assert low < least - half_mm[0] and most + half_mm[1] < high


def test_a_head_model_is_compiled_before_the_first_scan(tmp_path):
    model = tiny_head_model()
    growth_chart.cache_clear()
    assert model.network.predict_function is None
    warm_up("hc", shelf_of(model, tmp_path, "hc"))
    assert model.network.predict_function is not None
    assert growth_chart.cache_info().currsize == 2


@pytest.mark.slow
def test_an_anomaly_model_is_compiled_and_a_tab_without_a_model_asks_for_none(tmp_path):
    model = blank_anomaly_model()
    shelf = shelf_of(model, tmp_path, "anomaly")
    warm_up("hc", shelf)
    assert shelf.asked == []
    finder = shelf_of(tiny_head_model(), tmp_path, "hc").loaded
    shelf.head_finder = lambda: finder
    warm_up("anomaly", shelf)
    assert model._both.predict_function is not None and set(shelf.asked) == {"anomaly"}


def test_a_model_that_cannot_be_made_ready_is_logged_and_nothing_else(tmp_path, caplog):
    warm_up("hc", shelf_of(None, tmp_path, "hc"))
    assert "the model of the tab hc could not be made ready" in caplog.text
