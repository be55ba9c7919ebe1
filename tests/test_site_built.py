"""The built site in a browser, by keyboard, on a phone, on paper, and for those who do not see it.

A made-up chapter stands for the real ones. With FETAL_TEST_SITE the tests look at a site that is
already built, such as ``book/_build/html``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from chromium import OfflinePage, find_chromium
from made_up_project import change, copy_project, environment, write_project

from fetal_book.site.checks import written_pages
from fetal_book.site.npm_package import get_package_files
from fetal_book.site.pdf import print_book
from fetal_book.site.print_page import NAME as WHOLE_BOOK
from fetal_book.site.reading_checks import heavy_pages, page_mb, wordless_images
from fetal_lib.errors import UserError

PROJECT = Path(__file__).resolve().parents[1]
ADDRESS = "https://github.com/somebody/book"
SERIOUS = """axe.run({exclude: [["mjx-container svg"]]}, {...asked, resultTypes: ["violations"]}
  ).then(found => found.violations.filter(v => ["serious", "critical"].includes(v.impact)).flatMap(
    v => v.nodes.map(n => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary.slice(0, 300)}`)))"""
CUT_OFF = """[...document.querySelectorAll("article :is(table, pre, img, svg)")].filter(part => {
  const end = document.querySelector("article").getBoundingClientRect().right + 1;
  const scrolls = box => /auto|scroll/.test(getComputedStyle(box).overflowX);
  const sideways = box =>
    box.matches("article") ? null : scrolls(box) ? box : sideways(box.parentElement);
  const shown = sideways(part.parentElement) || part;
  return part.getClientRects().length && shown.getBoundingClientRect().right > end;
}).map(part => `${part.tagName} ${part.textContent.trim().slice(0, 60)}`)"""
CELLS = (
    "import matplotlib.pyplot as plt\nimport pandas as pd\n"
    "figure, axes = plt.subplots()\naxes.plot([1, 3, 2], label='model')\n"
    "run.save_figure(figure, 'curves', 'Loss over epochs.', 'A line that rises and falls.')",
    "scores = pd.DataFrame({f'a long name of column {k}': [0.5, 0.25] for k in range(12)})\n"
    "run.save_table(scores, 'results', 'Scores of all models.')\nscores",
    "scores.describe()",
    "from IPython.display import Markdown\n"
    "Markdown('See {numref}`fig-04-curves`, {numref}`tab-04-results` and $a^2 + b^2$.')",
    f"print({'a' * 200!r})",
)
RESULTS = ("results", "against_sources", "leak_ladder")
MENUS = "notebooks/04_head_circumference.html"
pytestmark = [pytest.mark.slow, pytest.mark.browser]
needs_browser = pytest.mark.skipif(not find_chromium(), reason="needs Chromium")


def build_made_up_site(root: Path) -> Path:
    """Build the project's own pages around a chapter with a figure, tables and formulas."""
    copy_project(root, whole=True)
    write_project(root, *CELLS)
    config = root / "book" / "_config.yml"
    change(config, 'repository_url: ""', f"repository_url: {ADDRESS}")
    cache = {"FETAL_CACHE": os.environ.get("FETAL_CACHE", str(PROJECT / ".cache"))}
    done = subprocess.run(
        [sys.executable, "-m", "fetal_book", "book", "build", "--profile", "smoke"],
        cwd=root,
        env=environment(root) | cache,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root / "book" / "_build" / "html"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if os.environ.get("FETAL_TEST_SITE"):
        return Path(os.environ["FETAL_TEST_SITE"]).resolve()
    return build_made_up_site(tmp_path_factory.mktemp("work") / "a project")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    found = OfflinePage(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def chapters(site: Path) -> list[Path]:
    return sorted((site / "notebooks").glob("*.html"))


def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def address(path: Path) -> str:
    return path.resolve().as_uri()


def axe_options(name: str, width: int, dark: bool) -> dict | None:
    """Return what axe is asked of a page in a view, None for nothing.

    Contrast, its slowest rule, depends on the colours, all else on the width: each is asked once
    for each of them, and contrast on a phone where its own menus are, on two pages. Parts of
    the whole book and of the reference are looked at on other pages.
    """
    reference, has_menus = name.startswith("api/"), name in ("intro.html", MENUS)
    if name == WHOLE_BOOK or (reference and (dark or width == 390)):
        return None
    contrast = not reference and (width == 1200 or has_menus)
    if not dark:
        return {"rules": {"color-contrast": {"enabled": contrast}}}
    return {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if contrast else None


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390], ids=["desk", "phone"])
def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_screen(
    site: Path, browser: OfflinePage, width: int, dark: bool
) -> None:
    try:
        axe = get_package_files(PROJECT / "tests" / "axe_core.json")["script"].decode("utf-8")
    except UserError as error:
        pytest.skip(str(error))
    problems = []
    browser.socket.settimeout(300)  # seconds that axe may take for a page
    for path in written_pages(site):
        name = path.relative_to(site).as_posix()
        if name.startswith("api/") and width == 390 and dark:
            continue  # long pages, all of the same parts
        browser.open(address(path), width=width, dark=dark)
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true")
        browser.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))")
        wide = browser.run("document.documentElement.scrollWidth")
        problems += [f"{name}: {wide} pixels wide"] if wide > width else []
        problems += [f"{name}: {found} is cut off" for found in browser.run(CUT_OFF)]
        asked = axe_options(name, width, dark)
        if asked is None:
            continue
        browser.run(f"asked = {json.dumps(asked)};0")
        browser.run(f"{axe};0")
        problems += [f"{name}: {found}" for found in browser.run(SERIOUS)]
    assert problems == []


def test_every_image_has_words_and_every_page_is_light(site: Path) -> None:
    assert [*wordless_images(site), *heavy_pages(site)] == []
    heaviest = max((p for p in written_pages(site) if p.name != WHOLE_BOOK), key=page_mb)
    total = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    print(
        f"\nheaviest page {page_mb(heaviest):.2f} MB ({heaviest.name}), site {total / 1e6:.1f} MB"
    )


def test_figures_and_tables_of_chapters_are_numbered_and_text_refers_to_them(site: Path) -> None:
    made_up = "FETAL_TEST_SITE" not in os.environ
    pages = [soup(path) for path in chapters(site)]
    numbered = "figcaption:not(.case-gallery *), caption"
    captions = [found.get_text() for page in pages for found in page.select(numbered)]
    for kind in ("Figure", "Table"):
        found = [int(m[1]) for text in captions if (m := re.match(rf"\s*{kind} (\d+)", text))]
        assert found and len(set(found)) == len(found)
    assert all(re.match(r"\s*(Figure|Table) \d+\s+\S", text) for text in captions)
    tables = [table for page in pages for table in page.select("div.cell table")]
    assert made_up or [str(table)[:300] for table in tables if not table.caption] == []
    referred = [link.get_text() for page in pages for link in page.select("a.internal .std-numref")]
    assert [text for text in referred if not re.fullmatch(r"(Figure|Table) \d+", text)] == []
    assert not made_up or {text.split()[0] for text in referred} == {"Figure", "Table"}


def test_every_number_of_the_results_pages_leads_to_the_record_of_its_run(site: Path) -> None:
    pages = {name: soup(site / f"{name}.html") for name in RESULTS}
    tables = [one.find_parent("table") for one in pages["results"].find_all("th", string="Model")]
    rows = [row.find_all("td") for one in tables for row in one.select("tbody tr")]
    cells = [cell for row in rows for cell in row[1:-1] if re.search(r"\d", cell.get_text())]
    assert cells
    ours = [row.find_all("td") for row in pages["against_sources"].select("tbody tr")]
    ours = [row[1] for row in ours if row[0].get_text().startswith("Ours")]
    cells += [cell for cell in ours if cell.get_text() != "no run yet"]
    cells += pages["leak_ladder"].select("tbody tr")
    links = [[link["href"] for link in cell.select("a[href*='#run-']")] for cell in cells]
    assert links and [] not in links
    for place in {link.partition("#")[2] for found in links for link in found}:
        part = pages["results"].find(id=place)
        section = part if part.name == "section" else part.find_parent("section")
        files = [link["href"] for link in section.select("a.download[href]")]
        assert any(file.endswith("record.json") for file in files), place


def test_drawing_code_is_folded(site: Path) -> None:
    for path in chapters(site):
        for figure in soup(path).select("div.cell figure"):
            cell = figure.find_parent("div", class_="cell")
            shown = [code for code in cell.select(".cell_input") if not code.find_parent("details")]
            assert [] == shown or "details" in {part.name for part in cell.find_all(True)}, path


def test_downloads_of_a_chapter_are_files_of_its_run(site: Path) -> None:
    for path in chapters(site):
        links = [link["href"] for link in soup(path).select("a.download[href]")]
        files = [(path.parent / unquote(urlsplit(link).path)).resolve() for link in links]
        assert [file for file in files if not file.is_file()] == []
        names = {file.name for file in files}
        known = {f"{path.stem}.ipynb", f"{path.stem}.py", f"{path.stem}-tables.zip"}
        assert known | {"results.json", "record.json"} <= names
        assert {file.suffix for file in files} >= {".csv", ".png", ".svg"}
        (notebook,) = (file for file in files if file.name == f"{path.stem}.ipynb")
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        assert any(cell.get("outputs") for cell in cells)


def test_launch_buttons_lead_to_notebooks_of_the_repository(site: Path) -> None:
    for path in chapters(site):
        links = [link["href"] for link in soup(path).select(".dropdown-launch-buttons a")]
        if os.environ.get("FETAL_TEST_SITE") and not links:
            pytest.skip("this site was built without the address of its repository")
        binder, colab = links
        assert binder.startswith(
            f"https://mybinder.org/v2/gh/{ADDRESS[19:]}/main?urlpath=lab/tree/"
        )
        assert colab.startswith("https://colab.research.google.com/github/")
        named = (binder.partition("lab/tree/")[2], colab.partition("/blob/main/")[2])
        assert set(named) == {f"notebooks/{path.stem}.ipynb"}
        assert (PROJECT / named[0]).is_file() and (PROJECT / ".binder/environment.yml").is_file()


@needs_browser
def test_search_finds_and_formulas_are_set_without_a_network(
    site: Path, browser: OfflinePage
) -> None:
    browser.open("about:blank")
    before = len(browser.requests)
    browser.open(f"{address(site / 'search.html')}?q=speckle")
    browser.wait("document.querySelector('#search-results a[href*=\"methods/phantoms.html\"]')")
    formulas = [page for page in chapters(site) if soup(page).select_one(".math")]
    for page in (site / "methods" / "metrics.html", *formulas[:1]):
        browser.open(address(page))
        browser.wait("document.querySelector('mjx-container')")
    asked = browser.requests[before:]
    assert asked and [url for url in asked if not url.startswith(("file:", "data:"))] == []


@needs_browser
def test_icons_are_still_drawn(site: Path, browser: OfflinePage) -> None:
    browser.open("about:blank")  # what axe-core still asks for on another test's page ends here
    before = len(browser.errors)
    browser.open(address(chapters(site)[0]))
    browser.wait("document.querySelectorAll('svg.svg-inline--fa').length > 5")
    assert browser.run("document.querySelectorAll('i[class*=fa-]').length") == 0
    missing = "[...document.querySelectorAll('svg[data-icon=circle-question], .missing')].length"
    assert browser.run(missing) == 0
    assert browser.errors[before:] == []


@needs_browser
def test_wide_table_scrolls_in_its_box_by_keyboard(site: Path, browser: OfflinePage) -> None:
    browser.open(address(chapters(site)[0]), width=390, height=844)
    wide = "document.querySelector('.pst-scrollable-table-container[data-scrolls]')"
    browser.wait(wide)
    assert browser.run(f"{wide}.getAttribute('role')") == "region"
    assert browser.run(f"{wide}.getAttribute('aria-label')").strip()
    caption = f"({wide}.querySelector('caption') ?? {wide}).getBoundingClientRect().width"
    assert browser.run(caption) <= browser.run(f"{wide}.clientWidth") + 1
    browser.run(f"{wide}.scrollIntoView({{block: 'center'}}); {wide}.focus()")
    assert browser.run(f"document.activeElement === {wide}")
    for kind in ("keyDown", "keyUp"):
        key = {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39}
        browser.call("Input.dispatchKeyEvent", type=kind, **key)
    browser.wait(f"{wide}.scrollLeft > 0", 5)


@needs_browser
def test_first_key_leads_past_the_menus(site: Path, browser: OfflinePage) -> None:
    browser.open(address(site / "intro.html"))
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab")
    assert "Skip to main content" in browser.run("document.activeElement.textContent")


@needs_browser
def test_whole_book_is_one_page_and_prints(site: Path, tmp_path: Path) -> None:
    text = soup(site / WHOLE_BOOK)
    sections = {section["id"] for section in text.select("section.book-page")}
    assert {"intro", "glossary", *(f"notebooks-{path.stem}" for path in chapters(site))} <= sections
    names = [part["id"] for part in text.select("[id]")]
    assert len(set(names)) == len(names)
    inside = {link["href"][1:] for link in text.select('a[href^="#"]')}
    assert inside - set(names) == set()
    links = soup(chapters(site)[0]).select(".dropdown-download-buttons a")
    assert f"../{WHOLE_BOOK}" in {link["href"] for link in links}
    began = time.monotonic()
    pdf = print_book(site, tmp_path / "book.pdf").read_bytes()
    pages = len(re.findall(rb"/Type\s*/Page\b", pdf))
    print(f"\n{pages} pages, {len(pdf) / 1e6:.1f} MB, {time.monotonic() - began:.0f} s")
    assert pdf.startswith(b"%PDF") and pages > 20
