"""The pictures of the app in README and book, taken from a real browser on a desk and on a phone.

``pytest tests/test_app_pictures.py --app-pictures book/images`` writes them anew. A tab shows the
model that the app starts with; one that has no model yet, or one of the profile smoke, gets no
picture.
"""

import numpy as np
import pytest

pytest.importorskip("gradio")
pytest.importorskip("keras")
pytest.importorskip("nibabel")
cv2 = pytest.importorskip("cv2")

from app_pages import DONE, FIELD, PHONE, WEEKS, YEARS, drop, opened, served  # noqa: E402
from made_up_models import save_volume  # noqa: E402

from fetal_book.app.shelf import TASKS, choices  # noqa: E402
from fetal_phantoms.adult_brain.brain import make_adult_brain  # noqa: E402
from fetal_phantoms.anomalies.phantom import make_anomaly  # noqa: E402
from fetal_phantoms.fetal_brain.brain import make_fetal_brain  # noqa: E402
from fetal_phantoms.head import make_head  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.browser]
DESK = {"width": 1280, "height": 900}
SIZES = {"": DESK, "_phone": PHONE}


@pytest.fixture(scope="module")
def server():
    with served() as one:
        yield one


def saved(page, folder, name, size):
    """Save a picture of the whole page; check that it is one, and as wide as the screen."""
    path = page.screenshot(folder / f"{name}.png")
    image = cv2.imread(str(path))
    assert image.shape[1] == size["width"] and image.shape[0] >= size["height"] - 1
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 300
    return path


@pytest.mark.parametrize("kind", SIZES)
def test_a_head_with_two_points_of_its_scale(tabs, server, app_pictures, tmp_path, kind):
    head = make_head(7, ga_days=150)
    cv2.imwrite(str(tmp_path / "head.png"), head.image)
    page = opened(tabs, server, **SIZES[kind])
    page.click_tab("Head circumference")
    page.type(FIELD.format("pixel-size"), "0.13")
    drop(page, "hc", tmp_path / "head.png")  # so that the picture shows no first answer
    page.type(FIELD.format("pixel-size"), "")
    page.type(FIELD.format("known-age"), "21+3")
    page.upload("#files-hc input[type=file]", tmp_path / "head.png")
    page.wait("document.querySelector('#result-hc .fl-question')")
    for number, x in enumerate((0.2, 0.8), 1):
        page.click(".fl-stage", x, 0.5)
        page.wait(f"document.querySelectorAll('.fl-point').length == {number}")
    distance_mm = 0.6 * head.image.shape[1] * head.pixel_size_mm
    page.type(FIELD.format("distance"), f"{distance_mm:.1f}")
    page.click("#measure")
    page.wait(DONE.format("hc"))
    found = float(page.text("#result-hc .fl-value").split()[0])
    assert found == pytest.approx(head.hc_mm, rel=0.04)
    page.wait("[...document.images].every(image => image.complete)")
    page.run("scrollTo(0, 0); new Promise(done => setTimeout(done, 600))")
    saved(page, app_pictures, f"app{kind}", SIZES[kind])


def anomaly(folder):
    scan = make_anomaly(3, "severe_ventriculomegaly")
    cv2.imwrite(str(folder / "brain.png"), scan.image)
    return folder / "brain.png", ("anomaly-size", f"{scan.pixel_size_mm:.3f}")


def fetus(folder):
    brain = make_fetal_brain(40, ga_days=200, spacing_mm=2.0)
    return save_volume(folder / "fetus_T2w.nii.gz", brain.t2, brain.affine), None


def adult(folder):
    brain = make_adult_brain(5, age_years=60, space="mni")
    return save_volume(folder / "adult_T1w.nii.gz", brain.t1, brain.affine), ("years", "60")


@pytest.mark.parametrize(
    ("task", "title", "make"),
    [
        ("anomaly", "Brain anomaly", anomaly),
        ("ga", WEEKS, fetus),
        ("brain-age", YEARS, adult),
    ],
)
def test_the_other_tabs(tabs, server, app_pictures, tmp_path, task, title, make):
    known = choices(TASKS[task])
    if not known or known[0].profile == "smoke":
        pytest.skip(f"no model for {task} that is worth a picture; `{TASKS[task].command}`")
    file, field = make(tmp_path)
    page = opened(tabs, server, **DESK)
    page.click_tab(title)
    if field:
        page.type(FIELD.format(field[0]), field[1])
    for _ in range(2):
        drop(page, task, file)
    assert page.count(f"#result-{task} [data-picture=overlay] img") == 1
    saved(page, app_pictures, f"app_{task.replace('-', '_')}", DESK)
