"""The page in a real browser: drop, see, refuse, take home; ultrasound, several users, a phone."""

import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gradio")
pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from app_pages import (  # noqa: E402
    DONE,
    FIELD,
    HEAD,
    PHONE,
    WEEKS,
    YEARS,
    at,
    drop,
    opened,
    served,
    take_home,
    wait_for_no_files,
)
from made_up_models import blank_anomaly_model  # noqa: E402
from made_up_scans import us_region, write_dicom  # noqa: E402

from fetal_book.app.shelf import TASKS, choices  # noqa: E402
from fetal_book.site.npm_package import get_package_files  # noqa: E402
from fetal_lib.errors import UserError  # noqa: E402
from fetal_lib.predict.head_circumference import predict_heads  # noqa: E402
from fetal_lib.predict.head_model import load_head_model  # noqa: E402
from fetal_lib.predict.pixel_sizes import PixelSizes  # noqa: E402
from fetal_phantoms.anomalies.labels import LABELS  # noqa: E402
from fetal_phantoms.anomalies.phantom import make_anomaly  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.browser]
VIOLATIONS = """axe.run({resultTypes: ["violations"]}).then(found => found.violations.flatMap(
    v => v.nodes.map(n => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary.slice(0, 300)}`)))"""


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    head = make_head(7, ga_days=150)
    cv2.imwrite(str(folder / "head.png"), head.image)
    size_cm = head.pixel_size_mm / 10
    regions = {"SequenceOfUltrasoundRegions": [us_region(size_cm, size_cm)]}
    write_dicom(folder / "head.dcm", head.image, **regions)
    for seed in range(3):
        image = make_anomaly(seed, "severe_ventriculomegaly").image
        cv2.imwrite(str(folder / f"brain{seed}.png"), image)
    cv2.imwrite(str(folder / "dark.png"), np.zeros((300, 400), np.uint8))
    (folder / "letter.png").write_text("<img src=x onerror=document.title='hit'>")
    (folder / "huge.png").write_bytes(bytes(21_000_000))
    (folder / "too-large.png").write_bytes(bytes(101_000_000))
    return folder, head


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = blank_anomaly_model().save(tmp_path_factory.mktemp("model"), "# Knows nothing")
    with served(anomaly=folder) as one:
        yield one


def test_a_scan_is_dropped_answered_explained_and_deleted(tabs, server, scans):
    page = opened(tabs, server)
    page.wait("document.querySelector('.fl-banner')?.innerText")
    assert "not for clinical use" in page.text(".fl-banner")
    text = drop(page, "anomaly", scans[0] / "brain0.png")
    assert "brain0.png" in text and "Model:" in text and "Trained on" in text
    assert "Calibrated confidence" in text or "Best guesses, not to be relied on" in text
    shown = "document.querySelector('[data-picture=overlay] img').naturalWidth"
    scan = "document.querySelector('[data-picture=scan] img').naturalWidth"
    assert page.run(shown) == page.run(scan) > 300
    wait_for_no_files(server.folder)
    assert page.errors == []


def test_a_scan_that_is_dragged_onto_the_box_is_answered(tabs, server, scans):
    page = opened(tabs, server)
    page.wait("document.querySelector('#files-anomaly input[type=file]')")
    page.drag("#files-anomaly button", scans[0] / "brain1.png")
    page.wait(DONE.format("anomaly"))
    assert page.text("#result-anomaly h2") == "brain1.png"
    wait_for_no_files(server.folder)


def test_a_pixel_size_comes_into_the_answer(tabs, server, scans):
    page = opened(tabs, server)
    assert "not known; some classes differ" in drop(page, "anomaly", scans[0] / "brain0.png")
    page.type(FIELD.format("anomaly-size"), "0,2")
    assert "0.2000 mm" in drop(page, "anomaly", scans[0] / "brain0.png")
    page.type(FIELD.format("anomaly-size"), "200")
    assert "divide micrometres by 1000" in drop(page, "anomaly", scans[0] / "brain0.png")


def test_the_page_works_without_a_network(tabs, server, scans):
    page = opened(tabs, server)
    drop(page, "anomaly", scans[0] / "brain1.png")
    outside = [u for u in page.requests if not u.startswith((server.url, "data:", "blob:"))]
    assert outside == [] and len(page.requests) > 10


def test_two_points_of_the_scale_give_millimetres_and_a_centile(tabs, server, scans):
    folder, head = scans
    page = at(tabs, server, HEAD)
    page.upload("#files-hc input[type=file]", folder / "head.png")
    page.wait("document.querySelector('#result-hc .fl-question')")
    for number, x in enumerate((0.2, 0.8), 1):
        page.click(".fl-stage", x, 0.5)
        page.wait(f"document.querySelectorAll('.fl-point').length == {number}")
    page.type(FIELD.format("distance"), f"{0.6 * 800 * head.pixel_size_mm:.3f}".replace(".", ","))
    page.type(FIELD.format("known-age"), "21+3")
    page.click("#measure")
    page.wait(DONE.format("hc"))
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.04)
    text = page.text("#result-hc")
    assert "at 21+3 weeks (INTERGROWTH-21st)" in text and "pixels apart" in text
    assert page.count("#result-hc [data-picture=overlay] img") == 1
    assert page.count("#result-hc [data-picture=chart] img") == 1
    time.sleep(0.3)
    wait_for_no_files(server.folder)


