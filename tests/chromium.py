"""Drive Chromium over its DevTools protocol, with nothing but a WebSocket client."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from made_up_project import wait_for

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--hide-scrollbars"),
)
NO_HOST = "--host-resolver-rules=MAP * ~NOTFOUND"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium, None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """A Chromium of its own, with a fresh profile."""

    def __init__(self, profile: Path, *flags: str) -> None:
        command = [find_chromium(), f"--user-data-dir={profile}", *FLAGS, *flags, "about:blank"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        note = profile / "DevToolsActivePort"
        wait_for(lambda: note.is_file() and "\n" in note.read_text(), 30, "a start")
        self.address = f"http://127.0.0.1:{note.read_text().split()[0]}"
        self.pages: list[Page] = []

    def new_tab(self) -> str:
        """Open a tab; return the address of its socket."""
        asked = Request(f"{self.address}/json/new?about:blank", method="PUT")
        with build_opener(ProxyHandler({})).open(asked, timeout=20) as answer:
            return json.load(answer)["webSocketDebuggerUrl"]

    def open(self, url: str, width: int = 1280, height: int = 900, phone: bool = False) -> Page:
        """Open a page in a tab of its own."""
        page = Page(self.new_tab())
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        page.call("Emulation.setDeviceMetricsOverride", **size)
        page.call("Page.navigate", url=url)
        self.pages.append(page)
        return page

    def close_pages(self) -> None:
        """Close the tabs that were opened."""
        while self.pages:
            self.pages.pop().call("Page.close")

    def close(self) -> None:
        """End the browser that this object started."""
        self.process.terminate()
        self.process.wait(timeout=20)


class Page:
    """One tab: what it asked for, what it logged, and what can be done in it."""

    def __init__(self, address: str) -> None:
        import websocket

        self.socket = websocket.create_connection(
            address, timeout=120, suppress_origin=True, http_no_proxy=["127.0.0.1"]
        )
        self.number, self.requests, self.errors = 0, [], []
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict:
        """Send a command and return its result; events that come by are noted."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict) -> None:
        params = message.get("params", {})
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif message["method"] == "Runtime.exceptionThrown":
            thrown = params["exceptionDetails"]
            self.errors.append(thrown.get("exception", {}).get("description", thrown["text"]))
        elif message["method"] == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    def run(self, script: str) -> Any:
        """Evaluate a script and return its value."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        found = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until a script's value is true."""
        wait_for(lambda: self.run(f"Boolean({condition})"), seconds, condition)

    def text(self, selector: str) -> str:
        """Return the text of an element, empty where there is none."""
        return self.run(f"document.querySelector({selector!r})?.innerText || ''")

    def count(self, selector: str) -> int:
        """Return how many elements match."""
        return self.run(f"document.querySelectorAll({selector!r}).length")

    def upload(self, selector: str, *paths: Path) -> None:
        """Put files into a file input."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"no element {selector}"
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def click(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Click with the mouse, at a share of an element's width and height."""
        place = f"document.querySelector({selector!r})"
        box = self.run(
            f"{place}.scrollIntoView({{block: 'center'}}),"
            f"(b => [b.x, b.y, b.width, b.height])({place}.getBoundingClientRect())"
        )
        at = {"x": box[0] + x * box[2], "y": box[1] + y * box[3]}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def drag(self, selector: str, path: Path) -> None:
        """Drag a file from the desktop onto an element."""
        box = self.run(
            f"(b => [b.x + b.width / 2, b.y + b.height / 2])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)

    def click_tab(self, title: str) -> None:
        """Choose a tab by its title."""
        same = f"t.textContent.trim().replaceAll('\\u00a0', ' ') == {title!r}"
        found = f"[...document.querySelectorAll('[role=tab]')].find(t => {same})"
        self.wait(f"!!{found}")
        self.run(f"{found}.click()")
        self.wait(f"{found}.ariaSelected == 'true'")
        for _ in range(2):  # until what the tab holds is there and listens
            self.run("new Promise(done => requestIdleCallback(() => setTimeout(done, 150)))")

    def type(self, selector: str, text: str) -> None:
        """Replace the text of an input, as by keys."""
        self.run(f"document.querySelector({selector!r}).focus(); document.activeElement.select()")
        self.call("Input.insertText", text=text)
        self.run("document.activeElement.blur()")

    def screenshot(self, path: Path, whole: bool = True) -> Path:
        """Save a picture of the page."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(picture["data"]))
        return path


class OfflinePage(Page):
    """The one page of a browser that reaches no host."""

    def __init__(self, profile: Path) -> None:
        self.browser = Browser(profile, NO_HOST)
        super().__init__(self.browser.new_tab())

    def open(self, url: str, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Go to a page, at a size in pixels, and wait until its scripts ran."""
        phone = {"mobile": width < 600, "deviceScaleFactor": 2 if width < 600 else 1}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        time.sleep(0.2)
        self.wait("document.readyState === 'complete'")

    def close(self) -> None:
        """End the browser."""
        self.socket.close()
        self.browser.close()
