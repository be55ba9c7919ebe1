"""`predict hc` on a user's files: good ones, bad ones, and many."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from made_up_models import HeadOracle  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from fetal_book.cli.predict import app  # noqa: E402
from fetal_book.site.predict_columns import write_predict_columns  # noqa: E402
from fetal_lib.geometry.ellipse import Ellipse  # noqa: E402
from fetal_lib.growth.bpd_convention import CONVENTIONS  # noqa: E402
from fetal_lib.models.unet import get_unet  # noqa: E402
from fetal_lib.predict.batch import LEFT_OUT  # noqa: E402
from fetal_lib.predict.columns import COLUMNS, EXIT_CODES  # noqa: E402
from fetal_lib.predict.head_circumference import (  # noqa: E402
    head_circumference_row,
    predict_heads,
    write_predictions,
)
from fetal_lib.predict.head_measure import HeadMeasurement  # noqa: E402
from fetal_lib.predict.head_model import SHIPPED, HeadModel, HeadModelSpec, load_head_model  # noqa: E402
from fetal_lib.predict.head_overlay import write_below  # noqa: E402
from fetal_lib.predict.pixel_sizes import PixelSize, PixelSizes, read_pixel_sizes  # noqa: E402
from fetal_lib.predict.scans import list_images  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402


@pytest.fixture(scope="module")
def phantoms():
    return [make_head(seed, ga_days=140 + 10 * seed) for seed in range(3)]


@pytest.fixture
def folder(tmp_path, phantoms):
    for i, phantom in enumerate(phantoms):
        cv2.imwrite(str(tmp_path / f"scan{i}.png"), phantom.image)
        cv2.imwrite(str(tmp_path / f"scan{i}_Annotation.png"), phantom.outline)
    lines = [f"scan{i}.png,{p.pixel_size_mm},{p.ga_days}" for i, p in enumerate(phantoms)]
    (tmp_path / "sizes.csv").write_text("filename,pixel size(mm),ga_days\n" + "\n".join(lines))
    return tmp_path


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_heads_are_measured_in_millimetres(folder, phantoms):
    sizes = read_pixel_sizes(folder / "sizes.csv")
    out = folder / "out" / "hc.csv"
    counts = write_predictions(list_images([folder]), HeadOracle(*phantoms), sizes, out)
    assert counts == {"measured": 3, "declined": 0, "failed": 0}
    for row, phantom in zip(rows_of(out), phantoms, strict=True):
        assert float(row["hc_mm"]) == pytest.approx(phantom.hc_mm, rel=0.003)
        assert float(row["hc_low_mm"]) < phantom.hc_mm < float(row["hc_high_mm"])
        assert 0 < float(row["hc_centile"]) < 100
        assert abs(float(row["ga_hadlock_days"]) - phantom.ga_days) < 30
        assert row["interval_level"] == "0.90" and row["reason"] == ""


def test_a_centile_is_given_only_for_a_known_age(folder, phantoms):
    out = folder / "hc.csv"
    write_predictions(list_images([folder]), HeadOracle(*phantoms), PixelSizes(0.12), out)
    assert {row["hc_centile"] for row in rows_of(out)} == {""}
    assert all("hc_centile: needs the age from dating" in row["reason"] for row in rows_of(out))


def test_the_challenge_gets_the_ellipses_in_millimetres_in_its_own_columns(folder, phantoms):
    names = [f"{i:03d}_HC.png" for i in range(3)]
    for i, name in enumerate(names):
        (folder / f"scan{i}.png").rename(folder / name)
    cv2.imwrite(str(folder / "003_HC.png"), np.zeros((540, 800), np.uint8))  # has no ellipse
    sizes = dict(zip(names, (phantom.pixel_size_mm for phantom in phantoms), strict=True))
    counts = write_predictions(
        list_images([folder]),
        HeadOracle(*phantoms),
        PixelSizes(0.1, sizes),
        folder / "hc.csv",
        as_submission=True,
    )
    assert counts == {"measured": 3, "declined": 1, "failed": 0, LEFT_OUT: 1}
    header = "filename,center_x_mm,center_y_mm,semi_axes_a_mm,semi_axes_b_mm,angle_rad"
    assert (folder / "hc.csv").read_text().splitlines()[0] == header
    for row, phantom, name in zip(rows_of(folder / "hc.csv"), phantoms, names, strict=True):
        assert row.pop("filename") == name
        found, truth = Ellipse(*map(float, row.values())), phantom.ellipse
        mm = truth.scaled(phantom.pixel_size_mm, phantom.pixel_size_mm)
        assert found.perimeter == pytest.approx(phantom.hc_mm, rel=0.003)
        assert found.semi_major >= found.semi_minor and 0 <= found.angle_rad < np.pi
        assert (found.center_x, found.center_y) == pytest.approx((mm.center_x, mm.center_y), abs=1)
        assert np.sin(found.angle_rad - truth.angle_rad) == pytest.approx(0, abs=0.1)


def test_an_uncalibrated_model_has_no_interval_and_a_small_head_no_age(phantoms):
    size, spec = PixelSize(0.1, "given"), HeadModelSpec(128, 128, 4, 0.0)
    row = head_circumference_row(Path("a.png"), HeadMeasurement(hc_mm=60.0), size, spec, 90.0)
    assert list(row) == list(COLUMNS["hc"]) and row["status"] == "measured"
    for column in ("hc_low_mm", "hc_high_mm", "interval_level", "ga_intergrowth", "hc_centile"):
        assert row[column] == ""
    for why in ("interval: the model was not calibrated", "ga_intergrowth: hc_mm: received 60"):
        assert why in row["reason"]
    assert "hc_centile: " in row["reason"] and "ga_hadlock_days: hc_mm" not in row["reason"]


def test_bad_files_become_rows_and_do_not_stop_the_rest(folder, phantoms):
    (folder / "a_empty.png").write_bytes(b"")
    (folder / "b_text.png").write_text("no picture")
    whole = (folder / "scan0.png").read_bytes()
    (folder / "c_cut.png").write_bytes(whole[: len(whole) // 3])
    cv2.imwrite(str(folder / "d_blank.png"), np.zeros((540, 800), np.uint8))
    out = folder / "hc.csv"
    counts = write_predictions(list_images([folder]), HeadOracle(*phantoms), PixelSizes(0.12), out)
    assert counts == {"measured": 3, "declined": 1, "failed": 3}
    rows = {row["image"]: row for row in rows_of(out)}
    for name in ("a_empty.png", "b_text.png", "c_cut.png"):
        assert rows[name]["reason"] and rows[name]["status"] == "failed"
    assert rows["d_blank.png"]["reason"] == "no head found"


def test_a_scan_without_pixel_size_is_declined_by_name(folder, phantoms):
    sizes = PixelSizes(by_name={"scan0.png": 0.12})
    results = {
        p.name: r for p, r, *_ in predict_heads(list_images([folder]), HeadOracle(*phantoms), sizes)
    }
    assert not results["scan0.png"].reason
    assert "pixel size of scan1.png is not in the table" in results["scan1.png"].reason


def dicom(path, phantom, size_mm):
    from made_up_scans import us_region, write_dicom

    regions = {"SequenceOfUltrasoundRegions": [us_region(size_mm / 10, size_mm / 10)]}
    return write_dicom(path, phantom.image, **regions)


def test_a_dicom_file_is_measured_at_the_size_that_it_states(tmp_path, phantoms):
    size = phantoms[0].pixel_size_mm
    for name in ("a.dcm", "b.dcm", "c.dcm"):
        dicom(tmp_path / name, phantoms[0], size)
    dicom(tmp_path / "absurd.dcm", phantoms[0], 30.0)
    sizes, oracle = PixelSizes(by_name={"b.dcm": 2 * size, "c.dcm": 1.001 * size}), phantoms[:1] * 3
    write_predictions(list_images([tmp_path]), HeadOracle(*oracle), sizes, tmp_path / "hc.csv")
    stated, other, same, absurd = sorted(
        rows_of(tmp_path / "hc.csv"), key=lambda r: len(r["image"])
    )
    assert float(stated["hc_mm"]) == pytest.approx(phantoms[0].hc_mm, rel=0.003)
    assert stated["pixel_size_from"] == "stated in the file"
    assert float(other["hc_mm"]) == pytest.approx(2 * phantoms[0].hc_mm, rel=0.003)
    assert other["pixel_size_from"] == f"table; the file states {size:.4g} mm"
    assert same["pixel_size_from"] == "table"
    assert absurd["status"] == "declined" and "states a pixel of 30 mm" in absurd["reason"]


def test_sizes_are_known_if_given_or_if_one_file_states_its_own(tmp_path, folder, phantoms):
    paths = list_images([folder])
    assert not PixelSizes().know_any(paths) and PixelSizes(0.1).know_any(paths)
    (tmp_path / "empty.dcm").touch()
    assert not PixelSizes().know_any([tmp_path / "empty.dcm"])
    assert PixelSizes().know_any([*paths, dicom(tmp_path / "a.dcm", phantoms[0], 0.1)])


def test_what_is_no_head_is_declined_without_a_number_and_its_overlay_says_why(folder, phantoms):
    def gate(scans):
        return ["no head: an abdomen"] * len(scans)

    oracle, sizes = HeadOracle(*phantoms), PixelSizes(0.12)
    write_predictions(list_images([folder]), oracle, sizes, folder / "o.csv", folder / "o", gate)
    for row in rows_of(folder / "o.csv"):
        assert (row["status"], row["reason"]) == ("declined", "no head: an abdomen")
        assert not row["hc_mm"] and row["pixel_size_mm"] == "0.12000"
    assert (cv2.imread(str(folder / "o" / "scan0.png")) != phantoms[0].image[..., None]).any()


def test_a_colour_scan_of_another_size_is_measured_too(folder, phantoms):
    phantom = phantoms[0]
    colour = cv2.cvtColor(phantom.image, cv2.COLOR_GRAY2BGR)
    cv2.imwrite(str(folder / "colour.png"), colour)
    paths = [folder / "colour.png"]
    ((_, result, *_),) = predict_heads(
        paths, HeadOracle(phantom), PixelSizes(phantom.pixel_size_mm)
    )
    assert result.hc_mm == pytest.approx(phantom.hc_mm, rel=0.003)


def test_overlays_are_pictures_of_the_scan_size(folder, phantoms):
    sizes = read_pixel_sizes(folder / "sizes.csv")
    write_predictions(
        list_images([folder]), HeadOracle(*phantoms), sizes, folder / "o.csv", folder / "o"
    )
    picture = cv2.imread(str(folder / "o" / "scan0.png"))
    assert picture.shape == (*phantoms[0].image.shape, 3)
    assert (picture[..., 2].astype(int) - picture[..., 0] > 100).sum() > 500  # an orange line


@pytest.mark.parametrize("width", [200, 800, 3000])
def test_letters_are_outlined_and_have_no_ghost_beside_them(width):
    grey = np.full((width // 2, width, 3), 128, np.uint8)
    drawn = write_below(
        grey, "no head found: the region is no ellipse (Dice with its fit 0.71) " * 2
    )
    light, dark = drawn[..., 0] > 150, drawn[..., 0] < 60
    reach = 2 * max(1, width // 450) + 5
    near = cv2.dilate(light.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    assert light.any() and dark.sum() > 0.5 * light.sum() and not (dark & ~near).any()
    assert not (light | dark)[:, [0, -1]].any()  # long texts are broken, not cut


def test_the_batch_size_does_not_change_the_answer(folder, phantoms):
    paths, oracle = list_images([folder]), HeadOracle(*phantoms)
    one, many = (
        [r.hc_mm for _, r, *_ in predict_heads(paths, oracle, PixelSizes(0.1), batch_size=n)]
        for n in (1, 16)
    )
    assert one == many


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file;width\na.png;0,1\n", "no column 'pixel size"),
        ('filename,pixel_size_mm\na.png,"1,234"\n', "line 2.*decimal comma"),
        ("filename,pixel_size_mm\na.png,0.1\na.png,0.1\n", "line 3: a.png stands twice"),
        ("filename,pixel_size_mm\na.png,120\n", "line 2.*side of a pixel"),
        ("filename,pixel_size_mm\na.png,wide\n", "line 2.*no number"),
        ("filename,pixel_size_mm\na.png,\n", "line 2.*is empty"),
    ],
)
def test_a_bad_table_is_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pixel_sizes(tmp_path / "t.csv")


def test_a_table_with_semicolons_and_decimal_commas_is_read(tmp_path):
    (tmp_path / "t.csv").write_text("Image;Pixel_Size_mm;ga_days\na.png;0,12;140\nb.png;0,2;\n")
    sizes = read_pixel_sizes(tmp_path / "t.csv")
    assert sizes.by_name == {"a.png": 0.12, "b.png": 0.2} and sizes.ga_days == {"a.png": 140}


def test_missing_inputs_are_named_together(tmp_path):
    with pytest.raises(ValueError, match="x.png.*y.png"):
        list_images([tmp_path / "x.png", tmp_path / "y.png"])


def test_a_model_folder_round_trips(tmp_path):
    keras.utils.set_random_seed(0)
    spec = HeadModelSpec(32, 32, 2, 0.1, ("none", "left_right"), trained_on="phantom")
    model = HeadModel(get_unet(32, 32, 2), spec)
    model.save(tmp_path / "model", "# card")
    assert (
        json.loads((tmp_path / "model" / "model.json").read_text())["relative_half_width"] is None
    )
    again = load_head_model(tmp_path)
    assert again.spec == spec
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 32), np.uint8)
    np.testing.assert_allclose(again.probs(images), model.probs(images), atol=5e-3)


def test_flips_are_undone_before_they_are_averaged():
    keras.utils.set_random_seed(0)
    network = get_unet(32, 32, 2)
    image = np.random.default_rng(0).integers(0, 255, (1, 32, 32), np.uint8)
    plain = HeadModel(network, HeadModelSpec(32, 32, 2, 0.0)).probs(image)
    mirrored = HeadModel(network, HeadModelSpec(32, 32, 2, 0.0)).probs(image[:, :, ::-1])
    both = HeadModel(network, HeadModelSpec(32, 32, 2, 0.0, ("none", "left_right"))).probs(image)
    np.testing.assert_allclose(both, (plain + mirrored[:, :, ::-1]) / 2, atol=1e-6)


def test_the_map_of_a_head_does_not_depend_on_its_batch():
    keras.utils.set_random_seed(0)
    model = HeadModel(get_unet(32, 32, 2), HeadModelSpec(32, 32, 2, 0.0, ("none", "both")))
    images = np.random.default_rng(0).integers(0, 255, (3, 32, 32), np.uint8)
    alone = np.concatenate([model.probs(image[None]) for image in images])
    np.testing.assert_allclose(model.probs(images, batch_size=4), alone, atol=1e-5)
    assert model.probs(images[:0]).shape == (0, 32, 32)


def test_a_head_by_callipers_outer_to_inner_is_smaller_and_gets_no_age(folder, phantoms):
    sizes = PixelSizes(phantoms[0].pixel_size_mm)
    (scan,), out = list_images([folder / "scan0.png"]), folder / "hc.csv"
    rows = {}
    for convention in CONVENTIONS:
        write_predictions([scan], load_head_model(None, convention), sizes, out)
        (rows[convention],) = rows_of(out)
    outer, inner = rows.values()
    assert 0.93 < float(inner["hc_mm"]) / float(outer["hc_mm"]) < 1
    assert float(inner["hc_low_mm"]) < float(inner["hc_mm"]) < float(inner["hc_high_mm"])
    assert outer["ga_hadlock_days"] and not inner["ga_hadlock_days"] + inner["ga_intergrowth"]
    assert "made for callipers outer to outer" in inner["reason"]
    with pytest.raises(ValueError, match="learnt no such heads; name none for the shipped model"):
        load_head_model(SHIPPED, "outer-inner")


def test_a_folder_without_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no model.json in it"):
        load_head_model(tmp_path)


@pytest.mark.slow
def test_the_shipped_model_measures_phantoms_from_the_command_line(tmp_path):
    """It was trained on real heads and never saw a phantom: most are measured well, not all."""
    assert (SHIPPED / "card.md").is_file()
    phantoms = [make_head(seed, ga_days=140) for seed in range(20, 27)]
    lines = ["filename,pixel_size_mm"]
    for i, phantom in enumerate(phantoms):
        cv2.imwrite(str(tmp_path / f"scan{i}.png"), phantom.image)
        lines.append(f"scan{i}.png,{phantom.pixel_size_mm}")
    (tmp_path / "sizes.csv").write_text("\n".join(lines))
    out = tmp_path / "hc.csv"
    command = [sys.executable, "-m", "fetal_book", "predict", "hc", str(tmp_path)]
    command += ["--table", str(tmp_path / "sizes.csv"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    measured = {row["image"]: float(row["hc_mm"]) for row in rows_of(out) if row["hc_mm"]}
    truth = {f"scan{i}.png": phantom.hc_mm for i, phantom in enumerate(phantoms)}
    errors = [abs(hc / truth[name] - 1) for name, hc in measured.items()]
    assert len(errors) >= 5 and np.median(errors) < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "pixel size: none given"),
        (["--pixel-size", "120"], "side of a pixel in millimetres"),
        (["--pixel-size", "0,12mm"], "received '0.12mm'; it must be a number"),
        (["--pixel-size", "0.1", "--table", "none.csv"], "no such file"),
    ],
)
def test_bad_arguments_give_one_line_and_no_traceback(folder, arguments, message):
    command = [sys.executable, "-m", "fetal_book", "predict", "hc", str(folder / "scan0.png")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_nothing_measured_is_exit_code_3_and_a_decimal_comma_is_understood(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    out = tmp_path / "hc.csv"
    told = ["hc", str(tmp_path / "text.png"), "--pixel-size", "0,12", "--out", str(out)]
    done = CliRunner().invoke(app, told)
    assert done.exit_code == 3 and "1 failed" in done.output
    (row,) = rows_of(out)
    assert row["status"] == "failed" and "no image" in row["reason"]


@pytest.mark.parametrize("command", COLUMNS)
def test_help_explains_every_column_and_exit_code(command):
    told = " ".join(CliRunner().invoke(app, [command, "--help"], terminal_width=100).output.split())
    for words in (*COLUMNS[command].values(), *EXIT_CODES.values()):
        assert words in told


def test_the_page_of_the_commands_explains_what_help_explains(tmp_path):
    write_predict_columns(tmp_path, [])
    page = (tmp_path / "book" / "generated" / "predict_columns.md").read_text("utf-8")
    told = [*COLUMNS.values(), EXIT_CODES]
    assert page.count("| `") == sum(map(len, told))
    assert all(f"| `{name}` | {words} |" in page for rows in told for name, words in rows.items())


def test_a_folder_s_images_are_found_whatever_their_endings_case_and_others_are_left(tmp_path):
    names = ["a.PNG", "b.dcm", "c.TIFF", "c_Annotation.png", "notes.txt"]
    for name in names:
        (tmp_path / name).touch()
    assert [path.name for path in list_images([tmp_path])] == ["a.PNG", "b.dcm", "c.TIFF"]
