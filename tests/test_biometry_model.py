"""The network of biometry in its ONNX file: what it answers, and what it refuses."""

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from made_up_scans import real_data

from fetal_lib.geometry.biometry import SIZES
from fetal_lib.geometry.callipers import band_mask, line_length
from fetal_lib.geometry.ellipse import Ellipse
from fetal_lib.predict.biometry_maps import CHANNELS, cut_out, fit_into
from fetal_lib.predict.biometry_measure import FLOOR_MM, diameter, measure_maps
from fetal_lib.predict.biometry_model import SHIPPED, BiometryModel, BiometrySpec
from fetal_lib.predict.onnx_network import FILE
from fetal_lib.predict.plane import PlaneRecogniser
from fetal_phantoms.head import make_head

SCAN, MAP = (540, 800), (108, 160)
DISC = Ellipse(400, 270, 200, 160, 0.0).mask(SCAN)


@pytest.fixture(scope="module")
def model() -> BiometryModel:
    return BiometryModel.load()


@pytest.mark.parametrize("size_hw", [(540, 800), (800, 540), (392, 640), (333, 333), (3, 900)])
def test_a_map_covers_the_scan_and_nothing_beside_it(size_hw):
    scan = np.full(size_hw, 100, np.uint8)
    scan[: size_hw[0] // 3] = 200
    fitted, place = fit_into(scan, (224, 320))
    half = fitted[None, ::2, ::2]
    (cut,) = cut_out(half, place, fitted.shape)
    assert (cut > 0).all() and cut.sum() == half.sum()
    assert (cut[0] == 200).all() and (cut[-1] == 100).all() or size_hw[0] < 9
    assert place.turned == (cut.shape[0] > cut.shape[1])


def test_ellipses_and_lines_are_measured_in_the_pixels_of_the_scan():
    ellipse = Ellipse(400, 260, 200, 150, 0.4)
    transverse = diameter(ellipse, ellipse.angle_rad + np.pi / 2)
    line = np.array([[200.0, 300.0], [560.0, 220.0]])
    drawn = {"abdomen": ellipse.mask(SCAN), "transverse": band_mask(transverse, SCAN, 0.08)}
    drawn |= {"femur": band_mask(line, SCAN)}
    maps = {name: small(mask) for name, mask in drawn.items()}
    spec = BiometrySpec(128, 192, CHANNELS, half_widths={"abdomen": {"ac_mm": (0.3, 0.1)}})
    widths = partial(replace(spec, limits_mm={"abdomen": (200.0,)}).half_widths_mm, "abdomen")
    abdomen = measure_maps(maps, "abdomen", SCAN, 0.2, "abdomen", 1.0, widths)
    found = {name: value for name, (value, _, _) in abdomen.sizes.items()}
    assert found == pytest.approx(
        {"ac_mm": 0.2 * ellipse.perimeter, "tad_mm": 60, "apad_mm": 80}, rel=0.01
    )
    half = 0.1 * (found["ac_mm"] + FLOOR_MM["ac_mm"])
    ends = found["ac_mm"] - half, found["ac_mm"] + half
    assert abdomen.sizes["ac_mm"][1:] == pytest.approx(ends)
    assert np.isnan(abdomen.sizes["tad_mm"][1])
    femur = measure_maps(maps, "femur", SCAN, 0.2, "femur", 1.1)
    assert femur.sizes["fl_mm"][0] == pytest.approx(1.1 * 0.2 * line_length(line), rel=0.02)
    assert femur.sizes["fl_mm"][0] == pytest.approx(0.2 * line_length(femur.line))


def test_a_femur_is_as_long_as_from_bell_to_bell_and_declined_without_one():
    line = np.array([[200.0, 300.0], [560.0, 220.0]])
    faint = line.mean(0) + [[1.0, 1.0], [0.4, 0.4]] * (line - line.mean(0))  # seen in part
    y, x = np.indices(MAP) * 5 + 2
    bells = [np.exp(-(np.hypot(x - a, y - b) ** 2) / 200) for a, b in line]
    maps = {"femur": small(band_mask(faint, SCAN, 0.25)), "femur_ends": np.maximum(*bells)}
    found = measure_maps(maps, "femur", SCAN, 0.2, "femur")
    assert found.sizes["fl_mm"][0] == pytest.approx(0.2 * line_length(line), rel=0.02)
    one = measure_maps(maps | {"femur_ends": bells[0]}, "femur", SCAN, 0.2, "femur")
    assert (one.sizes, one.reason) == ({}, "an end of the femur is not clear")


def small(mask: np.ndarray) -> np.ndarray:
    rows = mask.reshape(MAP[0], SCAN[0] // MAP[0], MAP[1], SCAN[1] // MAP[1])
    return rows.mean((1, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("maps", "plane", "reason"),
    [
        ({"head": np.zeros(MAP)}, "head", "no head found"),
        ({"femur": np.zeros(MAP)}, "femur", "no femur found"),
        ({"femur": np.ones(MAP)}, "femur", "is no band"),
        ({"abdomen": np.tril(np.ones(MAP))}, "abdomen", "no abdomen found|cut by the image"),
        ({"abdomen": 0.7 * small(DISC)}, "abdomen", "^the outline of the abdomen is not clear$"),
        ({"head": small(Ellipse(400, 270, 240, 90, 0.0).mask(SCAN))}, "head", "axis ratio"),
        ({"head": small(Ellipse(400, 20, 240, 200, 0.0).mask(SCAN))}, "head", "cut by the image"),
        ({"head": small(Ellipse(400, 270, 60, 50, 0.0).mask(SCAN))}, "head", "HC 35 mm, outside"),
    ],
)
def test_what_is_no_such_structure_is_declined_with_the_reason(maps, plane, reason):
    found = measure_maps(maps, plane, SCAN, 0.1, plane)
    assert not found.sizes
    assert re.search(reason, found.reason), found.reason


def test_one_image_alone_and_in_a_batch_have_the_same_maps(model):
    images = [make_head(seed).image for seed in (1, 2, 3)]
    together = model.maps(images, batch_size=3)
    for image, maps in zip(images, together, strict=True):
        (alone,) = model.maps([image])
        assert set(alone) == set(model.spec.channels)
        for channel, probs in alone.items():
            assert 0 <= probs.min() <= probs.max() <= 1
            np.testing.assert_allclose(probs, maps[channel], atol=1e-4)


def test_a_mirrored_scan_has_the_mirrored_maps(model):
    height, width = model.spec.height * 3, model.spec.width * 3
    image = np.resize(make_head(4).image[:height, :width], (height, width))
    (maps,), (mirrored,) = model.maps([image]), model.maps([image[:, ::-1]])
    for channel, probs in maps.items():
        np.testing.assert_allclose(mirrored[channel][:, ::-1], probs, atol=0.02)


def test_a_phantom_of_a_head_is_measured_by_both_conventions(model):
    head = make_head(5, ga_days=150)
    outer = model.measure(head.image, "head", head.pixel_size_mm)
    inner = model.measure(head.image, "head", head.pixel_size_mm, "outer-inner")
    assert not outer.reason and not inner.reason
    assert set(outer.sizes) == set(SIZES["head"])
    low, high = outer.sizes["hc_mm"][1:]
    assert low < outer.sizes["hc_mm"][0] < high
    assert inner.sizes["bpd_mm"][0] < outer.sizes["bpd_mm"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("brain", 0.1), "plane: received 'brain'"),
        (("head", 0.1, "inner-inner"), "convention: received 'inner-inner'"),
        (("head", -1.0), "pixel"),
    ],
)
def test_arguments_that_are_none_are_refused(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.measure(np.zeros(SCAN, np.uint8), *arguments)


@pytest.mark.parametrize("harm", ["cut", "text", "missing", "spec"])
def test_a_damaged_folder_is_refused_in_a_sentence(tmp_path, harm):
    folder = shutil.copytree(SHIPPED, tmp_path / "model")
    file = folder / FILE
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif harm == "text":
        file.write_text("no network")
    elif harm == "missing":
        file.unlink()
    else:
        spec = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(spec | {"height": 64}))
    with pytest.raises(ValueError, match="cannot be read") as error:
        BiometryModel.load(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", [BiometryModel, PlaneRecogniser])
def test_a_missing_folder_is_answered_with_the_command_that_makes_such_a_model(tmp_path, model):
    with pytest.raises(ValueError, match="no such folder") as error:
        model.load(tmp_path / "none")
    command = re.search(r"`python -m (\S+)` wrote, or name none", str(error.value))[1]
    assert find_spec(command) and "fetal-lib run" not in str(error.value)


def test_real_scans_of_three_planes_are_measured_near_their_callipers(model):
    from fetal_lib.data.images import read_image
    from fetal_lib.data.layouts import fetal_biometry

    table = fetal_biometry.read_cases(real_data("fetal_biometry_fp"))
    for plane, rows in table.groupby("structure"):
        size, off = SIZES[plane][0], []
        for row in rows.head(8).itertuples():
            image = read_image(row.image_path)
            found = model.measure(image, plane, row.pixel_size_mm, "outer-inner")
            off.append(abs(found.sizes[size][0] / getattr(row, size) - 1))
        assert np.median(off) < 0.05, (plane, off)
