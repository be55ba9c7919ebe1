"""The page that measures in the browser, in a browser: the same numbers as `predict hc`."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import OfflinePage, find_chromium

from fetal_book.site.try_it import write_files
from fetal_book.site.try_it_samples import draw_samples
from fetal_lib.errors import UserError
from fetal_lib.growth import intergrowth_size
from fetal_lib.growth.gestation import format_weeks_days
from fetal_lib.predict.head_circumference import predict_heads
from fetal_lib.predict.head_gate import load_head_gate
from fetal_lib.predict.head_model import load_head_model
from fetal_lib.predict.pixel_sizes import PixelSizes
from fetal_phantoms.abdomen import make_abdomen
from fetal_phantoms.head import make_head

PROJECT = Path(__file__).resolve().parents[1]
ROOT = "document.getElementById('measure-head')"
LAZY = ("runtime.js", "model.js", "planes.js", "head_")
SHARE = re.compile(r" \(\d+%\)$")
"""Of a reason: the browser may round the confidence to the next per cent."""
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
        pairs = f"[...{ROOT}.querySelectorAll('[data-row]')]"
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


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], PixelSizes]:
    """Fifty files: gray, colour, JPEG, odd sizes, turned and cut heads, and six without a head."""
    folder = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    sizes: dict[str, float] = {}
    for i in range(50):
        head = make_head(1000 + i)
        image, name = head.image, f"{i:02d}.png"
        if i % 8 == 1:
            name = f"{i:02d}.jpg"
        elif i % 8 == 2:
            image = np.stack([image, image // 2, image // 3], -1)
        elif i % 8 == 3:
            image = cv2.resize(image, (411, 333), interpolation=cv2.INTER_AREA)
        elif i % 8 == 4:
            image = image[:, : round(head.ellipse.center_x + 0.4 * head.ellipse.half_extents[0])]
        elif i % 8 == 5:
            image = np.rot90(image)
        elif i in (15, 31):
            image = rng.integers(0, 60, (300, 400), dtype=np.uint8)
        elif i in (7, 23, 39):
            image = make_abdomen(1000 + i).image
        elif i == 47:
            image = np.zeros((100, 150), np.uint8)
        assert cv2.imwrite(str(folder / name), image)
        sizes[name] = head.pixel_size_mm * (6 if i == 40 else 1)
    return sorted(folder.iterdir()), PixelSizes(by_name=sizes)


def test_page_and_command_line_agree_on_fifty_scans(page: Page, scans) -> None:
    paths, sizes = scans
    gate = load_head_gate()
    found = predict_heads(paths, load_head_model(), sizes, gate=gate)
    expected = [replace(one, reason=SHARE.sub("", one.reason)) for _, one, *_ in found]
    page.open()
    off, seconds, reasons = [], [], []
    for path, found in zip(paths, expected, strict=True):
        page.take(path)
        page.type("pixel-size", repr(float(sizes.by_name[path.name])))
        reason = SHARE.sub("", page.browser.run(f"{ROOT}.dataset.reason"))
        assert reason == found.reason, path.name
        seconds.append(float(page.browser.run(f"{ROOT}.dataset.seconds")))
        if found.reason:
            reasons.append(found.reason)
            assert found.reason in page.status() and page.rows() == {}
            continue
        off.append(abs(float(page.browser.run(f"{ROOT}.dataset.hc")) - found.hc_mm))
        rows = page.rows()
        assert rows["hc"] == f"{found.hc_mm:.1f} mm" or off[-1] > 1e-3
        known = found.ga_days > 0
        assert not known or rows["age"].startswith(format_weeks_days(found.ga_days)), path.name
        assert known or rows["age"] == "outside the formula's range"
        low, _, high = rows["interval"].removesuffix(" mm").partition(" to ")
        assert float(low) == pytest.approx(found.hc_low_mm, abs=0.25)
        assert float(high) == pytest.approx(found.hc_high_mm, abs=0.25)
    print(
        f"\n{len(off)} measured, {len(reasons)} declined; largest difference {max(off):.2g} mm, "
        f"median {np.median(off):.2g} mm; network {np.median(seconds):.2f} s an image"
    )
    assert max(off) < 0.2
    kinds = {reason.split(":")[0].split(" (")[0] for reason in reasons}
    assert len(off) >= 30 and {"no fetal head", "unreasonable size"} <= kinds


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
    for sample in draw_samples()[:3]:
        page.take_sample(sample.key)
        hc_mm = float(page.browser.run(f"{ROOT}.dataset.hc"))
        assert hc_mm == pytest.approx(sample.hc_mm, rel=0.04)
        assert f"circumference of {sample.hc_mm:.1f} mm" in page.part("caption", "textContent")
        centile = intergrowth_size.centile("HC", hc_mm, sample.ga_days / 7)
        age = format_weeks_days(sample.ga_days)
        assert page.rows()["centile"] == f"{centile:.1f} at {age} weeks"
        assert page.part("chart", "querySelectorAll('.known, .implied, .head').length") == 4
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
    assert sum(role == "button" for role, _ in named) >= 7  # file, four samples, two ruler ends
    assert page.part("status", "getAttribute('aria-live')") == "polite"
