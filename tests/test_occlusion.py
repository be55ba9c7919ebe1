"""An occlusion map shows what a measurement rests on."""

import numpy as np

from fetal_lib.explain.occlusion import band, map_similarity, occlusion_map, share_on


def brightness_of_corner(images):
    return images[:, :8, :8].mean((1, 2)).astype(float)


def test_the_map_is_where_the_measurement_looks():
    image = np.full((32, 32), 50, np.uint8)
    image[:8, :8] = 200
    saliency = occlusion_map(image, brightness_of_corner, patch=8, stride=8)
    corner = np.zeros((32, 32), bool)
    corner[:8, :8] = True
    assert share_on(saliency, corner) == 1


def test_the_border_is_hidden_too_where_the_stride_does_not_divide_the_side():
    image = np.full((10, 11), 50, np.uint8)
    image[-1, -1] = 250
    saliency = occlusion_map(image, lambda x: x[:, -1, -1].astype(float), patch=4, stride=4)
    assert saliency[-1, -1] == 250 - round(image.mean())
    assert not saliency[:6].any() and not saliency[:, :7].any()


def test_a_constant_map_is_returned_as_it_is():
    image = np.full((16, 16), 50, np.uint8)
    saliency = occlusion_map(image, lambda x: np.ones(len(x)), patch=4, stride=4)
    assert saliency.max() == 0
    assert np.isnan(share_on(saliency, saliency == 0))
    assert np.isnan(map_similarity(saliency, saliency))


def test_the_band_lies_on_both_sides_of_the_edge():
    mask = np.zeros((21, 21), bool)
    mask[5:16, 5:16] = True
    ring = band(mask, 2)
    assert ring[10, 5] and ring[10, 3] and not ring[10, 10] and not ring[10, 1]
