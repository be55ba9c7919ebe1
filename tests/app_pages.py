"""The app on a port of its own, and what a test does with its page."""

from __future__ import annotations

import csv
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from chromium import Browser, Page
from made_up_project import wait_for

PHONE = {"width": 390, "height": 844, "phone": True}
DONE = "document.querySelector('#result-{0} .fl-time, #result-{0} .fl-refusal')"
FIELD = "#{0} textarea, #{0} input"
HEAD, WEEKS, YEARS = "Head circumference", "Gestational age (MRI)", "Adult brain age"


@dataclass(frozen=True)
class Served:
    """A running app: its address, the folder of its uploads, the Gradio page."""

    url: str
    folder: Path
    page: Any


@contextmanager
def served(**models):
    """Serve the app with these models for as long as the context lasts."""
    from fetal_book.app import build, launch
    from fetal_book.app.folder import private_folder

    with private_folder() as folder:
        page = build(**models)
        _, url, _ = launch(page, prevent_thread_lock=True)
        yield Served(url, folder, page)
        page.close(verbose=False)


def opened(browser: Browser, server: Served, **size: Any) -> Page:
    """Open the page and wait until its tabs are there."""
    page = browser.open(server.url, **size)
    page.wait("document.querySelectorAll('[role=tab]').length >= 4")
    return page


def at(browser: Browser, server: Served, title: str, **size: Any) -> Page:
    """Open the page at a tab."""
    page = opened(browser, server, **size)
    page.click_tab(title)
    return page


def drop(page: Page, task: str, *paths: Path) -> str:
    """Put files into a tab's box, wait for the answer and return its text."""
    page.wait(f"document.querySelector('#files-{task} input[type=file]')")
    page.run(f"document.querySelector('#result-{task} :is(.fl-time, .fl-refusal)')?.remove()")
    page.upload(f"#files-{task} input[type=file]", *paths)
    page.wait(DONE.format(task))
    time.sleep(0.3)
    return page.text(f"#result-{task}")


def take_home(page: Page, task: str, folder: Path, name: str) -> list[dict[str, str]]:
    """Save a tab's table of answers to a folder, under the name that it has; return its rows."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.click(f"#result-{task} .fl-button")
    saved = folder / name
    wait_for(saved.is_file, 10)
    with saved.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files_in(folder: Path) -> list[Path]:
    """Return all files below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def wait_for_no_files(folder: Path, seconds: float = 10) -> None:
    """Wait until a folder holds no file any more."""
    end = time.monotonic() + seconds
    while left := files_in(folder):
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.1)


def answer(server: Served, event: dict, data: list, session: str, timeout: float = 60) -> dict:
    """Put inputs of an event into the queue, as a browser does; return the message of the end."""
    queue = f"{server.url}gradio_api/queue"
    body = {"data": data + [None] * (len(event["inputs"]) - len(data))}
    body |= {"fn_index": event["id"], "session_hash": session}
    requests.post(f"{queue}/join", json=body, timeout=timeout)
    where = {"session_hash": session}
    stream = requests.get(f"{queue}/data", params=where, timeout=timeout, stream=True)
    for line in stream.iter_lines():
        if b'"process_completed"' in line:
            return json.loads(line.partition(b"data:")[2])
    raise AssertionError("the request did not end")
