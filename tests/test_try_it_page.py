"""The page that measures in the browser, in a browser: the same numbers as `predict biometry`."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import OfflinePage, find_chromium
from made_up_scans import real_data

from fetal_book.site.try_it import write_files
from fetal_book.site.try_it_samples import draw_samples
from fetal_lib.errors import UserError
from fetal_lib.geometry.biometry import SIZES
from fetal_lib.growth import intergrowth_size
from fetal_lib.growth.examination import examine
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.biometry import MeasuredScan, predict_biometry
from fetal_lib.predict.biometry_model import BiometryModel
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_lib.predict.plane import PlaneRecogniser
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.head import make_head

PROJECT = Path(__file__).resolve().parents[1]
ROOT = "document.getElementById('measure-head')"
LAZY = ("runtime.js", "model.js", "planes.js", "head_", "abdomen_")
SHARE = re.compile(r" (\d+%|\(Dice with its fit [0-9.]+\))")
"""Of a reason: the browser may round a share to the next per cent."""
WEIGHTS = {"AC, HC": "intergrowth", "AC, FL": "H1", "AC, FL, BPD": "H2", "AC, FL, HC": "H3"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(not find_chromium(), reason="needs Chromium"),
]


class Page:
    """The page, opened from the disk."""

    def __init__(self, browser: OfflinePage, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.url = (folder / "try it.html").as_uri()

    def open(self, **options) -> None:
        self.browser.open(self.url, **options)

    def part(self, name: str, what: str) -> str:
        return self.browser.run(f"{ROOT}.querySelector('[data-part=\"{name}\"]').{what}")

    def type(self, name: str, text: str) -> None:
        self.part(name, f"value = {json.dumps(text)}")
        self.part(name, "dispatchEvent(new Event('input'))")

    def status(self) -> str:
        return self.part("status", "textContent")

    def rows(self) -> dict[str, str]:
        pairs = f"[...{ROOT}.querySelectorAll('[data-part=numbers] [data-row]')]"
        return dict(
            self.browser.run(f"{pairs}.map(row => [row.dataset.row, row.lastChild.textContent])")
        )

    def settle(self) -> None:
        """Wait until the network is done with the image that was just given."""
        time.sleep(0.05)
        self.browser.wait(f"{ROOT}.getAttribute('aria-busy') === 'false'")

    def take(self, path: Path) -> None:
        self.browser.run(f"{ROOT}.setAttribute('aria-busy', 'true')")
        self.browser.upload("#ti-file", path)
        self.settle()
        assert path.name in self.part("caption", "textContent")

    def take_sample(self, key: str) -> None:
        self.browser.run(f"{ROOT}.setAttribute('aria-busy', 'true')")
        self.browser.run(f"{ROOT}.querySelector('[data-sample={key}]').click()")
        self.settle()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("a site")
    files = folder / "_static" / "try_it"
    files.mkdir(parents=True)
    try:
        body = write_files(PROJECT / "book" / "try_it", files)
    except UserError as error:
        pytest.skip(str(error))
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Try it</title>'
    head += '<meta name="viewport" content="width=device-width">'
    (folder / "try it.html").write_text(f"{head}<body>{body}</body></html>", encoding="utf-8")
    browser = OfflinePage(tmp_path_factory.mktemp("profile"))
    yield Page(browser, folder)
    browser.close()


def expected(paths: list[Path], sizes: PixelSizes) -> list[MeasuredScan]:
    """What the command finds."""
    return list(predict_biometry(paths, BiometryModel.load(), PlaneRecogniser.load(), sizes))


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], PixelSizes]:
    """Fifty files: heads and abdomens, gray, colour, JPEG, odd sizes, turned, cut, and nothing."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    sizes: dict[str, float] = {}
    for i in range(50):
        phantom = make_abdomen(1000 + i) if i % 3 == 2 else make_head(1000 + i)
        image, name, ellipse = phantom.image, f"{i:02d}.png", phantom.ellipse
        if i % 8 == 1:
            name = f"{i:02d}.jpg"
        elif i % 8 == 2:
            image = np.stack([image, image // 2, image // 3], -1)
        elif i % 8 == 3:
            image = cv2.resize(image, (411, 333), interpolation=cv2.INTER_AREA)
        elif i % 8 == 4:
            image = image[:, : round(ellipse.center_x + 0.4 * ellipse.half_extents[0])]
        elif i % 8 == 5:
            image = np.rot90(image)
        elif i in (15, 31):
            image = rng.integers(0, 60, (300, 400), dtype=np.uint8)
        elif i == 47:
            image = np.zeros((100, 150), np.uint8)
        assert cv2.imwrite(str(folder / name), image)
        sizes[name] = phantom.pixel_size_mm * (6 if i == 40 else 1)
    return sorted(folder.iterdir()), PixelSizes(by_name=sizes)


def compare(page: Page, path: Path, mm: float, found: MeasuredScan) -> list[float]:
    """Measure a scan in the page and return by how many mm it is off the command."""
    page.take(path)
    page.type("pixel-size", repr(float(mm)))
    plane, reason, told = (
        page.browser.run(f"{ROOT}.dataset.{name}") for name in ("plane", "reason", "sizes")
    )
    assert plane == found.plane.name, path.name
    assert SHARE.sub("", reason) == SHARE.sub("", found.found.reason), path.name
    sizes = json.loads(told)
    assert set(sizes) == set(found.sizes), path.name
    if not sizes:
        assert found.found.reason.split(" (")[0] in page.status() and page.rows() == {}
    else:
        charted = SIZES[plane][0].removesuffix("_mm")
        assert page.rows()[charted] == f"{sizes[charted.upper()]['mm']:.1f} mm"
    ends = (("mm", "mm"), ("low", "low_mm"), ("high", "high_mm"))
    return [
        abs(sizes[name][here] - getattr(size, there))
        for name, size in found.sizes.items()
        for here, there in ends
    ]


def test_page_and_command_line_agree_on_fifty_scans(page: Page, scans) -> None:
    paths, sizes = scans
    page.open()
    off, seconds, measured, reasons = [], [], Counter(), Counter()
    for path, found in zip(paths, expected(paths, sizes), strict=True):
        off += compare(page, path, sizes.by_name[path.name], found)
        seconds.append(float(page.browser.run(f"{ROOT}.dataset.seconds")))
        measured[found.plane.name if found.sizes else ""] += 1
        reasons[found.found.reason.split(":")[0]] += 1
    print(
        f"\n{measured}, {reasons}; largest difference {max(off):.2g} mm, "
        f"median {np.median(off):.2g} mm; {np.median(seconds):.2f} s an image"
    )
    assert max(off) < 0.2 and measured["head"] >= 20 and measured["abdomen"] >= 5


def test_real_scans_of_one_subject_give_the_weight_of_the_command(page: Page, tmp_path) -> None:
    folder = real_data("fetal_biometry_fp") / "images"
    names = ("305_Plane2_1_of_2", "305_Plane3_5_of_5", "667_Plane5_1_of_2")
    paths = [folder / f"Patient00{name}.jpg" for name in names]
    found = expected(paths, PixelSizes(0.12))
    page.open()
    off = [mm for one in found for mm in compare(page, one.scan.path, 0.12, one)]
    sizes = {name: size for one in found for name, size in one.sizes.items()}
    weights = json.loads(page.browser.run(f"{ROOT}.dataset.weights"))
    lines = [
        line
        for line in examine(sizes, convention="outer-outer").quantities
        if line.group == "weight"
    ]
    assert max(off) < 0.2 and len(weights) == len(lines) == 5
    for line in lines:
        told = weights[WEIGHTS.get(line.name, "H4")]
        assert told["grams"] == pytest.approx(line.value, rel=0.005), line.name
        if np.isfinite(line.high):
            assert told["half"] == pytest.approx(line.high - line.value, rel=0.02), line.name
    assert page.part("exam-numbers", "childElementCount") == 12
    page.part("exam-clear", "click()")
    assert page.part("exam", "hidden")


def test_nothing_is_asked_of_any_host_and_the_network_waits_for_the_first_image(page: Page) -> None:
    before = len(page.browser.requests)
    page.open()
    opened = page.browser.requests[before:]
    assert [url for url in opened if any(name in url for name in LAZY) and ".js" in url] == []
    page.take_sample("head_16")
    asked = page.browser.requests[before:]
    assert [url for url in asked if url.endswith("/runtime.js")]
    assert {url.split(":")[0] for url in asked} <= {"file", "blob", "data"}
    assert page.browser.errors == []
    weights = {path.name: path.stat().st_size for path in page.folder.rglob("*.*")}
    at_once = sum(n for name, n in weights.items() if not (name.startswith(LAZY) and ".js" in name))
    print(
        f"\nat once {at_once / 1e6:.2f} MB, with the network {sum(weights.values()) / 1e6:.2f} MB"
    )
    assert at_once < 3e6 and sum(weights.values()) < 12e6


def test_samples_are_measured_and_the_cut_one_is_declined(page: Page) -> None:
    page.open()
    for sample in draw_samples()[:4]:
        page.take_sample(sample.key)
        name, within = {"head": ("HC", 0.04), "abdomen": ("AC", 0.1)}[sample.key.partition("_")[0]]
        mm = json.loads(page.browser.run(f"{ROOT}.dataset.sizes"))[name]["mm"]
        assert mm == pytest.approx(sample.circumference_mm, rel=within), sample.key
        assert f"circumference of {sample.circumference_mm:.1f} mm" in page.part(
            "caption", "textContent"
        )
        centile = intergrowth_size.centile(name, mm, sample.ga_days / 7)
        age = format_weeks_days(sample.ga_days)
        assert page.rows()["centile"] == f"{centile:.1f} at {age} weeks"
        assert page.part("chart", "querySelectorAll('.known, .implied, .head').length") == 4
    assert "intergrowth" in page.browser.run(f"{ROOT}.dataset.weights")
    page.take_sample("head_cut")
    assert "ellipse cut by the image" in page.status()
    assert page.part("growth", "hidden") and not page.part("results", "hidden")
    assert page.part("weeks", "value") == "" and page.part("ellipse", "childElementCount") == 2


def test_pixel_size_of_one_image_is_not_taken_for_the_next(page: Page, scans) -> None:
    page.open()
    page.take_sample("head_23")
    page.take(scans[0][0])
    assert page.part("pixel-size", "value") == "" and page.rows() == {}
    assert "side of a pixel" in page.status()
    page.type("pixel-size", "0,12")
    assert page.rows()["hc"].endswith(" mm")
    page.type("pixel-size", "120")
    assert "0.02 to 1 mm" in page.part("pixel-problem", "textContent")
    assert page.part("pixel-size", "getAttribute('aria-invalid')") == "true" and page.rows() == {}


def test_ruler_gives_the_pixel_size_by_keyboard_and_by_mouse(page: Page) -> None:
    page.open()
    page.take_sample("head_23")
    page.part("ruler-on", "click()")
    unchanged = page.part("pixel-size", "value")
    page.part("ruler", "querySelector('.ruler-end').focus()")
    for kind in ("keyDown", "keyUp"):
        page.browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowLeft", code="ArrowLeft")
    assert page.part("ruler-length", "textContent") == "321.0 pixels"
    assert page.part("pixel-size", "value") == f"{50 / 321:.5f}" != unchanged
    place = f"{ROOT}.querySelectorAll('.ruler-end')[1].scrollIntoView({{block: 'center'}})"
    page.browser.run(place)
    box = page.browser.run(
        f"{ROOT}.querySelectorAll('.ruler-end')[1].querySelector('.dot').getBoundingClientRect()"
        ".toJSON()"
    )
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    steps = (("mousePressed", 0), ("mouseMoved", 30), ("mouseReleased", 30))
    for kind, by in steps:
        mouse = {"type": kind, "x": x + by, "y": y, "button": "left", "clickCount": 1}
        page.browser.call("Input.dispatchMouseEvent", **mouse)
    length = float(page.part("ruler-length", "textContent").removesuffix(" pixels"))
    wide = page.part("scan", "getBoundingClientRect().width")
    assert length == pytest.approx(321 + 30 * 800 / wide, abs=0.6)
    assert float(page.part("pixel-size", "value")) == pytest.approx(50 / length, rel=5e-4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty"),
        (b"hello, this is no picture", "No PNG, JPEG or BMP"),
        (b"II*\0rest", "A TIFF"),
        (b"\0" * 128 + b"DICM", "A DICOM file"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\0\0\0\0", "truncated or damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x10\0\0\0\0", "A PNG of 16 bits"),
    ],
)
def test_file_that_cannot_be_read_is_refused_with_the_reason(page, tmp_path, content, says) -> None:
    path = tmp_path / "scan.bad"
    path.write_bytes(content)
    page.open()
    page.browser.upload("#ti-file", path)
    page.browser.wait(f"{ROOT}.querySelector('.refusal')", 10)
    assert page.status().startswith("scan.bad cannot be read.") and says in page.status()
    assert page.part("stage", "hidden")


@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_a_phone_and_every_control_has_a_name(page: Page, dark: bool) -> None:
    page.open(width=390, height=844, dark=dark)
    page.take_sample("head_33")
    page.part("ruler-on", "click()")
    assert page.browser.run("document.documentElement.scrollWidth") <= 390
    page.browser.call("Accessibility.enable")
    nodes = page.browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("textbox", "button", "checkbox", "image", "img", "group", "region")
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert [node for node in named if not node[1].strip()] == []
    assert sum(role == "button" for role, _ in named) >= 8  # file, five samples, two ruler ends
    assert page.part("status", "getAttribute('aria-live')") == "polite"
