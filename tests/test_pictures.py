"""Sheets of pictures, and the pictures of phantoms in the book."""

import numpy as np
import pytest

from fetal_book.site import phantom_gallery
from fetal_book.site.slice_viewer import slice_viewer
from fetal_lib.plots.pictures import picture_sheet, three_planes


def test_slices_of_a_volume_stand_upright():
    volume = np.zeros((8, 10, 12))
    volume[:, 9, :] = 1  # the front
    volume[:, :, 11] = 2  # the top
    axial, coronal, sagittal = three_planes(volume)
    assert axial.shape == (10, 8) and (axial[0] == 1).all() and not axial[1:].any()
    assert (coronal[0] == 2).all() and (sagittal[0] == 2).all()
    assert (sagittal[1:, -1] == 1).all()  # the face looks to the right


def test_a_sheet_names_its_rows_and_columns_and_leaves_no_empty_frame():
    rows = {"one": [np.eye(4), np.eye(4)], "two": [np.eye(4)]}
    figure = picture_sheet(rows, ["a", "b"])
    axes = figure.axes
    assert [ax.get_title() for ax in axes[:2]] == ["a", "b"]
    assert axes[0].get_ylabel() == "one" and axes[2].get_ylabel() == "two"
    assert not axes[3].axison
    with pytest.raises(ValueError, match="no picture"):
        picture_sheet({})


def test_every_kind_of_phantom_is_drawn_into_its_own_file(tmp_path, monkeypatch):
    monkeypatch.setattr(
        phantom_gallery, "GALLERIES", {"dots": lambda: picture_sheet({"dot": [np.eye(9)]})}
    )
    ball = np.linalg.norm(np.indices((24, 30, 20)) - np.reshape([12, 15, 10], (3, 1, 1, 1)), axis=0)
    viewers = {"ball": lambda: slice_viewer(np.maximum(0, 9 - ball), "a ball")}
    monkeypatch.setattr(phantom_gallery, "VIEWERS", viewers)
    path, page = phantom_gallery.write_gallery(tmp_path / "new")
    assert path.name == "dots.png" and path.stat().st_size > 1000
    html = page.read_text()  # nothing is loaded from anywhere, each slider moves its own plane
    assert page.name == "ball.html" and "http" not in html and html.count('max="16"') == 3
    assert all(f"slice, {plane}" in html for plane in ("axial", "coronal", "sagittal"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", phantom_gallery.GALLERIES)
def test_the_book_s_sheets_show_something_in_every_picture(kind):
    figure = phantom_gallery.GALLERIES[kind]()
    shown = [ax for ax in figure.axes if ax.axison]
    assert len(shown) >= 8
    assert all(np.ptp(ax.images[0].get_array()) > 0 for ax in shown)
