"""Figures of scans and of agreement: their aspect, their titles, their ticks."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fetal_lib.plots import agreement, heads, segmentation, segmentation_checks

IMAGES = np.zeros((2, 8, 8), np.uint8)
MASKS = np.zeros((2, 8, 8), np.uint8)
MASKS[:, 2:6, 2:6] = 255
SIZES = np.array([[540, 800], [600, 600]])
MAPS = [np.eye(8), np.eye(8)]
TITLES = ["test image 1", "test image 20"]


def aspects(axes):
    """Return width over height of the picture on each of some axes."""
    boxes = [ax.images[0].get_extent() for ax in axes]
    return [(right - left) / (bottom - top) for left, right, bottom, top in boxes]


def test_a_scan_is_shown_in_its_own_aspect():
    expected = pytest.approx([800 / 540, 1.0])
    gallery = heads.gallery(IMAGES, MASKS, TITLES, sizes_hw=SIZES)
    assert aspects(gallery.axes[:2]) == expected
    grid = segmentation.model_grid(IMAGES, MASKS, {"unet": MASKS / 255}, TITLES, SIZES)
    assert aspects(grid.axes) == expected
    below = segmentation_checks.map_grid(IMAGES, MASKS, {"mm": MAPS}, TITLES, SIZES).axes[:4]
    assert aspects(below[:2]) == aspects(below[2:]) == expected


def test_maps_carry_the_numbers_of_their_images():
    figure = segmentation_checks.map_grid(IMAGES, MASKS, {"gate": MAPS}, TITLES, SIZES)
    assert [ax.get_title() for ax in figure.axes[:2]] == TITLES
    top, below = figure.axes[:2], figure.axes[2:4]
    assert aspects(top) == aspects(below) == pytest.approx([800 / 540, 1.0])
    for ax in below:
        assert ax.images[0].get_extent() == ax.images[1].get_extent()


@pytest.mark.parametrize("values", [(9.3, 41.8), (2.1, 48.9), (0.6, 0.9)])
def test_ticks_of_a_logarithmic_axis_are_plain_numbers(values):
    table = pd.DataFrame({"model": ["unet", "mean"], "value": values})
    table = table.assign(low=0.9 * table["value"], high=1.1 * table["value"])
    figure = agreement.model_comparison(table, "ADF (mm)", log=True)
    figure.canvas.draw()
    axis = figure.axes[0].xaxis
    shown = [tick.get_text() for tick in axis.get_ticklabels(which="both") if tick.get_text()]
    assert shown and not any("e" in text or "$" in text for text in shown)


def test_curves_say_whether_pixels_are_hidden_or_shown():
    table = pd.DataFrame({"model": "unet", "way": ["deletion", "insertion"], "order": "map"})
    figure = segmentation_checks.replacement_curves(table.assign(share=0.5, change=1.0))
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "share of pixels hidden",
        "share of pixels shown",
    ]


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    """And one that can is read back as it was drawn."""
    import cv2

    from fetal_lib.geometry.ellipse import Ellipse
    from fetal_lib.predict.head_overlay import draw_overlay, save_picture

    found = SimpleNamespace(ellipse=Ellipse(30, 20, 15, 10, 0.0), reason="", hc_mm=100.0)
    found.hc_low_mm, found.hc_high_mm = 95.0, 105.0
    scan = np.zeros((40, 60), np.uint8)
    save_picture(tmp_path / "höhe.png", draw_overlay(scan, found))
    written = cv2.imdecode(np.fromfile(tmp_path / "höhe.png", np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(written, draw_overlay(scan, found)) and written.any()
    with pytest.raises(OSError):
        save_picture(tmp_path / "missing" / "head.png", scan)
