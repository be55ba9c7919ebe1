"""The page in a real browser: drop, see, refuse, take home; on a desk and on a phone.

Pictures of the page go to the folder that FETAL_SCREENSHOTS names, or to a temporary one. The tab
for anomalies shows the newest run's model where there is one, else one that knows nothing.
"""

import csv
import os
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gradio")
pytest.importorskip("websocket", reason="needs websocket-client")
keras = pytest.importorskip("keras")
cv2 = pytest.importorskip("cv2")

from app_browser import Browser, find_chromium  # noqa: E402

from fetal_lib.app import build, launch  # noqa: E402
from fetal_lib.app.server import private_folder  # noqa: E402
from fetal_lib.app.shelf import TASKS, choices  # noqa: E402
from fetal_lib.models.anomaly_cnns import build_network  # noqa: E402
from fetal_lib.phantoms.anomalies import LABELS, make_anomaly  # noqa: E402
from fetal_lib.phantoms.head import make_head  # noqa: E402
from fetal_lib.predict.anomaly_model import AnomalyModel, AnomalyModelSpec  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this computer"),
]
DONE = "document.querySelector('#result-{0} .fl-time, #result-{0} .fl-refusal')"
PHONE = 390


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    head = make_head(7, ga_days=150)
    cv2.imwrite(str(folder / "head.png"), head.image)
    for seed in range(3):
        image = make_anomaly(seed, "severe_ventriculomegaly").image
        cv2.imwrite(str(folder / f"brain{seed}.png"), image)
    cv2.imwrite(str(folder / "dark.png"), np.zeros((300, 400), np.uint8))
    (folder / "letter.png").write_text("<img src=x onerror=document.title='hit'>")
    (folder / "huge.png").write_bytes(bytes(21_000_000))
    (folder / "too-large.png").write_bytes(bytes(101_000_000))
    return folder, head


@pytest.fixture(scope="module")
def anomaly_model(tmp_path_factory):
    known = choices(TASKS["anomaly"])
    if known:
        return known[0].folder
    arguments = {"side": 48, "width": 0.25}
    keras.utils.set_random_seed(0)
    network = build_network("separable_cnn", n_classes=len(LABELS), **arguments)
    spec = AnomalyModelSpec("separable_cnn", arguments, LABELS, view="head", trained_on="phantom")
    return AnomalyModel(network, spec).save(tmp_path_factory.mktemp("model"), "# Knows nothing")


@pytest.fixture(scope="module")
def server(anomaly_model):
    with private_folder() as folder:
        page = build(anomaly=anomaly_model)
        _, url, _ = launch(page, prevent_thread_lock=True)
        yield url, folder, page
        page.close(verbose=False)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = Browser(tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


@pytest.fixture(autouse=True)
def closed_tabs(browser):
    yield
    browser.close_pages()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    named = os.environ.get("FETAL_SCREENSHOTS")
    return Path(named).resolve() if named else tmp_path_factory.mktemp("screenshots")


def opened(browser, server, **size):
    page = browser.open(server[0], **size)
    page.wait("document.querySelector('#files-anomaly input[type=file]')")
    return page


def drop(page, task, *paths):
    """Put files into a tab's box and wait for the answer."""
    page.run(f"document.querySelector('#result-{task} .fl-time')?.remove()")
    page.upload(f"#files-{task} input[type=file]", *paths)
    page.wait(DONE.format(task))
    time.sleep(0.3)
    return page.text(f"#result-{task}")


def wait_for_no_files(folder):
    end = time.monotonic() + 10
    while left := [path for path in folder.rglob("*") if path.is_file()]:
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.1)


def test_a_scan_is_dropped_answered_explained_and_deleted(browser, server, scans, pictures):
    page = opened(browser, server)
    assert "not for clinical use" in page.text(".fl-banner")
    text = drop(page, "anomaly", scans[0] / "brain0.png")
    assert "brain0.png" in text and "Model:" in text and "Trained on" in text
    assert "Calibrated confidence" in text or "Best guesses, not to be relied on" in text
    shown = "document.querySelector('[data-picture=overlay] img').naturalWidth"
    scan = "document.querySelector('[data-picture=scan] img').naturalWidth"
    assert page.run(shown) == page.run(scan) > 300
    page.screenshot(pictures / "app_anomaly.png")
    wait_for_no_files(server[1])
    assert page.errors == []


def test_the_page_works_without_a_network(browser, server, scans):
    page = opened(browser, server)
    drop(page, "anomaly", scans[0] / "brain1.png")
    outside = [u for u in page.requests if not u.startswith((server[0], "data:", "blob:"))]
    assert outside == [] and len(page.requests) > 10


def test_two_points_of_the_scale_give_millimetres_and_a_centile(browser, server, scans, pictures):
    folder, head = scans
    page = opened(browser, server)
    page.click_tab("Head circumference")
    page.upload("#files-hc input[type=file]", folder / "head.png")
    page.wait("document.querySelector('#result-hc .fl-question')")
    for number, x in enumerate((0.2, 0.8), 1):
        page.click(".fl-stage", x, 0.5)
        page.wait(f"document.querySelectorAll('.fl-point').length == {number}")
    page.type("#distance textarea, #distance input", f"{0.6 * 800 * head.pixel_size_mm:.3f}")
    page.type("#known-age textarea, #known-age input", "21+3")
    page.click("#measure")
    page.wait(DONE.format("hc"))
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.04)
    text = page.text("#result-hc")
    assert "at 21+3 weeks (INTERGROWTH-21st)" in text and "pixels apart" in text
    assert page.count("#result-hc [data-picture=overlay] img") == 1
    assert page.count("#result-hc [data-picture=chart] img") == 1
    time.sleep(0.3)
    page.screenshot(pictures / "app_head.png")
    wait_for_no_files(server[1])