def test_a_typed_pixel_size_is_enough_and_the_command_line_says_the_same(tabs, server, scans):
    folder, head = scans
    page = at(tabs, server, HEAD)
    page.type(FIELD.format("pixel-size"), f"{head.pixel_size_mm:.5f}".replace(".", ","))
    drop(page, "hc", folder / "head.png")
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.03)
    sizes, model = PixelSizes(round(head.pixel_size_mm, 5)), load_head_model()
    ((_, told, *_),) = predict_heads([folder / "head.png"], model, sizes)
    assert found == pytest.approx(told.hc_mm, abs=0.1)


def test_the_pixel_size_of_a_dicom_file_needs_no_typing(tabs, server, scans):
    folder, head = scans
    page = at(tabs, server, HEAD)
    text = drop(page, "hc", folder / "head.dcm")
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.03) and "stated in the file" in text


def test_a_file_that_is_no_scan_is_refused_by_its_content(tabs, server, scans):
    page = opened(tabs, server)
    text = drop(page, "anomaly", scans[0] / "letter.png")
    assert text.startswith("letter.png: a web page or XML") and "Traceback" not in text
    assert str(server.folder) not in text and page.run("document.title") != "hit"
    wait_for_no_files(server.folder)


def test_a_huge_file_is_refused(tabs, server, scans):
    page = opened(tabs, server)
    text = drop(page, "anomaly", scans[0] / "huge.png")
    assert "huge.png: 21 MB; at most 20 MB are read" in text
    page.upload("#files-anomaly input[type=file]", scans[0] / "too-large.png")
    page.wait(
        "document.body.innerText.includes('exceeds') || document.body.innerText.includes('maximum')"
    )
    wait_for_no_files(server.folder)


def test_nothing_to_see_is_not_known(tabs, server, scans):
    page = at(tabs, server, HEAD)
    page.type(FIELD.format("pixel-size"), "0.13")
    text = drop(page, "hc", scans[0] / "dark.png")
    assert "I don’t know" in text and "no fetal head" in text


def test_several_scans_give_a_table_to_take_home(tabs, server, scans, tmp_path):
    page = opened(tabs, server)
    names = ["brain0.png", "brain1.png", "letter.png"]
    text = drop(page, "anomaly", *(scans[0] / name for name in names))
    assert "3 scans" in text and page.count("#result-anomaly .fl-scroll tbody tr") == 3
    rows = take_home(page, "anomaly", tmp_path, "brain_anomalies.csv")
    assert [row["image"] for row in rows] == names
    assert rows[2]["status"] == "failed" and rows[0]["label"] in LABELS
    wait_for_no_files(server.folder)


def test_three_users_at_once_get_their_own_answers(tabs, server, scans):
    users = [opened(tabs, server) for _ in range(3)]
    for number, page in enumerate(users):
        page.wait("document.querySelector('#files-anomaly input[type=file]')")
        page.upload("#files-anomaly input[type=file]", scans[0] / f"brain{number}.png")
    for number, page in enumerate(users):
        page.wait(DONE.format("anomaly"))
        assert page.text("#result-anomaly h2") == f"brain{number}.png"
    wait_for_no_files(server.folder)


def test_nothing_of_a_request_stays_in_the_server_s_memory(tabs, server, scans):
    page = opened(tabs, server)
    drop(page, "anomaly", scans[0] / "brain2.png")
    holder, end = server.page.state_holder, time.monotonic() + 10
    while any("brain2.png" in repr(one.config_values) for one in holder.session_data.values()):
        assert time.monotonic() < end, "a session still holds the scan"
        time.sleep(0.1)


def test_axe_finds_nothing_in_an_answer_a_table_and_a_refusal(tabs, server, scans):
    try:
        axe = get_package_files(Path(__file__).with_name("axe_core.json"))["script"].decode()
    except UserError as error:
        pytest.skip(str(error))
    page = opened(tabs, server)
    page.run(f"{axe};0")
    for names in (("brain0.png",), ("brain0.png", "letter.png"), ("letter.png",)):
        drop(page, "anomaly", *(scans[0] / name for name in names))
        assert page.run(VIOLATIONS) == [], names


def test_a_phone_sees_all_of_it_without_scrolling_sideways(tabs, server, scans):
    page = opened(tabs, server, **PHONE)
    drop(page, "anomaly", scans[0] / "brain0.png")
    wide = "document.documentElement.scrollWidth"
    for title in ("Brain anomaly", HEAD, WEEKS, YEARS):
        page.click_tab(title)
        assert page.run(wide) == PHONE["width"], title
    page.click_tab(HEAD)
    page.type(FIELD.format("pixel-size"), "0.13")
    drop(page, "hc", scans[0] / "head.png")
    assert page.run(wide) == PHONE["width"]
    for part in ("overlay", "chart"):
        assert page.run(
            f"document.querySelector('#result-hc [data-picture={part}]').offsetWidth > 250"
        )


def test_a_tab_without_a_model_names_the_command(tabs, server):
    page = opened(tabs, server)
    for title, task in ((WEEKS, "ga"), (YEARS, "brain-age")):
        page.click_tab(title)
        if not choices(TASKS[task]):
            page.wait(f"document.body.innerText.includes('{TASKS[task].command}')")
        else:
            page.wait(f"document.querySelector('#files-{task} input[type=file]')")