def test_a_typed_pixel_size_is_enough(browser, server, scans):
    folder, head = scans
    page = opened(browser, server)
    page.click_tab("Head circumference")
    page.type(
        "#pixel-size textarea, #pixel-size input", f"{head.pixel_size_mm:.5f}".replace(".", ",")
    )
    drop(page, "hc", folder / "head.png")
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.03)


def test_a_file_that_is_no_scan_is_refused_by_its_content(browser, server, scans, pictures):
    page = opened(browser, server)
    text = drop(page, "anomaly", scans[0] / "letter.png")
    assert text.startswith("letter.png: a web page or XML") and "Traceback" not in text
    assert str(server[1]) not in text and page.run("document.title") != "hit"
    page.screenshot(pictures / "app_refused.png")
    wait_for_no_files(server[1])


def test_a_huge_file_is_refused(browser, server, scans):
    page = opened(browser, server)
    text = drop(page, "anomaly", scans[0] / "huge.png")
    assert "huge.png: 21 MB; at most 20 MB are read" in text
    page.upload("#files-anomaly input[type=file]", scans[0] / "too-large.png")
    page.wait(
        "document.body.innerText.includes('exceeds') || document.body.innerText.includes('maximum')"
    )
    wait_for_no_files(server[1])


def test_nothing_to_see_is_not_known(browser, server, scans):
    page = opened(browser, server)
    page.click_tab("Head circumference")
    page.type("#pixel-size textarea, #pixel-size input", "0.13")
    text = drop(page, "hc", scans[0] / "dark.png")
    assert "I don’t know" in text and "no head found" in text


def test_several_scans_give_a_table_to_take_home(browser, server, scans, tmp_path, pictures):
    page = opened(browser, server)
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    names = ["brain0.png", "brain1.png", "letter.png"]
    text = drop(page, "anomaly", *(scans[0] / name for name in names))
    assert "3 scans" in text and page.count("#result-anomaly tbody tr") == 3
    page.screenshot(pictures / "app_batch.png")
    page.click("#result-anomaly .fl-button")
    saved = tmp_path / "brain_anomalies.csv"
    end = time.monotonic() + 10
    while not saved.is_file():
        assert time.monotonic() < end, "no CSV was saved"
        time.sleep(0.1)
    with saved.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == names
    assert rows[2]["status"] == "unreadable" and rows[0]["label"] in LABELS
    wait_for_no_files(server[1])


def test_three_users_at_once_get_their_own_answers(browser, server, scans):
    users = [opened(browser, server) for _ in range(3)]
    for number, page in enumerate(users):
        page.upload("#files-anomaly input[type=file]", scans[0] / f"brain{number}.png")
    for number, page in enumerate(users):
        page.wait(DONE.format("anomaly"))
        assert page.text("#result-anomaly h3") == f"brain{number}.png"
    wait_for_no_files(server[1])


def test_nothing_of_a_request_stays_in_the_server_s_memory(browser, server, scans):
    page = opened(browser, server)
    drop(page, "anomaly", scans[0] / "brain2.png")
    holder, end = server[2].state_holder, time.monotonic() + 10
    while any("brain2.png" in repr(one.config_values) for one in holder.session_data.values()):
        assert time.monotonic() < end, "a session still holds the scan"
        time.sleep(0.1)


def test_a_phone_sees_all_of_it_without_scrolling_sideways(browser, server, scans, pictures):
    page = opened(browser, server, width=PHONE, height=844, phone=True)
    drop(page, "anomaly", scans[0] / "brain0.png")
    page.screenshot(pictures / "app_anomaly_phone.png")
    for title in ("Head circumference", "Gestational age (MRI)", "Adult brain age"):
        page.click_tab(title)
        assert page.run("document.documentElement.scrollWidth") == PHONE, title
    page.click_tab("Head circumference")
    page.type("#pixel-size textarea, #pixel-size input", "0.13")
    drop(page, "hc", scans[0] / "head.png")
    assert page.run("document.documentElement.scrollWidth") == PHONE
    page.screenshot(pictures / "app_head_phone.png")


def test_a_tab_without_a_model_names_the_command(browser, server):
    page = opened(browser, server)
    for title, task in (("Gestational age (MRI)", "ga"), ("Adult brain age", "brain-age")):
        page.click_tab(title)
        if not choices(TASKS[task]):
            page.wait(f"document.body.innerText.includes('{TASKS[task].command}')")
        else:
            page.wait(f"document.querySelector('#files-{task} input[type=file]')")


def test_bench_an_answer_in_the_page_takes_less_than_half_a_second(browser, server, scans):
    """From the drop to the answer in the browser, after the first.

    Both cores' processor time of the server counts where others use them: it is the longer one.
    """
    page, waits, works = opened(browser, server), [], []
    for number in range(8):
        start, work = time.perf_counter(), time.process_time()
        page.upload("#files-anomaly input[type=file]", scans[0] / f"brain{number % 3}.png")
        page.wait(
            f"document.querySelector('#result-anomaly h3')?.innerText == 'brain{number % 3}.png'"
        )
        waits.append(time.perf_counter() - start)
        works.append(time.process_time() - work)
    print(f"\n  drop to answer in the browser: {', '.join(f'{t:.2f}' for t in waits)} s")
    print(f"  processor time of the server:  {', '.join(f'{t:.2f}' for t in works)} s")
    assert min(min(waits[1:]), min(works[1:])) < 0.5
